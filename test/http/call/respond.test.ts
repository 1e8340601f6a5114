/** Responses to messages: each completes the headers of its call. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, Hono } from "hono";
import { Budget } from "../../../src/core/util/budget.ts";
import { respond } from "../../../src/http/call/respond.ts";
import { keptReplyResponse } from "../../../src/http/call/respond-async.ts";
import { type Env, RequestRecord } from "../../../src/http/env.ts";
import type { UpstreamPort } from "../../../src/http/ports.ts";
import { fakeUpstream } from "../fake-upstream.ts";

const upstream: UpstreamPort = fakeUpstream("default");
const reply = { type: "reply", body: '{"result":{"price":7}}', queueMs: 1, upstreamMs: 2 } as const;
const failed = { type: "failed", failure: { code: "reply_timeout", sent: "maybe", detail: "none came" } } as const;
/** Frozen: adding a header to it throws. */
const headers = Object.freeze({ "X-Request-Id": "r-1", Location: "/v1/requests/1" });
/** The record of one response, to be completed. */
const ownHeaders = () => ({ ...headers });

async function responseOf(handler: (c: Context<Env>) => Response | Promise<Response>): Promise<Response> {
  const app = new Hono<Env>();
  app.use((c, next) => {
    c.set("record", new RequestRecord("r-1", Budget.alone()));
    return next();
  });
  app.get("/", handler);
  app.onError((error) => {
    throw error;
  });
  return app.request("/");
}

test("a reply's headers are added to those of its call", async () => {
  const respondTo = (pointer?: string[]) =>
    responseOf((c) => respond(c, { outcome: reply, upstream, headers: ownHeaders() }, pointer));
  const whole = await respondTo();
  const picked = await respondTo(["result", "price"]);
  for (const [response, type] of [
    [whole, "application/json"],
    [picked, "text/plain; charset=utf-8"],
  ] as const) {
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), type);
    assert.equal(response.headers.get("location"), "/v1/requests/1");
    assert.match(response.headers.get("server-timing") ?? "", /^queue;dur=1\.0, upstream;dur=2\.0, total;dur=/);
  }
  assert.equal(await picked.text(), "7");
});

test("a batch and a failure leave the headers of their call as they are", async () => {
  const batch = { type: "batch", items: [reply, failed], done: 0 } as const;
  const items = await responseOf((c) => respond(c, { outcome: batch, upstream, headers }, undefined));
  assert.deepEqual([items.status, items.headers.get("location")], [200, "/v1/requests/1"]);
  const failure = await responseOf((c) => respond(c, { outcome: failed, upstream, headers }, undefined));
  assert.deepEqual([failure.status, failure.headers.get("location")], [504, "/v1/requests/1"]);
});

test("a pending reply names its location and leaves the headers of its call as they are", async () => {
  const pending = { phase: "pending" } as const;
  const response = await responseOf((c) =>
    keptReplyResponse(c, upstream, pending, headers, "/v1/requests/2", undefined),
  );
  assert.deepEqual([response.status, response.headers.get("location")], [202, "/v1/requests/2"]);
});
