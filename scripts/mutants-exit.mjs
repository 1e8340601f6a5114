/** Mutants of the exit, the thread and its supervision: `[what is then true, text, what stands in its place, more]`. */
const tests = ["test/contract/exit", "test/exit/", "test/soak/"];
const crashes = ["test/contract/protocol-module", "test/exit/"];
/** "For ever", as far as a timer can wait. */
const EVER = "2 ** 30";

export const exit = [
  {
    file: "src/sidecar/exit.ts",
    tests,
    mutants: [
      // The steps.
      ["no drain", "await bounded(allDone(drains), bounds.drain, force)", "true"],
      ["no stop", "front.stop();", ""],
      ["no close", "upstreams.map((upstream) => closeOne", "upstreams.slice(0, 0).map((upstream) => closeOne"],
      [
        "no cancel",
        "upstreams.map((upstream) => bounded(upstream.cancel()",
        "upstreams.slice(0, 0).map((upstream) => bounded(upstream.cancel()",
      ],
      ["no join", "threads.map((thread) => joinOne", "threads.slice(0, 0).map((thread) => joinOne"],
      // Their bounds.
      ["the delay is not waited for", "await bounded(new Promise<never>(() => {}), bounds.delay, force);", ""],
      [
        "drain has no bound",
        "bounded(allDone(drains), bounds.drain, force)",
        `bounded(allDone(drains), ${EVER}, force)`,
      ],
      [
        "close has no bound on the host",
        "bounded(closed, withinMs + THREAD_GRACE_MS, force)",
        `bounded(closed, ${EVER}, force)`,
      ],
      ["flush has no bound", "Math.max(0, until - performance.now())", EVER],
      [
        "cancel has no bound",
        "bounded(upstream.cancel(), HURRIED_MS, undefined)",
        `bounded(upstream.cancel(), ${EVER}, undefined)`,
      ],
      ["join has no bound", "bounded(ended, bounds.join, force)", `bounded(ended, ${EVER}, force)`],
      ["kill has no bound", "Math.max(bounds.kill, HURRIED_MS)", EVER],
      // What each of them owes.
      ["readiness is not turned", "front.unready();", ""],
      ["new work is not refused", "front.refuse();", ""],
      ["a thread that dies while draining is started again", "for (const thread of threads) thread.leave();", ""],
      [
        "answers are not flushed",
        "await bounded(allDone([front.flushed()]), ",
        "await bounded(Promise.resolve(true), ",
      ],
      ["connections are not cut", "front.cut();", ""],
      [
        "who waits for a thread that hangs is left waiting",
        "cancelled.maybe += upstream.abandonAll();",
        "void upstream;",
      ],
      [
        "the thread is said to be joined before it is",
        "const ended = thread.end().then(() => true);",
        "const ended = Promise.resolve(true); void thread.end();",
      ],
      [
        "a thread that does not end is not terminated",
        "const terminated = thread.terminate().then(() => true);",
        "const terminated = ended;",
      ],
      ["a thread that stays is not told", 'undefined)) ? "forced" : "failed"', 'undefined)) ? "forced" : "forced"'],
      ["force leaves a close its time", "upstream.close(force.aborted ? 0 : withinMs)", "upstream.close(withinMs)"],
      ["force in the midst of a close comes too late", "if (!inTime && force.aborted) upstream.close(0);", ""],
      ["force is not heard while waiting", "{ ...options, signal: force }", "options"],
      ["what was forced ends with code 0", "exit.exitCode ?? (forced ? 1 : 0)", "exit.exitCode ?? 0"],
      ["a thread that stays ends with code 0", "failed ? 70 : ", "failed ? 0 : "],
      ["the code of the failure is lost", "exit.exitCode ?? (forced ? 1 : 0)", "(forced ? 1 : 0)", { tests: crashes }],
    ],
  },
  {
    file: "src/sidecar/sidecar.ts",
    tests: ["test/contract/library", ...tests],
    mutants: [
      ["two exits", "this.#exit ??= runExit(", "this.#exit = runExit("],
      ["force is ignored", "if (force) this.#force.abort();", ""],
    ],
  },
  {
    file: "src/main.ts",
    tests,
    mutants: [
      [
        "the second signal is ignored",
        "service?.exit({ cause: name, force: received > 1 });",
        "service?.exit({ cause: name });",
      ],
      [
        "the first signal is force",
        "service?.exit({ cause: name, force: received > 1 });",
        "service?.exit({ cause: name, force: true });",
      ],
      [
        "the third signal is ignored",
        "if (received === 2) for (const each of names) process.removeListener(each, onSignal);",
        "",
      ],
      ["the report is not printed", "errorLines.push(`${JSON.stringify(report)}\\n`);", ""],
      [
        "the last lines are not waited for",
        'left behind\\n");\n  await errorLines.flushed(LAST_LINES_WITHIN_MS);',
        'left behind\\n");',
      ],
      ["a thread that stays holds the process", "if (!joined) runtime.abandon(report.exit_code);", ""],
      ["a crash loop goes on", 'service.exit({ cause: "sidecar_crashed", exitCode: 70 });', "", { tests: crashes }],
    ],
  },
  {
    file: "src/service.ts",
    tests,
    mutants: [
      ["who waits for the report is cut", "if (connection) this.#kept.add(connection);", ""],
      ["the report is not answered", "await listener.answered(this.#config.shutdown.answer);", ""],
    ],
  },
  {
    file: "src/http/shutdown.ts",
    tests,
    mutants: [
      [
        "?force is ignored",
        'const force = readForce(c.req.query("force"));',
        'readForce(c.req.query("force"));\n    const force = false;',
      ],
    ],
  },
  {
    file: "src/runtime/listener.ts",
    tests,
    mutants: [
      [
        "answer has no bound",
        "setTimeout(() => server.closeAllConnections(), withinMs)",
        `setTimeout(() => server.closeAllConnections(), ${EVER})`,
      ],
      ["flush waits for those of /shutdown", "every((socket) => kept.has(socket))", "every((socket) => !socket)"],
      ["those of /shutdown are cut", "!kept.has(socket) && since <= young", "since <= young"],
      ["who has only just connected is cut", " && since <= young", ""],
    ],
  },
  {
    file: "src/sidecar/client.ts",
    tests,
    mutants: [
      ["a sidecar that exits takes new work", "this.#refusal ??= shuttingDown;", ""],
      ["an idle thread that hangs is drained", "if (this.#waiters.size === 0) this.#drained.resolve();", ""],
      ["the exit waits for a thread that there is not", "else this.#nothingLeft();", ""],
      ["the exit waits for a thread that died in the midst", "if (this.#refusal) this.#nothingLeft();", ""],
      ["a reply during drain is not counted", "this.#replies += repliesIn(message.outcome);", ""],
    ],
  },
  {
    file: "src/sidecar/thread.ts",
    tests: crashes,
    mutants: [
      [
        "a thread that hangs is not noticed",
        "setInterval(() => this.#beat(), BEAT_MS)",
        "setInterval(() => {}, BEAT_MS)",
      ],
      [
        "a thread that hangs is not terminated",
        "thread.ended.then(() => clearTimeout(timer));\n    thread.terminate();",
        "thread.ended.then(() => clearTimeout(timer));",
      ],
      [
        "a thread that hangs and cannot be ended is waited for",
        "setTimeout(() => this.#giveUp(`${detail}, and cannot be ended`), UNENDING_MS)",
        "setTimeout(() => {}, UNENDING_MS)",
      ],
      ["who waits is not told of a thread that hangs", "this.#tellCrashed(detail);\n    const timer", "const timer"],
      [
        "who waits is not told of a crash",
        "(!this.#leaving || error !== undefined)) this.#tellCrashed(detail);",
        "(!this.#leaving || error !== undefined)) void detail;",
      ],
      [
        "a thread that died is not started again",
        "      this.#life = this.#launch();\n    }, delay);",
        "    }, delay);",
      ],
      ["a thread is started again without end", "this.#crashes.length >= CRASHES_MAX", "this.#crashes.length < 0"],
      [
        "a thread is started again at once",
        "RESTART_FROM_MS, RESTART_TO_MS, Math.random()",
        "RESTART_FROM_MS, RESTART_TO_MS, 0",
      ],
      [
        "what never reached the thread was perhaps sent",
        'message.type === "request" ? message.seq : []',
        'message.type === "end" ? 0 : []',
      ],
      ["terminating does nothing", "thread.terminate();\n    await thread.ended;", "await thread.ended;", { tests }],
      ["its end is not waited for", 'if ("thread" in this.#life) await this.#life.thread.ended;', "", { tests }],
      ["the pulse goes on after the exit", "clearInterval(this.#pulse);", "", { tests }],
      ["the exit leaves a restart that is due", "clearTimeout(this.#life.timer);", "", { tests }],
    ],
  },
  {
    file: "src/sidecar/worker.ts",
    tests,
    mutants: [["the thread does not end itself", "process.exit(0);", "return;"]],
  },
  {
    file: "src/sidecar/upstream.ts",
    tests,
    mutants: [
      [
        "drained before the replies are there",
        "if (!this.#draining || this.#exchange.onTheWire > 0) return;",
        "if (!this.#draining) return;",
      ],
      [
        "closed before the sockets are",
        "if (!this.#close || this.#sockets.size > 0) return;",
        "if (!this.#close) return;",
      ],
      ["a broken socket is no force", 'forced: drop.reason === "unclosed"', "forced: false"],
    ],
  },
  {
    file: "src/sidecar/socket.ts",
    tests,
    mutants: [
      ["close has no bound on the thread", "else closing = setTimeout(giveUp, closeWithinMs);", ""],
      ["a close with no time left waits", "if (closeWithinMs === 0) giveUp();", "if (closeWithinMs < 0) giveUp();"],
    ],
  },
  {
    file: "src/runtime/deno.ts",
    tests,
    deno: true,
    mutants: [
      ["Deno's exit event is trusted", "await holdLock(lock, async () => {});", "void holdLock(lock, async () => {});"],
    ],
  },
  {
    file: "src/runtime/deno.worker.ts",
    tests,
    deno: true,
    mutants: [["the lock is not held", "return new Promise(() => {});", "return Promise.resolve();"]],
  },
];
