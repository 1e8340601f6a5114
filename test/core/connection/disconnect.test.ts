import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Disconnect,
  describeDisconnect,
  judge as judgeBy,
  type Verdict,
} from "../../../src/core/connection/disconnect.ts";

const judge = (drop: Disconnect): Verdict => judgeBy(drop, { codes: {}, statuses: {} });
const soon: Verdict = { type: "retry", atLeastMs: 0 };
const refuse: Verdict = { type: "refuse" };
const status = (code: number, retryAfterMs?: number): Disconnect => ({ reason: "status", status: code, retryAfterMs });
const closed = (code: number, text = ""): Disconnect => ({ reason: "closed", code, text });

test("an answer that will be the same next time is a refusal", () => {
  for (const code of [200, 204, 301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 426, 451]) {
    assert.deepEqual(judge(status(code)), refuse, `HTTP ${code}`);
  }
});

test("an answer that says `not now` is tried again soon", () => {
  for (const code of [408, 425, 429, 500, 502, 503, 504, 599])
    assert.deepEqual(judge(status(code)), soon, `HTTP ${code}`);
});

test("close codes that speak of policy or credentials are refusals", () => {
  for (const code of [1008, 4401, 4403]) assert.deepEqual(judge(closed(code)), refuse, `code ${code}`);
});

test("all other ways to close, clean or not, are tried again soon", () => {
  const others = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1010, 1011, 1012, 1014, 1015, 3000, 4000, 4400, 4999];
  for (const code of others) assert.deepEqual(judge(closed(code)), soon, `code ${code}`);
});

test("1013, try again later, waits longer than the others", () => {
  assert.deepEqual(judge(closed(1013)), { type: "retry", atLeastMs: 5_000 });
});

test("the configuration has the last word on codes and statuses, and on nothing that it does not name", () => {
  const policy = {
    codes: { 4000: "refuse", 1008: "retry", 1001: "slow" },
    statuses: { 403: "retry", 500: "refuse" },
  } as const;
  const by = (drop: Disconnect): Verdict => judgeBy(drop, policy);
  const slowly: Verdict = { type: "retry", atLeastMs: 5_000 };
  assert.deepEqual([closed(4000), closed(1008), closed(1001)].map(by), [refuse, soon, slowly]);
  assert.deepEqual([closed(1000), closed(4401), closed(1013)].map(by), [soon, refuse, slowly]);
  assert.deepEqual([status(403), status(500), status(401), status(503)].map(by), [soon, refuse, refuse, soon]);
  assert.deepEqual(by(status(403, 9_000)), { type: "retry", atLeastMs: 9_000 }, "Retry-After counts there too");
});

test("Retry-After is kept to, but not for hours", () => {
  assert.deepEqual(judge(status(503, 7_000)), { type: "retry", atLeastMs: 7_000 });
  assert.deepEqual(judge(status(429, 0)), soon);
  assert.deepEqual(judge(status(503, 300_000)), { type: "retry", atLeastMs: 300_000 });
  assert.deepEqual(judge(status(503, 86_400_000)), { type: "retry", atLeastMs: 300_000 });
  assert.deepEqual(judge(status(503, Number.POSITIVE_INFINITY)), { type: "retry", atLeastMs: 300_000 });
});

test("Retry-After does not turn a refusal into a retry", () => {
  assert.deepEqual(judge(status(401, 1_000)), refuse);
});

test("a greeting that was rejected is a refusal; one that was not answered is tried again soon", () => {
  assert.deepEqual(judge({ reason: "greeting", rejected: true, detail: "step 2" }), refuse);
  assert.deepEqual(judge({ reason: "greeting", rejected: false, detail: "step 2" }), soon);
});

test("what the network does is tried again soon", () => {
  for (const reason of ["dns", "tls", "network", "handshake", "protocol"] as const) {
    assert.deepEqual(judge({ reason, detail: "ENOTFOUND" }), soon, reason);
  }
  assert.deepEqual(judge({ reason: "oversized", limitBytes: 1 }), soon);
  assert.deepEqual(judge({ reason: "timeout", withinMs: 10_000 }), soon);
  assert.deepEqual(judge({ reason: "silent", rung: "ping", withinMs: 5_000 }), soon);
  assert.deepEqual(judge({ reason: "unclosed", withinMs: 2_000 }), soon);
  assert.deepEqual(judge({ reason: "renewed", detail: "" }), soon);
});

/** What a reader of a log must find in each description. */
const mentions: readonly [Disconnect, ...RegExp[]][] = [
  [closed(1006), /without a close frame/, /1006/],
  [closed(1011, "out of memory"), /\b1011\b/, /\(out of memory\)/],
  [closed(1000), /\b1000$/],
  [status(401), /upgrade/, /\bHTTP 401\b/],
  [{ reason: "dns", detail: "ENOTFOUND" }, /\bname\b/, /ENOTFOUND/],
  [{ reason: "tls", detail: "CERT_HAS_EXPIRED" }, /\bTLS\b/, /CERT_HAS_EXPIRED/],
  [{ reason: "network", detail: "ECONNREFUSED" }, /reached/, /ECONNREFUSED/],
  [{ reason: "handshake", detail: "wrong key" }, /handshake/, /wrong key/],
  [{ reason: "protocol", detail: "RSV1" }, /broke the WebSocket protocol/, /RSV1/],
  [{ reason: "oversized", limitBytes: 4_096 }, /limits\.reply_bytes/, /\b4096 bytes\b/],
  [{ reason: "timeout", withinMs: 10_000 }, /\b10000 ms\b/, /connect_within/],
  [{ reason: "silent", rung: "ping", withinMs: 5_000 }, /ping/, /\b5000 ms\b/, /keepalive\.pong_within/],
  [
    { reason: "silent", rung: "heartbeat", withinMs: 6_000 },
    /heartbeat/,
    /\b6000 ms\b/,
    /keepalive\.heartbeat\.within/,
  ],
  [{ reason: "silent", rung: "silence", withinMs: 7_000 }, /silent/, /\b7000 ms\b/, /keepalive\.silence/],
  [{ reason: "greeting", rejected: true, detail: "step 2" }, /refused the greeting/, /step 2/],
  [{ reason: "greeting", rejected: false, detail: "step 3" }, /greeting failed/, /step 3/],
  [{ reason: "unclosed", withinMs: 2_000 }, /close handshake/, /\b2000 ms\b/],
  [{ reason: "renewed", detail: "a reply is owed" }, /renewed/, /a reply is owed/],
];

test("a description says what happened, with the numbers and the setting that matter", () => {
  for (const [drop, ...patterns] of mentions) {
    for (const pattern of patterns) assert.match(describeDisconnect(drop), pattern);
  }
  assert.equal(new Set(mentions.map(([drop]) => describeDisconnect(drop))).size, mentions.length);
});

test("every close code and status has a verdict whose delay a timer can hold", () => {
  const drops = fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.string()).map(([code, text]) => closed(code, text)),
    fc.tuple(fc.integer({ min: 0, max: 999 }), fc.option(fc.nat(), { nil: undefined })).map((all) => status(...all)),
  );
  fc.assert(
    fc.property(drops, (drop) => {
      const verdict = judge(drop);
      assert.ok(verdict.type === "refuse" || (verdict.atLeastMs >= 0 && verdict.atLeastMs <= 300_000));
      assert.ok(describeDisconnect(drop).length > 0);
    }),
  );
});
