/** Mutants of `src/sidecar/host/journal-reader.ts`. */
export default {
  tests: ["test/sidecar/host/journal-reader"],
  deno: true,
  mutants: [
    ["a reader receives a message twice", "seq > after.seq;", "seq >= after.seq;"],
    ["a reader that wants nothing receives more", "(!cut && this.#consumer.wants())", "!cut"],
    ["a reader receives another reader's gap", '? "elsewhere" : page', "? page : page"],
    ["a gap before a reader's place counts as its own", "filter(isNew), gone: false", "filter(isNew)"],
    ["a page exceeds the limit", "fresh.entries.length > this.#limit;", "fresh.entries.length > this.#limit + 1;"],
    ["a reader that left is notified of the end", ' || this.#state === "over") return;', ") return;"],
    ["messages over the limit are lost", "next: entries.at(-1)?.seq ?? page.next,", "next: page.next,"],
  ],
};
