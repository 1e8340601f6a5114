/** Tests of disconnects: the retry decision for each, and their descriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Disconnect, describeDisconnect } from "../../../src/core/connection/disconnect.ts";
import { decideRetry as decideRetryBy, type RetryDecision } from "../../../src/core/connection/retry.ts";

const decideRetry = (disconnect: Disconnect): RetryDecision => decideRetryBy(disconnect, { codes: {}, statuses: {} });
const soon: RetryDecision = { type: "retry", atLeastMs: 0 };
const refuse: RetryDecision = { type: "refuse" };
const status = (code: number, retryAfterMs?: number): Disconnect => ({ reason: "status", status: code, retryAfterMs });
const closed = (code: number, text = ""): Disconnect => ({ reason: "closed", code, text });

test("a status that a retry would not change is a refusal", () => {
  for (const code of [200, 204, 301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 426, 451]) {
    assert.deepEqual(decideRetry(status(code)), refuse, `HTTP ${code}`);
  }
});

test("a temporary status is retried soon", () => {
  for (const code of [408, 425, 429, 500, 502, 503, 504, 599])
    assert.deepEqual(decideRetry(status(code)), soon, `HTTP ${code}`);
});

test("close codes for policy and credentials are refusals", () => {
  for (const code of [1008, 4401, 4403]) assert.deepEqual(decideRetry(closed(code)), refuse, `code ${code}`);
});

test("every other close code, clean or not, is retried soon", () => {
  const others = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1010, 1011, 1012, 1014, 1015, 3000, 4000, 4400, 4999];
  for (const code of others) assert.deepEqual(decideRetry(closed(code)), soon, `code ${code}`);
});

test("close code 1013 (try again later) waits longer than the others", () => {
  assert.deepEqual(decideRetry(closed(1013)), { type: "retry", atLeastMs: 5_000 });
});

test("the configuration overrides the codes and statuses that it names, and no others", () => {
  const policy = {
    codes: { 4000: "refuse", 1008: "retry", 1001: "slow" },
    statuses: { 403: "retry", 500: "refuse" },
  } as const;
  const by = (disconnect: Disconnect): RetryDecision => decideRetryBy(disconnect, policy);
  const slow: RetryDecision = { type: "retry", atLeastMs: 5_000 };
  assert.deepEqual([closed(4000), closed(1008), closed(1001)].map(by), [refuse, soon, slow]);
  assert.deepEqual([closed(1000), closed(4401), closed(1013)].map(by), [soon, refuse, slow]);
  assert.deepEqual([status(403), status(500), status(401), status(503)].map(by), [soon, refuse, refuse, soon]);
  assert.deepEqual(by(status(403, 9_000)), { type: "retry", atLeastMs: 9_000 }, "Retry-After applies there too");
});

test("Retry-After is honored, up to a bound", () => {
  assert.deepEqual(decideRetry(status(503, 7_000)), { type: "retry", atLeastMs: 7_000 });
  assert.deepEqual(decideRetry(status(429, 0)), soon);
  assert.deepEqual(decideRetry(status(503, 300_000)), { type: "retry", atLeastMs: 300_000 });
  assert.deepEqual(decideRetry(status(503, 86_400_000)), { type: "retry", atLeastMs: 300_000 });
  assert.deepEqual(decideRetry(status(503, Number.POSITIVE_INFINITY)), { type: "retry", atLeastMs: 300_000 });
});

test("Retry-After does not turn a refusal into a retry", () => {
  assert.deepEqual(decideRetry(status(401, 1_000)), refuse);
});

test("a rejected greeting is a refusal; an unanswered one is retried soon", () => {
  assert.deepEqual(decideRetry({ reason: "greeting", rejected: true, detail: "step 2" }), refuse);
  assert.deepEqual(decideRetry({ reason: "greeting", rejected: false, detail: "step 2" }), soon);
});

test("network failures are retried soon", () => {
  for (const reason of ["dns", "tls", "network", "handshake", "protocol"] as const) {
    assert.deepEqual(decideRetry({ reason, detail: "ENOTFOUND" }), soon, reason);
  }
  assert.deepEqual(decideRetry({ reason: "oversized", limitBytes: 1 }), soon);
  assert.deepEqual(decideRetry({ reason: "timeout", withinMs: 10_000 }), soon);
  assert.deepEqual(decideRetry({ reason: "silent", rung: "ping", withinMs: 5_000 }), soon);
  assert.deepEqual(decideRetry({ reason: "unclosed", withinMs: 2_000 }), soon);
  assert.deepEqual(decideRetry({ reason: "renewed", detail: "" }), soon);
});

/** Patterns that each description must match for a log to be useful. */
const mentions: readonly [Disconnect, ...RegExp[]][] = [
  [closed(1006), /without a close frame/, /1006/],
  [closed(1011, "out of memory"), /\b1011\b/, /\(out of memory\)/],
  [closed(1000), /\b1000$/],
  [status(401), /upgrade/, /\bHTTP 401\b/],
  [{ reason: "dns", detail: "ENOTFOUND" }, /\bname\b/, /ENOTFOUND/],
  [{ reason: "tls", detail: "CERT_HAS_EXPIRED" }, /\bTLS\b/, /CERT_HAS_EXPIRED/],
  [{ reason: "network", detail: "ECONNREFUSED" }, /reached/, /ECONNREFUSED/],
  [{ reason: "handshake", detail: "wrong key" }, /handshake/, /wrong key/],
  [{ reason: "flooded", limit: 1_000 }, /more than 1000 pings and unsolicited pongs/],
  [{ reason: "protocol", detail: "RSV1" }, /broke the WebSocket protocol/, /RSV1/],
  [{ reason: "oversized", limitBytes: 4_096 }, /limits\.reply_bytes/, /\b4096 bytes\b/],
  [{ reason: "fragmented", limit: 70_000, limitBytes: 4_096 }, /limits\.reply_bytes/, /\b70000 for 4096 bytes\b/],
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
  [{ reason: "resigned", detail: "the lease ended" }, /^the connection was broken off: /, /the lease ended/],
];

test("descriptions are distinct and name the numbers and settings that matter", () => {
  for (const [disconnect, ...patterns] of mentions) {
    for (const pattern of patterns) assert.match(describeDisconnect(disconnect), pattern);
  }
  assert.equal(new Set(mentions.map(([disconnect]) => describeDisconnect(disconnect))).size, mentions.length);
});

test("every close code and status has a decision with a bounded delay", () => {
  const disconnects = fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.string()).map(([code, text]) => closed(code, text)),
    fc.tuple(fc.integer({ min: 0, max: 999 }), fc.option(fc.nat(), { nil: undefined })).map((all) => status(...all)),
  );
  fc.assert(
    fc.property(disconnects, (disconnect) => {
      const decision = decideRetry(disconnect);
      assert.ok(decision.type === "refuse" || (decision.atLeastMs >= 0 && decision.atLeastMs <= 300_000));
      assert.ok(describeDisconnect(disconnect).length > 0);
    }),
  );
});

test("a refused upgrade is described with its Location and the words of its body", () => {
  const described = (rest: object) => describeDisconnect({ reason: "status", status: 302, ...rest });
  const answered = "the upstream answered the upgrade with HTTP 302";
  assert.equal(described({}), answered);
  assert.equal(described({ body: " moved " }), `${answered}: moved`);
  assert.equal(described({ body: new Uint8Array([65]) }), answered, "bytes are not shown before they are masked");
  const location = "https://a.example/";
  assert.equal(described({ location }), `${answered}, a redirect to https://a.example/ that is not followed`);
  assert.match(described({ location, status: 401, body: "no" }), /HTTP 401, and Location https:\/\/a\.example\/: no$/);
});
