/** Mutants of `src/core/connection/liveness.ts`. */
export default {
  tests: ["test/core/connection/liveness"],
  deno: true,
  mutants: [
    [
      "a frame does not restart the silence watchdog",
      "Math.max(silence.from, lastActivityAt)",
      "Math.min(silence.from, lastActivityAt)",
    ],
    [
      "silence is counted from before the connection",
      "Math.max(silence.from, lastActivityAt)",
      "Math.max(silence.from * 0, lastActivityAt)",
    ],
    ["an unanswered ping has no deadline", "isPeerDeadline: ping.awaits !== undefined", "isPeerDeadline: false"],
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
    ["bytes that arrive postpone nothing", "return seen === ping.seen ? undefined :", "return ping ? undefined :"],
    ["bytes that leave keep a sent ping waiting", 'ping.awaits === "pong" ? read : read + sent', "read + sent"],
    [
      "bytes of complete frames postpone the heartbeat",
      "read > Math.max(framed, ladder[rung].seen)",
      "read > Math.min(read, ladder[rung].seen)",
    ],
    [
      "the end of a frame leaves its follower no time",
      "(isArriving ? now : longFrameEndedAt)",
      "(isArriving ? now : 0)",
    ],
    ["any long frame postpones the heartbeat", "return due > now ?", "return longFrameEndedAt > 0 || due > now ?"],
  ],
};
