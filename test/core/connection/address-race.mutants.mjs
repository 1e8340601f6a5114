/** Mutants of `src/core/connection/address-race.ts`. */
export default {
  tests: ["test/core/connection/address-race"],
  deno: true,
  mutants: [
    ["IPv4 does not wait for IPv6", "awaited.includes(6) ?", "awaited.includes(4) ?"],
    ["the families do not take turns", "turn: next.family === 6 ? 4 : 6", "turn: race.turn"],
    ["a failure lets nobody begin", "running, nextAt: now }", "running }"],
    ["a name may have any number of addresses", "known.length < PER_FAMILY && ", ""],
    ["the last of many addresses is never tried", "(deadline - now) / (left + 1)", "deadline - now"],
    [
      "the race is lost while an answer is awaited",
      "race.running.length + race.awaited.length === 0",
      "race.running.length === 0",
    ],
  ],
};
