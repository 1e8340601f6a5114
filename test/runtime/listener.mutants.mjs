/** Mutants of `src/runtime/listener.ts`. */
export default {
  tests: ["test/runtime/listener"],
  mutants: [
    ["the second of two Hosts is dropped", "joinDuplicateHeaders: true,", "", { tests: ["test/contract/security"] }],
    ["a connection being written to counts as idle", "server.closeIdleConnections = () => {};", ""],
    [
      "a connection without a request is not cut",
      "const since = performance.now();",
      "const since = Number.POSITIVE_INFINITY;",
    ],
    [
      "the answer step has no bound",
      "let last = setTimeout(giveUp, withinMs);",
      "let last = setTimeout(giveUp, 2 ** 30);",
    ],
    [
      "the flush waits for callers of /shutdown",
      "every((socket) => kept.has(socket))",
      "every((socket) => !socket)",
      { tests: ["test/exit/callers"] },
    ],
    ["callers of /shutdown are cut", "kept.has(socket) || since", "since", { tests: ["test/exit/callers"] }],
    ["a connection opened just now is cut", " || since > now - (isFresh ? FRESH_GRACE_MS : GRACE_MS)", ""],
    ["an idle connection ends without its last response", "socket.end(lastResponse);", "socket.end();"],
    [
      "an idle connection has no grace at the retirement",
      "connection.responses === 0) connection.since = now;",
      "false) {}",
    ],
    ["a retired listener keeps connections", "if (retired && this.tracked?.responses === 1)", "if (false)"],
    [
      "a connection holds its last request",
      "if (connection.responses === 0) connection.request = undefined;",
      "",
      { tests: ["test/runtime/garbage"] },
    ],
    ["a caller that left is awaited", "connections.delete(socket);", ""],
    ["a caller that left closes only one response", 'response.destroy().emit("close")', "response.destroy()"],
    ["a finished response counts as being written", "connection.responses--;", ""],
  ],
};
