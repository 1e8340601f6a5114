/** Mutants of `src/commands/doctor-certificate.ts`. */
export default {
  tests: ["test/contract/doctor"],
  mutants: [
    ["a certificate that fails is in order", "return fail(`${at} failed (", "return warn(`${at} failed ("],
    [
      "the file of trusted certificates is not read",
      "ca === undefined ? undefined : await readSecretFile(ca)",
      "undefined",
    ],
    ["an old certificate has the cure of a strange one", "Date.parse(seen.valid_to) < now", "false"],
  ],
};
