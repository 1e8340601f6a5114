/** Tests of the verdict of a webhook receiver. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pauseMs, verdictOf } from "../../src/push/verdict.ts";

const answer = (status: number, after?: string) => verdictOf({ status, retryAfter: after }, 0);

test("a status is taken, refused for its content, the end, or a failure that may pass", () => {
  const types = (statuses: readonly number[]) => [...new Set(statuses.map((status) => answer(status).type))];
  assert.deepEqual(types([200, 202, 204]), ["taken"]);
  assert.deepEqual(types([400, 413, 415, 422]), ["refused"]);
  assert.deepEqual(types([410]), ["gone"]);
  assert.deepEqual(types([301, 401, 403, 404, 408, 409, 425, 429, 500, 503]), ["failed"]);
});

test("a Retry-After is read in seconds and as a date, and honoured up to five minutes", () => {
  const pause = (after: string) => {
    const verdict = answer(429, after);
    assert.ok(verdict.type === "failed");
    return pauseMs(1, verdict.retryAfterMs, 0);
  };
  assert.equal(pause("3"), 3_000);
  assert.equal(pause("Thu, 01 Jan 1970 00:00:07 GMT"), 7_000);
  assert.equal(pause("86400"), 300_000);
  assert.equal(pause("soon"), pauseMs(1, undefined, 0));
});

test("the backoff counts where it is longer than the Retry-After", () => {
  assert.equal(pauseMs(20, 1_000, 0.99), pauseMs(20, undefined, 0.99));
  assert.ok(pauseMs(20, undefined, 0.99) <= 60_000);
});
