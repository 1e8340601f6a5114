/** A program that blocks: runs one scenario in front of an upstream and prints what it saw as JSON. */

import process from "node:process";
import { Worker } from "node:worker_threads";
import { Sidecar, SidesocketError, type SubscriptionOrder } from "../../src/index.ts";
import { attach, type BlockingUpstream } from "../../src/sync.ts";
import { until } from "../support/until.ts";

const call = (method: string, params: unknown = [], id: unknown = 1) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });

interface Job {
  readonly url: string;
  readonly protocol: string;
  readonly calls: number;
  /** A message with which the thread does something: see `deeds`. */
  readonly deed: string;
}

/** Runs `wanted`, and returns the facts of the error that it throws. */
function failureOf(wanted: () => unknown) {
  const began = performance.now();
  try {
    return { returned: wanted() };
  } catch (error) {
    if (!(error instanceof SidesocketError)) throw error;
    return { code: error.code, sent: error.sent, message: error.message, ms: performance.now() - began };
  }
}

/** Makes `calls` calls, and returns how many got another's reply. */
function swapped(upstream: BlockingUpstream | Sidecar, name: string, calls: number): number {
  let wrong = 0;
  for (let n = 0; n < calls; n++) {
    const reply = upstream.requestSync(call("echo", [name, n], `${name}-${n}`));
    if (reply !== JSON.stringify({ jsonrpc: "2.0", id: `${name}-${n}`, result: [name, n] })) wrong++;
  }
  return wrong;
}

/** Runs `task` with a line of this sidecar in another thread: posts what it returns. */
async function inThread(sidecar: Sidecar, task: string, argument: number | string): Promise<unknown> {
  const line = sidecar.line();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { line, task, argument },
    transferList: [line.supply],
  });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** A Web Worker, as Deno has it: its types are not among Node's. */
interface WebWorker {
  onmessage: (event: { readonly data: unknown }) => void;
  onerror: (event: { readonly message: string; preventDefault(): void }) => void;
  postMessage(message: unknown, transfer: readonly unknown[]): void;
  terminate(): void;
}

/** Runs the Web Worker beside this file with a line of this sidecar: resolves with it, and with what it posts. */
async function inWebWorker(sidecar: Sidecar, name: string, calls: number) {
  const { Worker: Web } = globalThis as unknown as {
    readonly Worker: new (file: URL, options: { readonly type: "module" }) => WebWorker;
  };
  const worker = new Web(new URL("blocking-web-worker.ts", import.meta.url), { type: "module" });
  const line = sidecar.line();
  const posted = new Promise<unknown>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
  worker.postMessage({ line, name, calls, ends: name }, [line.supply]);
  const seen = await posted;
  if (name === "by terminate()") worker.terminate();
  return { worker, seen };
}

const scenarios: Readonly<Record<string, (job: Job) => Promise<unknown>>> = {
  async requests({ url }) {
    await using sidecar = await Sidecar.start({ url });
    const text = sidecar.requestSync(call("echo", ["ü"], "mine"));
    const bytes = sidecar.requestSync(new TextEncoder().encode(call("echo", ["ü"])));
    const large = String(sidecar.requestSync(call("big", [3_000_000]))).length;
    const batch = sidecar.requestSync(`[${call("echo", [1], "a")},${call("echo", [2], "b")}]`);
    sidecar.sendSync(call("silent", ["sent"]));
    sidecar.sendSync(call("silent", ["proven"]), { confirm: true });
    return { text, bytes, large, batch };
  },

  async mixed({ url }) {
    await using sidecar = await Sidecar.start({ url });
    // Posted before the blocking one, in the same turn: it goes first.
    const before = sidecar.request(call("echo", ["before"]));
    const blocking = sidecar.requestSync(call("echo", ["blocking"]));
    return [await before, blocking, await sidecar.request(call("echo", ["after"]))];
  },

  async computes({ url }) {
    await using sidecar = await Sidecar.start({ url });
    await sidecar.request(call("echo"));
    const pending = sidecar.request(call("sleep", [50]), { timeoutMs: 300 });
    // From here, timers come before messages on both runtimes.
    await new Promise((resolve) => setImmediate(resolve));
    const freeAt = performance.now() + 700;
    while (performance.now() < freeAt);
    return await pending;
  },

  async timeouts({ url, calls }) {
    await using sidecar = await Sidecar.start({ url });
    const failed = failureOf(() => sidecar.requestSync(call("sleep", [300]), { timeoutMs: 100 }));
    const invalid = [0, Number.NaN, 2 ** 31].map((timeoutMs) =>
      failureOf(() => sidecar.requestSync(call("echo"), { timeoutMs })),
    );
    return { failed, invalid, swapped: swapped(sidecar, "main", calls) };
  },

  async lines({ url, calls }) {
    await using sidecar = await Sidecar.start({ url });
    const threads = Array.from({ length: 4 }, () => inThread(sidecar, "calls", calls));
    const own = swapped(sidecar, "host", 50);
    return { threads: await Promise.all(threads), own };
  },

  async webWorkers({ url, calls }) {
    await using sidecar = await Sidecar.start({ url });
    const ends = ["by close()", "by itself", "by terminate()"];
    const threads = ends.map((name) => inWebWorker(sidecar, name, calls));
    const own = swapped(sidecar, "host", 50);
    const ended = await Promise.all(threads);
    // One line is the host's own: there is room for all others only once those of the workers were given back.
    const free = 255;
    let made = 0;
    await until(() => {
      while (made < free && !("code" in failureOf(() => sidecar.line()))) made++;
      return made === free;
    });
    // One that listens would hold the program.
    for (const { worker } of ended) worker.terminate();
    return { threads: ended.map(({ seen }) => seen), own };
  },

  async full({ url }) {
    await using sidecar = await Sidecar.start({ url, limits: { in_flight: 1 } });
    const slow = sidecar.request(call("sleep", [500]));
    const failed = failureOf(() => sidecar.requestSync(call("echo")));
    await slow;
    return { failed, next: sidecar.requestSync(call("echo", ["next"])) };
  },

  async messages({ url }) {
    await using sidecar = await Sidecar.start({ url });
    sidecar.requestSync(call("notify", [3]));
    const notes = { idleMs: 500, where: { "/method": "note" } };
    const seen = [...sidecar.messagesSync(notes)];
    const later = [...sidecar.messagesSync({ ...notes, after: seen[0]?.cursor ?? "" })];
    const [newest] = sidecar.messagesSync({ after: "latest" });
    const place = failureOf(() => sidecar.messagesSync({ after: "nonsense" }).next());
    const data = (entries: readonly unknown[]) => entries.map((entry) => (entry as { readonly data?: unknown }).data);
    return { seen: data(seen), later: data(later), newest: data([newest]), place };
  },

  async subscriptions({ url }) {
    // One of the requests never gets its reply, for which the exit would wait.
    const shutdown = { drain: "50ms" } as const;
    await using sidecar = await Sidecar.start({ url, shutdown });
    // Before anything awaits: the compiler of patterns is not loaded.
    const pattern = failureOf(() => sidecar.subscribeSync({ ...ticks("pattern"), text: "tick" }));
    const beside = subscribed(sidecar);
    using kept = Sidecar.startSync({ url, shutdown });
    return { pattern, beside, line: await inThread(sidecar, "subscribed", ""), kept: subscribed(kept) };
  },

  async leaving({ url }) {
    await using sidecar = await Sidecar.start({ url, limits: { in_flight: 3 } });
    const threads = Array.from({ length: 3 }, () => inThread(sidecar, "stuck", ""));
    const areAllStuck = () => failureOf(() => sidecar.requestSync(call("echo"))).code === "too_many_in_flight";
    while (!areAllStuck()) await new Promise((resolve) => setTimeout(resolve, 20));
    const report = await sidecar.exit();
    const after = failureOf(() => sidecar.requestSync(call("echo")));
    return { threads: await Promise.all(threads), steps: report.steps, after };
  },

  /** The protocol ends or hangs the thread: see the test. */
  async crash({ url, protocol, deed }) {
    await using sidecar = await Sidecar.start({ url, protocol });
    sidecar.requestSync("echo one");
    const failed = failureOf(() => sidecar.requestSync(deed, { timeoutMs: 20_000 }));
    const beside = failureOf(() => sidecar.requestSync("echo one"));
    // The host needs turns of the loop to start the next thread.
    let again = failureOf(() => sidecar.requestSync("echo one"));
    while (again.code === "sidecar_crashed") {
      await new Promise((resolve) => setTimeout(resolve, 20));
      again = failureOf(() => sidecar.requestSync("echo one"));
    }
    return { failed, beside, again: again.returned };
  },

  /** Never awaits: nothing of this program's event loop runs before the end. */
  async kept({ url, calls }) {
    using sidecar = Sidecar.startSync({ url });
    const own = swapped(sidecar, "kept", calls);
    const { phase } = sidecar.state;
    const report = sidecar.exitSync();
    const again = sidecar.exitSync() === report;
    return { own, phase, report, again, after: failureOf(() => sidecar.requestSync(call("echo"))) };
  },

  async keptCrash({ url, protocol, deed }) {
    using sidecar = Sidecar.startSync({ url, protocol });
    sidecar.requestSync("echo one");
    const failed = failureOf(() => sidecar.requestSync(deed, { timeoutMs: 20_000 }));
    return { failed, again: sidecar.requestSync("echo one") };
  },

  async keptToTheEnd({ url }) {
    const sidecar = Sidecar.startSync({ url });
    return sidecar.requestSync(call("echo", ["left"]));
  },

  async keptWrong() {
    return [
      failureOf(() => Sidecar.startSync({ url: "http://127.0.0.1/" })),
      failureOf(() => Sidecar.startSync({ url: "ws://127.0.0.1/", headers: (() => {}) as never })),
    ];
  },

  async everyday({ url }) {
    await using sidecar = await Sidecar.start({ url });
    const message = { jsonrpc: "2.0", id: 1, method: "echo", params: ["ü"] };
    const text: string = sidecar.requestSync(message, { as: "text" });
    const bytes: Uint8Array = sidecar.requestSync(message, { as: "bytes" });
    const value = sidecar.requestSync(message, { as: "json" });
    const result = sidecar.rpcSync<string[]>("echo", ["ü"]);
    sidecar.sendSync({ ...message, method: "silent" });
    const failed = failureOf(() => sidecar.rpcSync("error", [-32005, "too much"]));
    const wrong = [
      failureOf(() => sidecar.requestSync(message, { timeout: 5 } as object)),
      failureOf(() => sidecar.sendSync(message, { confirn: true } as object)),
      failureOf(() => sidecar.requestSync(message, { as: "yaml" as "json" })),
      failureOf(() => sidecar.messagesSync({ idle: 5 } as object).next()),
      failureOf(() => sidecar.requestSync(Promise.resolve())),
    ];
    return { text, bytes: new TextDecoder().decode(bytes), value, result, failed, wrong };
  },

  /** Ends without an exit: nothing but the sidecar would keep this program. */
  async released({ url }) {
    const sidecar = await Sidecar.start({ url });
    sidecar.unref();
    return { result: await sidecar.rpc("sleep", [50]), leftAt: Date.now() };
  },

  async crashOfLine({ url, protocol, deed }) {
    await using sidecar = await Sidecar.start({ url, protocol });
    return await inThread(sidecar, "crash", deed);
  },
};

const ticks = (topic: string): SubscriptionOrder => ({
  request: { jsonrpc: "2.0", method: "subscribe", params: [topic] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  unsubscribe: { jsonrpc: "2.0", method: "unsubscribe", params: ["$id"] },
});

/** Does with subscriptions all that there is to do; the upstream sends ticks of `news` all the time. */
function subscribed(upstream: BlockingUpstream | Sidecar) {
  const numbers: number[] = [];
  for (const message of upstream.subscribeSync(ticks("news"))) {
    if ("data" in message) numbers.push(JSON.parse(String(message.data)).params.n);
    if (numbers.length === 3) break;
  }
  const named = upstream.subscribeSync({ name: "named", ...ticks("news") });
  const again = upstream.subscribeSync({ name: "named", ...ticks("news") }, { idleMs: 5_000 });
  const [first] = upstream.messagesSync({ subscription: "named", idleMs: 5_000 });
  again.return();
  const isStillThere = !named.next().done;
  upstream.unsubscribeSync("named");
  // Those that were read already, and then the end.
  const ends = [...named].length >= 0;
  const quiet = upstream.subscribeSync(ticks("quiet"), { idleMs: 50 });
  const none = [...quiet].length;
  const refusing = upstream.subscribeSync(ticks("refusing"));
  return {
    numbers: numbers.map((n) => n - (numbers[0] ?? 0)),
    first: first !== undefined && "data" in first,
    isStillThere,
    ends,
    none,
    failures: [
      failureOf(() => upstream.subscribeSync(ticks("forbidden"))),
      failureOf(() => upstream.subscribeSync({ name: "silent", ...ticks("silence") }, { timeoutMs: 100 })),
      failureOf(() => upstream.subscribeSync({ ...ticks("news"), silense: "9s" } as SubscriptionOrder)),
      failureOf(() => upstream.subscribeSync(ticks("news"), { timeout: 5 } as object)),
      failureOf(() => upstream.unsubscribeSync("silent")),
      failureOf(() => upstream.messagesSync({ subscription: "silent" }).next()),
      failureOf(() => refusing.unsubscribeSync()),
    ],
  };
}

const tasks: Readonly<Record<string, (upstream: BlockingUpstream, argument: never) => unknown>> = {
  subscribed: (upstream) => subscribed(upstream),
  calls: (upstream, calls: number) => swapped(upstream, String(Math.random()), calls),
  stuck(upstream) {
    const attempt = () => failureOf(() => upstream.requestSync(call("silent"), { timeoutMs: 60_000 }));
    let failed = attempt();
    // The host's own try may have had the last place.
    while (failed.code === "too_many_in_flight") failed = attempt();
    return failed;
  },
  crash(upstream, deed: string) {
    upstream.requestSync("echo one");
    const failed = failureOf(() => upstream.requestSync(deed, { timeoutMs: 20_000 }));
    // The host restarts the thread and opens the line again: the next call waits for it.
    return { failed, again: upstream.requestSync("echo one") };
  },
};

const { isMainThread, parentPort, workerData } = await import("node:worker_threads");
if (isMainThread) {
  const [scenario = "", job = "{}"] = process.argv.slice(2);
  console.log(JSON.stringify(await scenarios[scenario]?.(JSON.parse(job) as Job)));
} else {
  using upstream = attach(workerData.line);
  parentPort?.postMessage(tasks[workerData.task]?.(upstream, workerData.argument as never));
}
