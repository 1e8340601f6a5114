/** The supervision of a thread, without one: when it is started again, and what those who waited are told. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type TestContext, test } from "node:test";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { MessageBatch } from "../../../src/sidecar/batching.ts";
import type { FromThread, ToThread } from "../../../src/sidecar/contract.ts";
import { type RawThread, SidecarThread } from "../../../src/sidecar/host/supervised-thread.ts";
import type { RowFromThread, RowToThread } from "../../../src/sidecar/message-codec.ts";

/** The first restart comes within this, in milliseconds. */
const RESTART_FROM_MS = 100;

class FakeThread implements RawThread {
  readonly #end = deferred<{ readonly error: string | undefined }>();
  readonly #messages = new EventEmitter();
  readonly ended = this.#end.promise;
  /** What it was told. */
  readonly told: unknown[] = [];
  readonly port = {
    on: (_: "message", listener: (batch: MessageBatch<RowFromThread>) => void) =>
      this.#messages.on("message", listener),
    postMessage: (batch: unknown) => this.told.push(...(batch as MessageBatch<RowToThread>).row),
    ref: () => {},
    unref: () => {},
  };

  says(message: Extract<FromThread, { type: "ready" }>): void {
    this.#messages.emit("message", { at: 0, row: [message] } satisfies MessageBatch<RowFromThread>);
  }

  async dies(error: string): Promise<void> {
    this.#end.resolve({ error });
    await this.ended;
    await Promise.resolve(); // whoever waits for its end has been told
  }

  terminate(): void {}
}

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
    lost: () => assert.fail("given up"),
  });
  t.after(() => {
    thread.leave();
    t.mock.reset(); // Deno does not do that by itself
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

test("a thread that died is started again when its delay has passed, by chance and longer each time", async (t) => {
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

test("what was posted before the thread listened is known to be unsent when it dies; what came after is not", async (t) => {
  const { thread, threads, crashes, tick } = supervised(t);
  thread.post(request(7));
  thread.post({ type: "abandon", upstream: "a", seq: 6 });
  await threads[0]?.dies("on purpose");
  assert.deepEqual(crashes, [{ detail: "on purpose", unposted: [7] }]);
  tick(RESTART_FROM_MS);
  threads[1]?.says({ type: "ready", upstream: "*" });
  thread.post(request(8));
  await threads[1]?.dies("again");
  assert.deepEqual(crashes[1], { detail: "again", unposted: [] });
});

test("of a caller who leaves before the thread listens nothing is kept, and the thread is not told", (t) => {
  const { thread, threads } = supervised(t);
  const reading: ToThread = { type: "unread", upstream: "a", seq: 8 };
  for (const message of [request(7), reading]) thread.post(message);
  thread.post({ type: "abandon", upstream: "a", seq: 7 });
  threads[0]?.says({ type: "ready", upstream: "*" });
  assert.deepEqual(threads[0]?.told, [reading]);
});

test("what is asked for again in the very moment when a death is told, the next thread gets", async (t) => {
  const again: ToThread = { type: "unread", upstream: "a", seq: 9 };
  const { threads, tick } = supervised(t, 0.5, (thread) => thread.post(again));
  threads[0]?.says({ type: "ready", upstream: "*" });
  await threads[0]?.dies("on purpose");
  tick(RESTART_FROM_MS);
  threads[1]?.says({ type: "ready", upstream: "*" });
  assert.deepEqual([threads[0]?.told, threads[1]?.told], [[], [again]]);
});

test("a thread that is due to be started again is not, once the exit has begun", async (t) => {
  const { thread, threads, tick } = supervised(t);
  await threads[0]?.dies("on purpose");
  assert.equal(thread.alive, true, "what is posted now, the next one gets");
  thread.leave();
  assert.equal(thread.alive, false);
  tick(60_000);
  assert.equal(threads.length, 1);
});
