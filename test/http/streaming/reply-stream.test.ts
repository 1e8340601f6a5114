/** Tests of the stream of a reply, without a listener. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { Budget } from "../../../src/core/util/budget.ts";
import { type Env, RequestRecord } from "../../../src/http/env.ts";
import { type ReplyStreamFormat, streamReply } from "../../../src/http/streaming/reply-stream.ts";
import type { StreamReader } from "../../../src/sidecar/host/streamed-replies.ts";
import { fakeUpstream } from "../fake-upstream.ts";

test("a large frame that cannot be judged is streamed as what is no JSON, and the stream goes on", async () => {
  const format: ReplyStreamFormat = {
    mediaType: "text/plain",
    kind: "stream",
    frame: (frame, isJson) => `${frame} ${isJson}\n`,
    judge: (frame) => (frame === "large" ? Promise.reject(new Error("it cannot be judged")) : undefined),
    end: "end",
    beat: undefined,
  };
  const stream = (_request: unknown, reader: StreamReader) => {
    setImmediate(() => {
      for (const part of ["first", "large", "next"]) reader.part(part);
      reader.end({ type: "reply", body: "last", queueMs: 0, upstreamMs: 0 });
    });
    return { taken() {}, leave() {} };
  };
  const app = new Hono<Env>().get("/", (c) => {
    const record = new RequestRecord("1", Budget.alone());
    record.upstream = fakeUpstream("default", { stream });
    c.set("record", record);
    const telemetry = { failed: () => assert.fail("it failed") } as never;
    const prepared = { body: "", timeoutMs: 1_000, applied: undefined, trace: undefined } as never;
    return streamReply(c, { quotas: undefined, telemetry }, prepared, format);
  });
  const response = await app.request("/");
  assert.equal(await response.text(), "first undefined\nlarge false\nnext undefined\nlast undefined\nend");
});
