/** Mutants of `src/recording/playback.ts`. */
export default {
  tests: ["test/recording/playback"],
  mutants: [
    ["the recorded id is sent", "return reply.render?.(adopted.own) ?? frame;", "return frame;"],
    ["ids are compared", "protocol.adopt?.(frame, 0, connection)?.frame ?? frame, names", "frame, names"],
    ["a reply follows the last frame", "const cause = request ?? this.#latest;", "const cause = this.#latest;"],
    ["a frame that was sent is found first again", "this.#unused.delete(step);", ""],
    ["all connections have one state", "const connection = ++connections;", "const connection = 1;"],
    [
      "the state knows nothing of what was played",
      "this.#protocol.states?.take(this.#connection, frame);\n  }",
      "void frame;\n  }",
    ],
    ["the client's own close is played", 'if (entry.by !== "us") this', "this"],
  ],
};
