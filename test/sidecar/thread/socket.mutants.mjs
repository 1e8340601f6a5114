/** Mutants of `src/sidecar/thread/socket.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "close has no bound on the thread",
      "else closing = setTimeout(giveUp, closeWithinMs);",
      "",
      { tests: ["test/contract/exit", "test/faults/rows-45"] },
    ],
    [
      "a close with no time left still waits",
      "if (closeWithinMs === 0) giveUp();",
      "if (closeWithinMs < 0) giveUp();",
      { tests: ["test/faults/rows-42", "test/exit/bounds"] },
    ],
    [
      "a broken attempt is read on",
      "if (isOpen) ws.resume();",
      "ws.resume();",
      { tests: ["test/contract/instance-ends"] },
    ],
    [
      "compression is always offered",
      "perMessageDeflate: compression && DEFLATE",
      "perMessageDeflate: DEFLATE",
      { tests: ["test/contract/compression"] },
    ],
    [
      "a message may inflate without a bound",
      "maxPayload: limits.reply_bytes",
      "maxPayload: 0",
      { tests: ["test/contract/compression"] },
    ],
  ],
};
