/** Mutants of `src/recording/playback.ts`. */
export default {
  tests: ["test/recording/playback"],
  mutants: [
    ["the recorded id is sent", "return decoded.render?.(adopted.own) ?? reply;", "return reply;"],
    ["ids are compared", "protocol.adopt?.(frame, 0)?.frame ?? frame, ignored", "frame, ignored"],
    ["a reply follows the last frame", "const cause = request ?? this.#latest;", "const cause = this.#latest;"],
    ["a frame that was sent is found first again", "this.#unused.delete(step);", ""],
    ["the client's own close is played", 'if (entry.by !== "us") this', "this"],
  ],
};
