/** Mutants of `src/push/webhook-ids.ts`. */
export default {
  tests: ["test/push/webhook-ids.test"],
  deno: true,
  mutants: [
    ["subscriptions of one receiver have one id", "[url, subscription]", "[url]"],
    ["an id tells the receiver", '.digest("base64url").slice(0, 22)', '.digest("hex")'],
    ["several of one receiver have one id", "count + 1", "count"],
  ],
};
