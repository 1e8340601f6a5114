/** Mutants of `src/core/connection/liveness.ts`. */
export default {
  tests: ["test/core/connection/liveness"],
  deno: true,
  mutants: [
    [
      "a frame does not restart the silence watchdog",
      "Math.max(startedAt, lastActivityAt)",
      "Math.min(startedAt, lastActivityAt)",
    ],
    [
      "silence is counted from before the connection",
      "Math.max(startedAt, lastActivityAt)",
      "Math.max(startedAt * 0, lastActivityAt)",
    ],
    ["an unanswered ping has no deadline", "isPeerDeadline: ping.proof !== undefined", "isPeerDeadline: false"],
    ["an unanswered heartbeat has no deadline", "isPeerDeadline: heartbeat.awaitsReply", "isPeerDeadline: false"],
    ["a suspended process blames the peer", "now - at > SUSPENDED_MS", "now - at > SUSPENDED_MS * 1e9"],
    [
      "a heartbeat's reply may take the whole interval",
      "(expect ? within : every)",
      "(expect ? within * 0 + every : every)",
    ],
    [
      "a heartbeat is never marked as answered",
      "due: now + every, awaitsReply: false",
      "due: now + every, awaitsReply: true",
    ],
  ],
};
