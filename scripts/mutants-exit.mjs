/** Mutants of the exit, the thread and its supervision: `[what is then true, text, what stands in its place, more]`. */

// Where it shows. A mutant that names several is run on all of them, until one is red.
const contract = "test/contract/exit";
const library = "test/contract/library";
const callers = "test/exit/callers";
const crashes = "test/contract/protocol-module";
const bounds = "test/exit/bounds";
const failures = "test/contract/failures";
const faults = "test/exit/faults";
const listener = "test/runtime/listener";
const order = "test/exit/order";
const start = "test/exit/start";
const thread = "test/faults/rows-38";
const asked = "test/faults/rows-42";
const peers = "test/faults/rows-45";
const system = "test/faults/rows-48";
const place = "test/faults/rows-51";
const supervision = "test/sidecar/host/supervised-thread";
const denoThread = "test/runtime/deno-thread";
const timers = "test/soak/timers";

/** "For ever", as far as a timer can wait. */
const EVER = "2 ** 30";

export const exit = [
  {
    file: "src/sidecar/host/exit.ts",
    tests: [order],
    mutants: [
      // The steps.
      ["no drain", "await bounded(allDone(drains), bounds.drain, force)", "true"],
      ["no stop", "front.stop();", ""],
      ["no stop for readers", "sum(upstreams.map((upstream) => upstream.stop()))", "0"],
      ["no close", "upstreams.map((upstream) => closeOne", "upstreams.slice(0, 0).map((upstream) => closeOne"],
      [
        "no cancel",
        "upstreams.map((upstream) => bounded(upstream.cancel()",
        "upstreams.slice(0, 0).map((upstream) => bounded(upstream.cancel()",
      ],
      ["no join", "threads.map((thread) => joinOne", "threads.slice(0, 0).map((thread) => joinOne"],
      // Their order.
      ["stop comes before drain", 'await step("drain", async', 'front.stop();\n  await step("drain", async'],
      [
        "cancel comes before close",
        'await step("close", async',
        'for (const upstream of upstreams) void upstream.cancel();\n  await step("close", async',
      ],
      [
        "the end of the thread comes before close",
        'await step("close", async',
        'for (const thread of threads) void thread.end();\n  await step("close", async',
      ],
      [
        "connections are cut before what is pending is cancelled",
        'await step("cancel", async',
        'front.cut();\n  await step("cancel", async',
      ],
      // Their bounds.
      ["the delay is not waited for", "await bounded(new Promise<never>(() => {}), bounds.delay, force);", ""],
      [
        "drain has no bound",
        "bounded(allDone(drains), bounds.drain, force)",
        `bounded(allDone(drains), ${EVER}, force)`,
      ],
      ["close has no bound on the host", "withinMs + THREAD_GRACE_MS", EVER],
      [
        "a close that is forced has no bound",
        "bounded(upstream.close(0), HURRIED_MS,",
        `bounded(upstream.close(0), ${EVER},`,
      ],
      ["flush has no bound", "Math.max(0, until - performance.now())", EVER],
      [
        "cancel has no bound",
        "bounded(upstream.cancel(), HURRIED_MS, undefined)",
        `bounded(upstream.cancel(), ${EVER}, undefined)`,
      ],
      ["join has no bound", "bounded(ended, bounds.join, force)", `bounded(ended, ${EVER}, force)`],
      [
        "a join that is forced has no bound",
        "bounded(ended, HURRIED_MS, undefined)",
        `bounded(ended, ${EVER}, undefined)`,
      ],
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
      ["force leaves a close its time", "upstream.close(0)", "upstream.close(withinMs)"],
      [
        "force in the midst of a close comes too late",
        "(force.aborted ? await bounded(upstream.close(0), HURRIED_MS, undefined) : undefined)",
        "undefined",
      ],
      ["force is not heard while waiting", "{ ...options, signal: force }", "options"],
      ["what was forced ends with code 0", "exit.exitCode?.() ?? (forced ? 1 : 0)", "exit.exitCode?.() ?? 0"],
      ["a thread that stays ends with code 0", "failed ? 70 : ", "failed ? 0 : "],
      ["the code of the failure is lost", "exit.exitCode?.() ?? (forced ? 1 : 0)", "(forced ? 1 : 0)"],
      [
        "what goes wrong in a step leaves the others out",
        'outcome: "failed" as const,',
        'outcome: (() => {\n        throw error;\n      })() as "failed",',
      ],
    ],
  },
  {
    file: "src/sidecar/host/sidecars.ts",
    tests: [library, contract],
    mutants: [
      ["two exits", "this.#exit ??= runExit(", "this.#exit = runExit("],
      ["force is ignored", "if (force) this.#force.abort();", ""],
    ],
  },
  {
    file: "src/signals.ts",
    tests: [contract],
    mutants: [
      ["the second signal is ignored", "exit({ cause: name, force: received > 1 });", "exit({ cause: name });"],
      [
        "the first signal is force",
        "exit({ cause: name, force: received > 1 });",
        "exit({ cause: name, force: true });",
      ],
      ["the third signal is ignored", "if (received === 2) remove();", "", { tests: [asked] }],
    ],
  },
  {
    file: "src/main.ts",
    tests: [contract],
    mutants: [
      ["the report is not printed", "errorLines.push(`${JSON.stringify(report)}\\n`);", ""],
      [
        "the last lines are not waited for",
        'left behind\\n");\n  await errorLines.flushed(LAST_LINES_WITHIN_MS);',
        'left behind\\n");',
        { tests: [bounds] },
      ],
      ["an error that nobody caught ends it as the runtime likes", "endOnFaults(service);", "", { tests: [faults] }],
      ["a thread that stays holds the process", "if (!joined) runtime.abandon(exitCode);", "", { tests: [thread] }],
      ["warnings are not printed", "log.warn(warning);", "void warning;", { tests: [bounds] }],
      ["a crash loop goes on", "service.exit({ cause: code, exitCode: exitCodeOf(code) });", "", { tests: [crashes] }],
    ],
  },
  {
    file: "src/service.ts",
    tests: [contract],
    mutants: [
      [
        "who waits for the report is cut",
        "if (connection) this.#kept.add(connection);",
        "",
        { tests: [contract, asked] },
      ],
      [
        "the report is not answered",
        "await listener.answered(this.#config.shutdown.answer);",
        "",
        { tests: [contract, callers] },
      ],
    ],
  },
  {
    file: "src/demo/demo-upstream.ts",
    tests: [start],
    mutants: [["the demo waits for whoever never speaks", "server.closeAllConnections();", ""]],
  },
  {
    file: "src/config/load.ts",
    tests: ["test/config/load"],
    mutants: [["a bound beyond a container's grace period is no matter", "total > CONTAINER_GRACE_MS", "total < 0"]],
  },
  {
    file: "src/http/routes/shutdown.ts",
    tests: [contract],
    mutants: [
      [
        "?force is ignored",
        'const force = readForce(c.req.query("force"));',
        'readForce(c.req.query("force"));\n    const force = false;',
      ],
    ],
  },
  {
    file: "src/http/call/body.ts",
    tests: [library],
    mutants: [["who has left is waited for", "else if (incoming?.destroyed) fail(callerLeft);", ""]],
  },
  {
    file: "src/http/streaming/paced-response.ts",
    tests: ["test/contract/messages"],
    mutants: [["a stream has no last chunk", "if (inChunks) answer.write(LAST_CHUNK);", ""]],
  },
  {
    file: "src/runtime/listener.ts",
    tests: [listener],
    mutants: [
      ["what is being written is idle", "server.closeIdleConnections = () => {};", ""],
      ["who never asks is not cut", "since: performance.now(),", "since: Number.POSITIVE_INFINITY,"],
      [
        "answer has no bound",
        "setTimeout(() => server.closeAllConnections(), withinMs)",
        `setTimeout(() => server.closeAllConnections(), ${EVER})`,
      ],
      [
        "flush waits for those of /shutdown",
        "every((socket) => kept.has(socket))",
        "every((socket) => !socket)",
        { tests: [callers] },
      ],
      ["those of /shutdown are cut", "!kept.has(socket) && since <= young", "since <= young", { tests: [callers] }],
      ["who has only just connected is cut", " && since <= young", ""],
      ["who has left is waited for", "connections.delete(socket);", ""],
      ["who has left is told of one answer alone", 'response.destroy().emit("close")', "response.destroy()"],
      ["an answer that is written counts as being written", "connection.responses--;", ""],
    ],
  },
  {
    file: "src/sidecar/host/upstream-client.ts",
    tests: [contract],
    mutants: [
      ["a sidecar that exits takes new work", "this.#refusal ??= shuttingDown;", "", { tests: [library] }],
      [
        "an idle thread that hangs is drained",
        "if (this.#waiters.size === 0) this.#drained.resolve();",
        "",
        { tests: [bounds] },
      ],
      ["the exit waits for a thread that there is not", "else this.#nothingLeft();", "", { tests: [start] }],
      [
        "the exit waits for a thread that died in the midst",
        "if (this.#refusal) this.#nothingLeft();",
        "if (this.#refusal) void detail;",
        { tests: [bounds] },
      ],
      ["a reply during drain is not counted", "this.#replies += repliesIn(message.outcome);", ""],
    ],
  },
  {
    file: "src/sidecar/host/supervised-thread.ts",
    tests: [crashes],
    mutants: [
      [
        "a thread that hangs is not noticed",
        "setInterval(() => this.#beat(), BEAT_MS)",
        "setInterval(() => {}, BEAT_MS)",
        { tests: [thread] },
      ],
      [
        "a thread that hangs is not terminated",
        "thread.ended.then(() => clearTimeout(timer));\n    thread.terminate();",
        "thread.ended.then(() => clearTimeout(timer));",
        { tests: [thread] },
      ],
      [
        "a thread that hangs and cannot be ended is waited for",
        "setTimeout(() => this.#giveUp(`${detail}, and cannot be ended`), UNENDING_MS)",
        "setTimeout(() => {}, UNENDING_MS)",
        { tests: [thread] },
      ],
      [
        "who waits is not told of a thread that hangs",
        "this.#tellCrashed(detail);\n    const timer",
        "const timer",
        { tests: [thread] },
      ],
      [
        "who asks again when a death is told asks the dead",
        'this.#life = { phase: "ending", thread: life.thread };',
        "",
        { tests: ["sidecar/host/supervised-thread"] },
      ],
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
        { tests: [supervision] },
      ],
      [
        "what never reached the thread was perhaps sent",
        'message.type === "request" ? message.seq : []',
        'message.type === "end" ? 0 : []',
        { tests: [supervision] },
      ],
      [
        "terminating does nothing",
        "thread.terminate();\n    await thread.ended;",
        "await thread.ended;",
        { tests: [bounds] },
      ],
      [
        "its end is not waited for",
        'if ("thread" in this.#life) await this.#life.thread.ended;',
        "",
        { tests: [bounds] },
      ],
      ["the pulse goes on after the exit", "clearInterval(this.#pulse);", "", { tests: [timers] }],
      ["the exit leaves a restart that is due", "clearTimeout(this.#life.timer);", "", { tests: [supervision] }],
    ],
  },
  {
    file: "src/sidecar/thread/worker.ts",
    tests: [contract],
    mutants: [
      ["the thread does not end itself", "process.exit(0);", "return;"],
      [
        "a busy thread has more time to close",
        "Math.max(0, message.withinMs - late)",
        "message.withinMs",
        { tests: [bounds] },
      ],
    ],
  },
  {
    file: "src/sidecar/thread/upstream.ts",
    tests: [contract],
    mutants: [
      [
        "drained before the replies are there",
        "if (!this.#draining || this.#exchange.onTheWire > 0) return;",
        "if (!this.#draining) return;",
      ],
    ],
  },
  {
    file: "src/sidecar/thread/connection.ts",
    tests: [contract],
    mutants: [
      [
        "the state comes behind what ends with it",
        "if (moved) this.#events.state(this.#state(now));",
        "if (moved) setImmediate(() => this.#events.state(this.#state(now)));",
        { tests: [failures] },
      ],
      [
        "closed before the sockets are",
        "if (!this.#close || this.#connections.size > 0) return;",
        "if (!this.#close) return;",
      ],
    ],
  },
  {
    file: "src/sidecar/thread/sockets.ts",
    tests: [contract],
    mutants: [["a broken socket is no force", 'forced: drop.reason === "unclosed"', "forced: false"]],
  },
  {
    file: "src/sidecar/thread/socket.ts",
    tests: [contract],
    mutants: [
      [
        "close has no bound on the thread",
        "else closing = setTimeout(giveUp, closeWithinMs);",
        "",
        { tests: [contract, peers] },
      ],
      [
        "a close with no time left waits",
        "if (closeWithinMs === 0) giveUp();",
        "if (closeWithinMs < 0) giveUp();",
        { tests: [asked, bounds] },
      ],
    ],
  },
  {
    file: "src/sidecar/thread/phase-timer.ts",
    tests: [system],
    mutants: [
      ["a peer is blamed before it is listened to", "blames ? () => this.set(LOOK_MS) : this.#ring", "this.#ring"],
    ],
  },
  {
    file: "src/runtime/lines.ts",
    tests: [place],
    mutants: [
      [
        "the last lines are waited for without a bound",
        "await Promise.race([this.#pump, bound]);",
        "await this.#pump;",
      ],
    ],
  },
  {
    file: "src/runtime/node.ts",
    tests: [place],
    mutants: [
      ["a full standard error blocks", "constants.O_WRONLY | constants.O_NONBLOCK", "constants.O_WRONLY"],
      [
        "pid 1 kills itself in vain",
        'if (process.pid !== 1) process.kill(process.pid, "SIGKILL");\n    process.abort();',
        'for (;;) process.kill(process.pid, "SIGKILL");',
      ],
    ],
  },
  {
    file: "src/runtime/deno.ts",
    tests: [contract],
    deno: true,
    mutants: [
      [
        "Deno's exit event is trusted",
        "await holdLock(lock, async () => {});",
        "void holdLock(lock, async () => {});",
        { tests: [denoThread] },
      ],
    ],
  },
  {
    file: "src/runtime/deno.worker.ts",
    tests: [contract],
    deno: true,
    mutants: [
      ["the lock is not held", "return new Promise(() => {});", "return Promise.resolve();", { tests: [thread] }],
    ],
  },
];
