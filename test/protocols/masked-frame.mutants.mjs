/** Mutants of `src/protocols/masked-frame.ts`. */
export default {
  tests: ["test/protocols/masked-frame"],
  mutants: [
    ["escapes hide a secret", "const masked = maskSecrets(string, secrets);", "const masked = string;"],
    ["JSON in a string of JSON is shown", "masked.includes('\"')", "masked.includes('\\0')"],
    ["JSON in a text is shown", "maskTail(line, secrets) ?? maskMembers(line)", "maskMembers(line)"],
    ["JSON that is cut off is shown", "?? maskMembers(line)", "?? line"],
    ["a list that is cut off is shown", "if (isOpener(code)) depth++;", "if (isOpener(code)) depth += 0;"],
    ["the keys of what is cut off are masked", " && text.charCodeAt(skipSpace(text, end)) !== COLON", ""],
    ["what names a message is masked", " && at !== naming", ""],
    ["keys are left as they are", "maskSecrets(string, keySecrets)", "string"],
    ["lists of secrets are shown", "first === QUOTE || isOpener(first)", "first === QUOTE"],
    ["the frame itself is masked", "const masked = new Uint8Array(bytes);", "const masked = bytes;"],
  ],
};
