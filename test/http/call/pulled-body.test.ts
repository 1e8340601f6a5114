/** Bodies that are pulled chunk by chunk: how long one may take, and what ends it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "hono";
import { type PulledBody, pullBody } from "../../../src/http/call/pulled-body.ts";
import type { Env } from "../../../src/http/env.ts";
import { StopSignal } from "../../../src/http/stop-signal.ts";
import { delay } from "../../support/until.ts";

const IDLE_MS = 200;
const LEAST_BYTES = 10;

interface Pulled {
  readonly body: PulledBody;
  readonly come: (bytes: number) => void;
  /** What the listener was asked to allow, in milliseconds. */
  readonly grants: readonly number[];
}

function pulled(): Pulled {
  const grants: number[] = [];
  let come: Pulled["come"] = () => {};
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      come = (bytes) => controller.enqueue(new Uint8Array(bytes));
    },
  });
  const context = { env: { grant: (ms: number) => grants.push(ms) }, req: { raw: { body: stream } } };
  const terms = { idleMs: IDLE_MS, leastBytes: LEAST_BYTES };
  const body = pullBody(context as unknown as Context<Env>, new StopSignal(), terms);
  return { body, come, grants };
}

const refusal = {
  code: "invalid_request",
  message: /^fewer than 10 bytes of the body came within 0\.2 s, and it is incomplete: send on sooner, or set \?idle/,
};

test("a body lasts while its reader is busy, and the listener bounds what is left of it afterwards", async () => {
  const { body, come, grants } = pulled();
  for (let at = 0; at < 3; at++) {
    come(1);
    assert.equal((await body.next())?.length, 1);
    await delay(IDLE_MS);
  }
  assert.deepEqual(grants, [Number.POSITIVE_INFINITY]);
  body.leave();
  assert.deepEqual(grants, [Number.POSITIVE_INFINITY, 10_000]);
});

test("a body lasts as long as enough of it comes in time, and trickling or pausing ends it", async () => {
  for (const bytes of [LEAST_BYTES, 1, 0]) {
    const { body, come } = pulled();
    const began = performance.now();
    const coming = setInterval(() => bytes > 0 && come(bytes), 50);
    const read = async () => {
      while (performance.now() - began < 3 * IDLE_MS) await body.next();
    };
    try {
      if (bytes === LEAST_BYTES) await read();
      else await assert.rejects(read(), refusal);
    } finally {
      clearInterval(coming);
      body.leave();
    }
  }
});

test("what has come while the process was busy has come in time", async () => {
  const { body, come } = pulled();
  const next = body.next();
  // Timers that are due fire at once after this one, and the chunk is read only then.
  setTimeout(() => {
    setImmediate(() => come(LEAST_BYTES));
    for (const until = performance.now() + 2 * IDLE_MS; performance.now() < until; );
  }, 0);
  assert.equal((await next)?.length, LEAST_BYTES);
  body.leave();
});
