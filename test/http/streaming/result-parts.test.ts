/** Tests of results in parts: what a caller accepts, and the parts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAccept } from "hono/utils/accept";
import { problemDocument } from "../../../src/http/problem.ts";
import {
  acceptedParts,
  incrementalParts,
  subscriptionParts,
  unfinished,
} from "../../../src/http/streaming/result-parts.ts";

test("parts are accepted by name only, in any format or in those that are named, with the best quality", () => {
  const none = { formats: [], ofResult: 0, ofSubscription: 0 };
  for (const [accept, expected] of [
    ["", none],
    ["*/*", none],
    ["multipart/*", none],
    ["application/json", none],
    ["multipart/mixed;q=0, application/json", none],
    ["application/json, multipart/mixed;q=0.3", { ...none, formats: [undefined], ofResult: 0.3 }],
    ["Multipart/Mixed; deferSpec=20220824", { ...none, formats: ["deferspec=20220824"], ofResult: 1 }],
    ["multipart/mixed;incrementalSpec=v0.2,*/*", { ...none, formats: ["incrementalspec=v0.2"], ofResult: 1 }],
    ['multipart/mixed;boundary="graphql";subscriptionSpec="1.0"', { ...none, ofSubscription: 1 }],
    ["multipart/mixed;subscriptionSpec=2.0", none],
    [
      "multipart/mixed;subscriptionSpec=1.0;q=0.5, multipart/mixed; boundary=x;q=0.2",
      { formats: [undefined], ofResult: 0.2, ofSubscription: 0.5 },
    ],
    [
      "multipart/mixed;deferSpec=20220824;subscriptionSpec=1.0;q=0.5",
      { formats: ["deferspec=20220824"], ofResult: 0.5, ofSubscription: 0.5 },
    ],
    [
      "multipart/mixed;deferSpec=20220824;q=0.2, multipart/mixed;incrementalSpec=v0.2;q=0.7",
      { formats: ["incrementalspec=v0.2", "deferspec=20220824"], ofResult: 0.7, ofSubscription: 0 },
    ],
  ] as const) {
    assert.deepEqual(acceptedParts(parseAccept(accept)), expected, accept);
  }
});

const next = (payload: string): string => `{"type":"next","payload":${payload}}`;
const part = (json: string): string => `\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${json}\r\n---`;
const incremental = (formats: readonly (string | undefined)[] = [undefined]) =>
  incrementalParts(formats, () => new Response("whole"));
const more = (json: string) => ({ text: part(json), isLast: false });
const last = (json: string) => ({ text: part(json), isLast: true });

const OLDER = '{"data":{},"hasNext":true}';
const NEWER = '{"data":{},"pending":[],"hasNext":true}';

test("a response of parts begins with a result that others follow, in a format that is accepted", () => {
  for (const [formats, payload, step] of [
    [[undefined], OLDER, more(OLDER)],
    [[undefined], NEWER, more(NEWER)],
    [["deferspec=20220824"], OLDER, more(OLDER)],
    [["incrementalspec=v0.2"], NEWER, more(NEWER)],
    [[undefined], '{"data":{}}', "whole"],
    [[undefined], '{"data":{},"hasNext":false}', "whole"],
  ] as const) {
    assert.deepEqual(incremental(formats).frame(next(payload)), step, payload);
  }
  const detail =
    "the upstream sends parts as incrementalSpec=v0.2 has them, but Accept names only deferspec=20220824: " +
    "let the client read incrementalSpec=v0.2";
  const failure = { code: "invalid_reply", sent: "yes", detail };
  assert.deepEqual(incremental(["deferspec=20220824"]).frame(next(NEWER)), { failure });
  const any = incremental();
  any.frame(next(NEWER));
  assert.equal(any.mediaType, 'multipart/mixed; boundary="-"; incrementalSpec=v0.2');
});

test("each part is whole once its delimiter has come, and the last says that it is", () => {
  const format = incremental();
  assert.equal(format.start, "\r\n---");
  const [first, written] = ['{"data":{"a":1},\n"hasNext":true}', '{"data":{"a":1}, "hasNext":true}'];
  assert.deepEqual(format.frame(next(first)), more(written));
  assert.deepEqual(format.frame(next('{"incremental":[]}')), more('{"incremental":[]}'));
  assert.deepEqual(format.frame(next('{"hasNext":false}')), last('{"hasNext":false}'));
  assert.equal(format.end, "--\r\n");
  const failed = incremental();
  failed.frame(next(OLDER));
  const error = '{"type":"error","payload":[{"message":"no"}]}';
  assert.deepEqual(failed.frame(error), last('{"errors":[{"message":"no"}],"hasNext":false}'));
});

test("a result whose last part did not come is a failure", () => {
  const format = incremental();
  format.frame(next(NEWER));
  assert.deepEqual(format.frame('{"type":"complete"}'), { failure: unfinished });
});

test("a large part is read in turns", async () => {
  const format = incremental();
  const json = `{"data":[${"1,".repeat(100_000)}1],"hasNext":true}`;
  const step = format.frame(next(json));
  assert.ok(step instanceof Promise);
  assert.deepEqual(await step, more(json));
});

const LOST = problemDocument({ code: "connection_lost", sent: "yes", detail: "it is gone" });
const ERRORS = '[{"message":"it is gone","extensions":{"code":"connection_lost","sent":"yes"}}]';

test("a failure is the last part, with errors", () => {
  assert.equal(incremental().error?.(LOST), `${part(`{"errors":${ERRORS},"hasNext":false}`)}--\r\n`);
});

test("results of a subscription are payloads, heartbeats empty parts, and a failure stands beside the payload", () => {
  const { start, frame, end, error, beat } = subscriptionParts();
  const head = "\r\nContent-Type: application/json; charset=utf-8\r\n\r\n";
  assert.deepEqual([start, end, beat], ["\r\n--graphql", "--\r\n", `${head}{}\r\n--graphql`]);
  const payload = `${head}{"payload":{"data":{"n":1}}}\r\n--graphql`;
  assert.deepEqual(frame(next('{"data":{"n":1}}')), { text: payload });
  assert.deepEqual(frame('{"type":"complete"}'), { text: "" });
  assert.equal(error?.(LOST), `${head}{"payload":null,"errors":${ERRORS}}\r\n--graphql--\r\n`);
});

test("a subscription without results has one part, which is empty", () => {
  const { frame, beat } = subscriptionParts();
  assert.deepEqual(frame('{"type":"complete"}'), { text: beat });
});
