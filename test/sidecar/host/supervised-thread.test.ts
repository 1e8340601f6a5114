/** Tests of the supervision of a thread, on a fake one. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type TestContext, test } from "node:test";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { MessageBatch } from "../../../src/sidecar/batching.ts";
import type { FromThread, ToThread } from "../../../src/sidecar/contract.ts";
import { type RawThread, SidecarThread, type ThreadClient } from "../../../src/sidecar/host/supervised-thread.ts";
import type { RowFromThread, RowToThread } from "../../../src/sidecar/message-codec.ts";

/** The longest delay of the first restart, in milliseconds. */
const RESTART_FROM_MS = 100;

class FakeThread implements RawThread {
  readonly #end = deferred<{ readonly error: string | undefined; readonly last: readonly unknown[] }>();
  readonly #messages = new EventEmitter();
  readonly ended = this.#end.promise;
  readonly mark = new Int32Array(1);
  /** The messages posted to it. */
  readonly received: unknown[] = [];
  readonly port = {
    on: (_: "message", listener: (batch: MessageBatch<RowFromThread>) => void) =>
      this.#messages.on("message", listener),
    postMessage: (batch: unknown) => this.received.push(...(batch as MessageBatch<RowToThread>).row),
    ref: () => {},
    unref: () => {},
  };

  posts(message: Extract<FromThread, { type: "ready" }>): void {
    this.#messages.emit("message", { at: 0, row: [message] } satisfies MessageBatch<RowFromThread>);
  }

  async dies(error: string, ...last: readonly RowFromThread[]): Promise<void> {
    this.#end.resolve({ error, last: last.map((row) => ({ at: 0, row })) });
    await this.ended;
    await Promise.resolve(); // handlers of its end have run
  }

  terminate(): void {}
}

const unexpected = {
  lost: () => assert.fail("the thread was given up"),
  refused: () => assert.fail("its upstream was refused"),
  tried: () => assert.fail("its upstream was tried again"),
  moved: () => assert.fail("its upstream was moved"),
  report: () => {},
};

function supervised(t: TestContext, random = 0.5, onCrash: (thread: SidecarThread) => void = () => {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  t.mock.method(Math, "random", () => random);
  const threads: FakeThread[] = [];
  const thread = new SidecarThread(() => {
    threads.push(new FakeThread());
    return threads.at(-1) as FakeThread;
  });
  const crashes: { readonly detail: string; readonly unposted: readonly number[] }[] = [];
  thread.add("a", {
    openingMessages: () => [],
    receive: () => {},
    crashed: (detail, unposted) => {
      crashes.push({ detail, unposted: [...unposted] });
      onCrash(thread);
    },
    ...unexpected,
  });
  t.after(() => {
    thread.stopRestarting();
    t.mock.reset(); // Deno does not reset mocks by itself
    t.mock.timers.reset();
  });
  return { thread, threads, crashes, tick: (ms: number) => t.mock.timers.tick(ms) };
}

const request = (seq: number): ToThread => ({
  type: "request",
  upstream: "a",
  seq,
  kind: "request",
  body: "",
  deadline: 0,
});

test("a dead thread is restarted after a random delay, which grows with each death", async (t) => {
  const { threads, tick } = supervised(t);
  for (const delayMs of [RESTART_FROM_MS / 2, RESTART_FROM_MS]) {
    const before = threads.length;
    await threads.at(-1)?.dies("on purpose");
    tick(delayMs - 1);
    assert.equal(threads.length, before);
    tick(1);
    assert.equal(threads.length, before + 1);
  }
});

test("a thread that dies reports as unposted the requests made before it listened, and no later ones", async (t) => {
  const { thread, threads, crashes, tick } = supervised(t);
  thread.post(request(7));
  thread.post({ type: "abandon", upstream: "a", seq: 6 });
  await threads[0]?.dies("on purpose");
  assert.deepEqual(crashes, [{ detail: "on purpose", unposted: [7] }]);
  tick(RESTART_FROM_MS);
  threads[1]?.posts({ type: "ready", upstream: "*" });
  thread.post(request(8));
  await threads[1]?.dies("again");
  assert.deepEqual(crashes[1], { detail: "again", unposted: [] });
});

test("a request abandoned before the thread listens is dropped, together with its abandon", (t) => {
  const { thread, threads } = supervised(t);
  const cancelRead: ToThread = { type: "cancelRead", upstream: "a", seq: 8 };
  for (const message of [request(7), cancelRead]) thread.post(message);
  thread.post({ type: "abandon", upstream: "a", seq: 7 });
  threads[0]?.posts({ type: "ready", upstream: "*" });
  assert.deepEqual(threads[0]?.received, [cancelRead]);
});

test("a message posted while a crash is reported reaches the next thread", async (t) => {
  const again: ToThread = { type: "cancelRead", upstream: "a", seq: 9 };
  const { threads, tick } = supervised(t, 0.5, (thread) => thread.post(again));
  threads[0]?.posts({ type: "ready", upstream: "*" });
  await threads[0]?.dies("on purpose");
  tick(RESTART_FROM_MS);
  threads[1]?.posts({ type: "ready", upstream: "*" });
  assert.deepEqual([threads[0]?.received, threads[1]?.received], [[], [again]]);
});

test("a restart that is due is called off when the exit begins", async (t) => {
  const { thread, threads, tick } = supervised(t);
  await threads[0]?.dies("on purpose");
  assert.equal(thread.alive, true, "a message posted now reaches the next thread");
  thread.stopRestarting();
  assert.equal(thread.alive, false);
  tick(60_000);
  assert.equal(threads.length, 1);
});

/** Upstreams on one thread, and what happens to them: `refused`, `tried`, or the number of the thread they moved to. */
function sharing(t: TestContext, names: readonly string[]) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const tick = (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const raw: FakeThread[] = [];
  const start = () => {
    raw.push(new FakeThread());
    return raw.at(-1) as FakeThread;
  };
  const all: SidecarThread[] = [];
  const separate = (from: SidecarThread, leaving: readonly string[]) => {
    const own = new SidecarThread(start, separate);
    all.push(own);
    for (const name of leaving) from.handOver(name, own);
  };
  all.push(new SidecarThread(start, separate));
  const events: string[] = [];
  const client = (name: string): ThreadClient => ({
    ...unexpected,
    openingMessages: () => [{ type: "inspect", upstream: name, seq: 1 }],
    receive: () => {},
    crashed: () => {},
    refused: () => {
      events.push(`${name} refused`);
      return 60_000;
    },
    tried: () => events.push(`${name} tried`),
    moved: (to) => events.push(`${name} on ${all.indexOf(to)}`),
  });
  for (const name of names) all[0]?.add(name, client(name));
  t.after(() => {
    for (const one of all) one.stopRestarting();
    t.mock.reset();
    t.mock.timers.reset();
  });
  /** The newest thread that serves the upstream begins to work for it, and dies. */
  const dies = async (name: string, blamed: boolean) => {
    for (const one of raw) if (one.received.length === 0) one.posts({ type: "ready", upstream: "*" });
    const opened = (one: FakeThread) => (one.received as ToThread[]).map(({ upstream }) => upstream);
    const thread = raw.findLast((one) => opened(one).includes(name));
    assert.ok(thread);
    thread.mark[0] = blamed ? opened(thread).indexOf(name) + 1 : 0;
    await thread.dies("on purpose");
    tick(RESTART_FROM_MS * 32);
  };
  return { all, events, dies, tick };
}

test("an upstream that kills a shared thread twice gets a thread of its own, and there is refused for a while", async (t) => {
  const { events, dies, tick } = sharing(t, ["a", "b", "c"]);
  await dies("b", true);
  assert.deepEqual(events, []);
  await dies("b", true);
  assert.deepEqual(events.splice(0), ["b on 1"]);
  for (let death = 1; death <= 5; death++) await dies("b", true);
  assert.deepEqual(events.splice(0), ["b refused"]);
  tick(60_000);
  assert.deepEqual(events.splice(0), ["b tried"]);
  await dies("b", true);
  assert.deepEqual(events.splice(0), ["b refused"], "one more crash suffices");
  tick(60_000);
  tick(30_000);
  await dies("b", true);
  assert.deepEqual(events, ["b tried"], "an old crash counts no more");
});

test("upstreams of a thread that dies for an unknown reason are separated by halves, until one is alone", async (t) => {
  const { events, dies } = sharing(t, ["a", "b", "c", "d"]);
  await dies("d", false);
  await dies("d", false);
  assert.deepEqual(events.splice(0), ["c on 1", "d on 1"]);
  await dies("d", false);
  await dies("d", false);
  assert.deepEqual(events, ["d on 2"]);
});

test("what was posted for an upstream while its thread was dead reaches the thread that it moves to", async (t) => {
  const { all, dies } = sharing(t, ["a", "b"]);
  await dies("b", true);
  all[0]?.post(request(7));
  await dies("b", true);
  const [first, own] = all;
  assert.deepEqual(first?.withdraw("a", 7), [], "it went out with the restart");
  own?.post({ ...(request(8) as Extract<ToThread, { type: "request" }>), upstream: "b" });
  assert.deepEqual(own?.withdraw("b"), [8]);
});

test("what a thread said last is heard, but nothing is posted to one that had just begun to listen", async (t) => {
  const { thread, threads, crashes } = supervised(t);
  thread.post(request(7));
  await threads[0]?.dies(
    "on purpose",
    [{ type: "ready", upstream: "*" }],
    [{ type: "report", upstream: "a", report: { event: "dying", text: "why" } }],
  );
  assert.deepEqual(crashes, [{ detail: "the reason is in the log", unposted: [7] }]);
  assert.deepEqual(threads[0]?.received, []);
});
