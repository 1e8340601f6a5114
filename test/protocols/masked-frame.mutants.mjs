/** Mutants of `src/protocols/masked-frame.ts`. */
export default {
  tests: ["test/protocols/masked-frame"],
  mutants: [
    ["escapes hide a secret", "maskSecrets(string, secrets)", "maskSecrets(string, [])"],
    ["keys are left as they are", "maskSecrets(string, keySecrets)", "string"],
    ["lists of secrets are shown", "first === QUOTE || first === OPEN_BRACKET", "first === QUOTE"],
    ["the frame itself is masked", "const masked = new Uint8Array(bytes);", "const masked = bytes;"],
  ],
};
