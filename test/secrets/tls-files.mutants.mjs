/** Mutants of `src/secrets/tls-files.ts`. */
export default {
  tests: ["test/faults/client-certificates"],
  mutants: [
    [
      "a key that fits no certificate is taken",
      'checkPrivateKey(opened) ? undefined : "tls.key does not fit tls.cert"',
      "checkPrivateKey(opened) ? undefined : undefined",
    ],
    ["any file is a certificate", "return isThere ? undefined", "return !isThere ? undefined"],
  ],
};
