/** The version of this package: npm run package writes it into package.json. */
export const version = "0.1.0";
