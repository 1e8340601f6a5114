/** Mutants of `src/protocols/dialects/mcp.ts`. */
export default {
  tests: ["test/protocols/dialects"],
  mutants: [
    ["a caller who leaves cancels nothing", "cancel: (requestId) =>", "cancels: (requestId: unknown) =>"],
    [
      "pings of the server wait for a caller",
      'when: { match: { "/method": PING }, has: ["/id"] },',
      'when: { lacks: [""] },',
    ],
    [
      "a server is not told that it is initialized",
      '{ send: { jsonrpc: "2.0", method: "notifications/initialized" } },',
      "",
    ],
    ["capabilities are not declared", "objectOf(capabilities) ?? {}", "{}"],
  ],
};
