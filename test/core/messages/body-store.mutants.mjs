/** Mutants of `src/core/messages/body-store.ts`. */
export default {
  tests: ["test/core/messages/body-store", "test/core/messages/journal"],
  deno: true,
  mutants: [
    ["a block is reused while it holds a body", "if (block.bodies > 0 || !block.shared) return;", ""],
    ["a block is never reused", "this.#spare.length < SPARE_MAX", "this.#spare.length < 0"],
    ["every character takes one byte", "body.length * 3", "body.length"],
    ["a large body is shared with its sender", "new Uint8Array(body))", "body)"],
    ["a reader gets the block itself", "return bytesAt(stored).slice();", "return bytesAt(stored);"],
    ["a byte order mark is lost", "{ ignoreBOM: true }", "{}"],
  ],
};
