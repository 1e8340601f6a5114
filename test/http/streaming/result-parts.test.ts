/** Tests of results in parts: what a caller accepts, and the parts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import type { Env } from "../../../src/http/env.ts";
import { problemDocument } from "../../../src/http/problem.ts";
import {
  type AcceptedParts,
  acceptedParts,
  incrementalParts,
  subscriptionParts,
} from "../../../src/http/streaming/result-parts.ts";

async function accepted(accept: string | undefined): Promise<AcceptedParts | undefined> {
  let found: AcceptedParts | undefined;
  const app = new Hono<Env>().get("/", (c) => {
    found = acceptedParts(c);
    return c.body(null);
  });
  await app.request("/", accept === undefined ? {} : { headers: { accept } });
  return found;
}

test("parts are accepted by name only, in any format or in those that are named", async () => {
  const none = { formats: [], subscriptions: false };
  for (const [accept, expected] of [
    [undefined, none],
    ["*/*", none],
    ["multipart/*", none],
    ["application/json", none],
    ["multipart/mixed;q=0, application/json", none],
    ["application/json, multipart/mixed", { formats: [undefined], subscriptions: false }],
    ["Multipart/Mixed; deferSpec=20220824", { formats: ["deferspec=20220824"], subscriptions: false }],
    ["multipart/mixed;incrementalSpec=v0.2,*/*", { formats: ["incrementalspec=v0.2"], subscriptions: false }],
    ['multipart/mixed;boundary="graphql";subscriptionSpec="1.0"', { formats: [], subscriptions: true }],
    ["multipart/mixed;subscriptionSpec=2.0", none],
    [
      "multipart/mixed;subscriptionSpec=1.0, multipart/mixed; boundary=x",
      { formats: [undefined], subscriptions: true },
    ],
  ] as const) {
    assert.deepEqual(await accepted(accept), expected, accept);
  }
});

const next = (payload: string): string => `{"type":"next","payload":${payload}}`;
const part = (json: string): string => `\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${json}\r\n---`;
const incremental = (formats: readonly (string | undefined)[] = [undefined]) =>
  incrementalParts(formats, () => new Response("whole"));

test("a response of parts begins with a result that others follow, in a format that is accepted", () => {
  const first = next('{"data":{},"hasNext":true}');
  const newer = next('{"data":{},"pending":[],"hasNext":true}');
  for (const [formats, frame, opens] of [
    [[undefined], first, true],
    [[undefined], newer, true],
    [["deferspec=20220824"], first, true],
    [["incrementalspec=v0.2"], newer, true],
    [[undefined], next('{"data":{}}'), false],
    [[undefined], next('{"data":{},"hasNext":false}'), false],
  ] as const) {
    assert.equal(incremental(formats).opens?.(frame), opens, frame);
  }
  const format = incremental(["deferspec=20220824"]);
  const detail =
    "the upstream sends parts as incrementalSpec=v0.2 has them, but Accept names only deferspec=20220824: " +
    "let the client read incrementalSpec=v0.2";
  assert.deepEqual(format.opens?.(newer), { code: "invalid_reply", sent: "yes", detail });
  const any = incremental();
  any.opens?.(newer);
  assert.equal(any.mediaType, 'multipart/mixed; boundary="-"; incrementalSpec=v0.2');
});

test("each part is whole once its delimiter has come, and the last says that it is", () => {
  const format = incremental();
  assert.equal(format.start, "\r\n---");
  assert.equal(format.frame(next('{"data":{"a":1},\n"hasNext":true}')), part('{"data":{"a":1}, "hasNext":true}'));
  assert.equal(format.frame(next('{"hasNext":false}')), part('{"hasNext":false}'));
  assert.equal(format.frame('{"type":"complete"}'), "");
  assert.equal(format.end, "--\r\n");

  const cut = incremental();
  cut.frame(next('{"data":{"a":1},"hasNext":true}'));
  assert.equal(cut.frame('{"type":"complete"}'), part('{"hasNext":false}'), "an upstream that does not say it");
  const failed = incremental();
  failed.frame(next('{"data":{"a":1},"hasNext":true}'));
  const error = '{"type":"error","payload":[{"message":"no"}]}';
  assert.equal(failed.frame(error), part('{"errors":[{"message":"no"}],"hasNext":false}'));
});

const LOST = problemDocument({ code: "connection_lost", sent: "yes", detail: "it is gone" });
const ERRORS = '[{"message":"it is gone","extensions":{"code":"connection_lost","sent":"yes"}}]';

test("a failure is the last part, with errors", () => {
  assert.equal(incremental().error?.(LOST), `${part(`{"errors":${ERRORS},"hasNext":false}`)}--\r\n`);
});

test("results of a subscription are payloads, heartbeats empty parts, and a failure stands beside the payload", () => {
  const { start, frame, end, error, beat } = subscriptionParts;
  const written = [start, frame(next('{"data":{"n":1}}')), beat, frame('{"type":"complete"}'), end].join("");
  const head = "\r\nContent-Type: application/json; charset=utf-8\r\n\r\n";
  assert.equal(written, `\r\n--graphql${head}{"payload":{"data":{"n":1}}}\r\n--graphql${head}{}\r\n--graphql--\r\n`);
  assert.equal(error?.(LOST), `${head}{"payload":null,"errors":${ERRORS}}\r\n--graphql--\r\n`);
});
