/** Mutants of `src/push/reply-batches.ts`. */
export default {
  tests: ["test/push/reply-batches"],
  mutants: [
    ["a request joins the messages before it", "if (open && !isAlone) open.push", "if (open) open.push"],
    ["a message joins the request before it", "open = isAlone ? undefined : parts.at(-1);", "open = parts.at(-1);"],
    ["each message is alone", "const isAlone = wantsReply(entry);", "const isAlone = entry !== undefined;"],
  ],
};
