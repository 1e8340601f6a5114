/** Mutants of `src/sidecar/thread/sockets.ts`. */
export default {
  tests: ["test/contract/exit", "test/contract/reload"],
  mutants: [
    ["a destroyed socket does not count as forced", 'forced: drop.reason === "unclosed"', "forced: false"],
    [
      "a connection says the newest attempt's farewell",
      "this.#openedWith.get(connection)?.settings",
      "this.#resolved.settings",
    ],
    ["an older connection's secrets are shown", "joinedSecrets(resolved.secrets, older)", "resolved.secrets"],
  ],
};
