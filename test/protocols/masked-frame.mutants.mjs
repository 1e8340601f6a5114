/** Mutants of `src/protocols/masked-frame.ts`. */
export default {
  tests: ["test/protocols/masked-frame"],
  mutants: [
    ["escapes hide a secret", "const masked = maskSecrets(string, masking.secrets);", "const masked = string;"],
    ["JSON in a string of JSON is shown", "masked.includes('\"')", "masked.includes('\\0')"],
    ["JSON in a text is shown", "maskTail(line, masking) ?? line", "line"],
    ["JSON that is cut off is shown", "const text = maskMembers(given);", "const text = given;"],
    ["texts are tried without bound", "Math.max(0, masking.tries - 1)", "masking.tries"],
    ["what looks like a key is shown", " && !isKeyLike(string)", ""],
    ["a list that is cut off is shown", "if (isOpener(code)) depth++;", "if (isOpener(code)) depth += 0;"],
    ["the keys of what is cut off are masked", "text.charCodeAt(skipSpace(text, end)) !== COLON", "end > 0"],
    ["what names a message is masked", " && !isNamed", ""],
    ["keys are left as they are", "maskSecrets(string, keySecrets)", "string"],
    ["lists of secrets are shown", "first === QUOTE || isOpener(first)", "first === QUOTE"],
    ["the frame itself is masked", "const masked = new Uint8Array(bytes);", "const masked = bytes;"],
  ],
};
