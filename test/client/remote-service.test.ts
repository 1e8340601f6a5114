/** The bound of a client's call, with a service that is a function. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RemoteService } from "../../src/client/remote-service.ts";
import { delay } from "../support/until.ts";

/** The bound is 500 ms with the time that a response may take beyond the wait. */
const WAIT_MS = -4_500;

test("a body in chunks has the bound for each part of them, and its call ends once they stop", async () => {
  const fetch = async (_: string, { body, signal }: RequestInit) => {
    const left = new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    return new Response(await Promise.race([left, new Response(body).text()]));
  };
  const service = new RemoteService("http://service.invalid", undefined, fetch);
  const call = { method: "POST", path: "/", waitMs: WAIT_MS } as const;
  const chunks = async function* (count: number) {
    for (let n = 0; n < count; n++) {
      yield new TextEncoder().encode("x");
      await delay(150);
    }
  };
  const began = performance.now();
  const whole = await service.call({ ...call, body: chunks(6) }, (response) => response.text());
  assert.equal(whole, "xxxxxx");
  assert.ok(performance.now() - began > 500, "it lasts longer than the bound of one chunk");

  // A large chunk goes out in parts, and each of them has the bound.
  const slowly = async (_: string, { body, signal }: RequestInit) => {
    let came = 0;
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
      came += part.length;
      await delay((150 * part.length) / 65_536);
      signal?.throwIfAborted();
    }
    return new Response(String(came));
  };
  const patient = new RemoteService("http://service.invalid", undefined, slowly);
  const large = async function* () {
    yield new Uint8Array(5 * 65_536 + 1);
  };
  const counted = await patient.call({ ...call, body: large() }, (response) => response.text());
  assert.equal(counted, String(5 * 65_536 + 1));

  const stopped = async function* () {
    yield* chunks(1);
    await new Promise<never>(() => {});
  };
  await assert.rejects(
    service.call({ ...call, body: stopped() }, (response) => response.text()),
    { code: "service_lost", message: /it did not respond within 500 ms/ },
  );
});
