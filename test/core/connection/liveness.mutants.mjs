/** Mutants of `src/core/connection/liveness.ts`. */
export default {
  tests: ["test/core/connection/liveness"],
  deno: true,
  mutants: [
    ["a frame does not restart the silence watchdog", "Math.max(since, heardAt)", "Math.min(since, heardAt)"],
    ["silence is counted from before the connection", "Math.max(since, heardAt)", "Math.max(since * 0, heardAt)"],
    ["an unanswered ping blames nobody", "blames: ping.proof !== undefined", "blames: false"],
    ["an unanswered heartbeat blames nobody", "blames: heartbeat.asked", "blames: false"],
    ["a suspended process blames the peer", "now - at > SLEPT_MS", "now - at > SLEPT_MS * 1e9"],
    [
      "a heartbeat's reply may take the whole interval",
      "(expect ? within : every)",
      "(expect ? within * 0 + every : every)",
    ],
    ["a heartbeat is never marked as answered", "due: now + every, asked: false", "due: now + every, asked: true"],
  ],
};
