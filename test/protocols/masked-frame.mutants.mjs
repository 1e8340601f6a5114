/** Mutants of `src/protocols/masked-frame.ts`. */
export default {
  tests: ["test/protocols/masked-frame"],
  mutants: [
    ["escapes hide a secret", "const masked = maskSecrets(string, secrets);", "const masked = string;"],
    ["JSON in a string of JSON is shown", "masked.includes('\"')", "masked.includes('\\0')"],
    ["JSON in a text is shown", "maskTail(line, secrets) ?? maskMembers(line)", "maskMembers(line)"],
    ["JSON that is cut off is shown", "?? maskMembers(line)", "?? line"],
    ["a list that is cut off is shown", "charCodeAt(value) === OPEN_BRACKET;", "charCodeAt(value) === 0;"],
    ["keys are left as they are", "maskSecrets(string, keySecrets)", "string"],
    ["lists of secrets are shown", "first === QUOTE || first === OPEN_BRACKET", "first === QUOTE"],
    ["the frame itself is masked", "const masked = new Uint8Array(bytes);", "const masked = bytes;"],
  ],
};
