/** Mutants of `src/sidecar/thread/shared-log.ts`. */
export default {
  tests: ["test/sidecar/thread/shared-log"],
  mutants: [
    ["a term begins before the log has been read", "|| this.#readUpTo < term.needs) return;", ") return;"],
    [
      "an entry that a server lacks is passed over",
      "if (this.#hasEnded || !entry) return n > 0;",
      "if (!entry) continue;",
    ],
    ["the log is read one entry after the other", "length: 1 + beside", "length: 1"],
    ["a log that lacks its end is lost at once", "&& !this.#doubt.lasts(this.#env.now())", "&& false"],
    ["a cursor that a server does not know yet is refused", "!this.#isEndSure && this.#isAhead(command)", "false"],
    [
      "a cursor that no server knows is held for ever",
      "!this.#isEndSure && this.#isAhead(command)",
      "this.#isAhead(command)",
    ],
    ["a log that grows stays in doubt", "if (end !== this.#compareTo) this.#endDoubt.end();", ""],
    ["a reader that is ahead has the log compared all the time", "const AHEAD_MS = 200;", "const AHEAD_MS = 0;"],
    [
      "a reader that is ahead waits for the next comparison",
      "if (this.#held.size === 0) return POLL_MS;",
      "return POLL_MS;",
    ],
    [
      "another life is another log",
      "const isKept = await this.#hasNewest(hasLess);",
      "const isKept = isOther ? false : await this.#hasNewest(hasLess);",
    ],
    [
      "another life is the same log",
      "const isKept = await this.#hasNewest(hasLess);",
      "const isKept = isOther || (await this.#hasNewest(hasLess));",
    ],
    [
      "another life that a server does not know yet is lost",
      "const isLost = isOther && last < position;",
      "const isLost = isOther;",
    ],
    [
      "a lost log with another life stays in doubt",
      "const isLost = isOther && last < position;",
      "const isLost = false;",
    ],
    ["a log whose life is unknown is the same", "life !== UNKNOWN_LIFE && !this", "!this"],
    ["a log that got another entry is the same", "digestOf(entry.entry) === this.#newest;", "true;"],
    ["a log that is lost is not begun again", "isAnew: true, begun: undefined }", "isAnew: true, begun: term.begun }"],
    ["what was not stored is not told", "if (unstored > 0) this.#env", "if (unstored < 0) this.#env"],
    ["a term that is older than the log's is not told", "if (isRefused) this.#tell(OUTDATED);", "void isRefused;"],
    ["a cursor that is ahead is not waited for", "!isOfOther && !this.#isAhead(command)", "!isOfOther"],
    [
      "a request of the upstream's own is not known again",
      "request: isTagged ? this.#tagged.get(tag) : undefined",
      "request: undefined",
      { tests: ["test/cluster/log.test"] },
    ],
  ],
};
