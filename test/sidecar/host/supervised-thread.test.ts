/** Tests of the supervision of a thread, on a fake one. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type TestContext, test } from "node:test";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { MessageBatch } from "../../../src/sidecar/batching.ts";
import type { FromThread, ToThread } from "../../../src/sidecar/contract.ts";
import { type RawThread, SidecarThread } from "../../../src/sidecar/host/supervised-thread.ts";
import type { RowFromThread, RowToThread } from "../../../src/sidecar/message-codec.ts";

/** The longest delay of the first restart, in milliseconds. */
const RESTART_FROM_MS = 100;

class FakeThread implements RawThread {
  readonly #end = deferred<{ readonly error: string | undefined }>();
  readonly #messages = new EventEmitter();
  readonly ended = this.#end.promise;
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

  async dies(error: string): Promise<void> {
    this.#end.resolve({ error });
    await this.ended;
    await Promise.resolve(); // handlers of its end have run
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
    lost: () => assert.fail("the thread was given up"),
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
