/** Mutants of `src/sidecar/host/supervised-thread.ts`. */
export default {
  tests: ["test/contract/protocol-module"],
  mutants: [
    [
      "a thread that hangs is not noticed",
      "setInterval(() => this.#checkHeartbeat(), HEARTBEAT_MS)",
      "setInterval(() => {}, HEARTBEAT_MS)",
      { tests: ["test/faults/rows-38"] },
    ],
    [
      "a thread that hangs is not terminated",
      "thread.ended.then(() => clearTimeout(timer));\n    thread.terminate();",
      "thread.ended.then(() => clearTimeout(timer));",
      { tests: ["test/faults/rows-38"] },
    ],
    [
      "a hung thread that cannot be terminated is awaited",
      "setTimeout(() => this.#giveUp(`${detail}, and cannot be ended`), UNENDING_MS)",
      "setTimeout(() => {}, UNENDING_MS)",
      { tests: ["test/faults/rows-38"] },
    ],
    [
      "callers are not notified of a hung thread",
      "this.#reportCrash(detail);\n    const timer",
      "const timer",
      { tests: ["test/faults/rows-38"] },
    ],
    [
      "a request made on the crash notice goes to the dead thread",
      'this.#phase = { phase: "ending", thread: running.thread };',
      "",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "callers are not notified of a crash",
      "(this.#restarts || error !== undefined)) this.#reportCrash(detail);",
      "(this.#restarts || error !== undefined)) void detail;",
    ],
    ["a dead thread is not restarted", "      this.#phase = this.#launch();\n    }, delay);", "    }, delay);"],
    [
      "a thread is restarted without end",
      "} else if (this.#crashes.length >= CRASHES_MAX)",
      "} else if (!this.#crashes)",
    ],
    [
      "the upstream that kills a shared thread stays on it",
      "if (leaving.length > 0) this.#separate(this, leaving);",
      "",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "nobody in particular is to blame for a crash",
      "const culprit = this.#clients.has(name) ? name : undefined;",
      "const culprit = undefined;",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "a refused upstream has five more crashes each time",
      "this.#crashes = this.#crashes.slice(1).map((crash) => ({ ...crash, at: now }));",
      "this.#crashes = [];",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "a thread is restarted at once",
      "RESTART_FROM_MS, RESTART_TO_MS, Math.random()",
      "RESTART_FROM_MS, RESTART_TO_MS, 0",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "a request that never reached the thread counts as maybe sent",
      "isCall(message) ? message.seq : []",
      'message.type === "end" ? 0 : []',
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
    [
      "terminating has no effect",
      "thread.terminate();\n    await thread.ended;",
      "await thread.ended;",
      { tests: ["test/exit/bounds"] },
    ],
    [
      "the thread's end is not awaited",
      'if ("thread" in this.#phase) await this.#phase.thread.ended;',
      "",
      { tests: ["test/exit/bounds"] },
    ],
    ["the heartbeat goes on after the exit", "clearInterval(this.#heartbeat);", "", { tests: ["test/soak/timers"] }],
    [
      "the exit leaves a due restart",
      "clearTimeout(this.#phase.timer);",
      "",
      { tests: ["test/sidecar/host/supervised-thread"] },
    ],
  ],
};
