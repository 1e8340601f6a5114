/** Bodies that are pulled chunk by chunk: how long one may take, and what ends it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "hono";
import { type PulledBody, pullBody } from "../../../src/http/call/pulled-body.ts";
import type { Env } from "../../../src/http/env.ts";
import { StopSignal } from "../../../src/http/stop-signal.ts";
import { delay } from "../../support/until.ts";

const IDLE_MS = 200;

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
  const body = pullBody(context as unknown as Context<Env>, new StopSignal(), { idleMs: IDLE_MS });
  return { body, come, grants };
}

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
