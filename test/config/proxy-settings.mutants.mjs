/** Mutants of `src/config/proxy-settings.ts`. */
export default {
  tests: ["test/config/proxy-settings"],
  mutants: [
    [
      "a colon in a placeholder parts user and password",
      'kind === "text" ? source.indexOf(":") : -1',
      'source.indexOf(":")',
    ],
    ["a variable's value may be a placeholder", "url: escapeDeferred(url)", "url"],
    ["this machine is reached through the proxy", "except: [...THIS_MACHINE, ", "except: ["],
    ["webhooks do not follow the variables", ".map(resolved) };", ".slice() };"],
  ],
};
