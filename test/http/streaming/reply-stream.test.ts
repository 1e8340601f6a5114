/** Tests of the stream of a reply, without a listener. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import type { Outcome } from "../../../src/core/outcome.ts";
import { Budget } from "../../../src/core/util/budget.ts";
import type { Failure } from "../../../src/errors.ts";
import { type Env, RequestRecord } from "../../../src/http/env.ts";
import { type ReplyStreamFormat, streamReply } from "../../../src/http/streaming/reply-stream.ts";
import type { Body } from "../../../src/protocols/protocol.ts";
import type { StreamReader } from "../../../src/sidecar/host/streamed-replies.ts";
import { until } from "../../support/until.ts";
import { fakeUpstream } from "../fake-upstream.ts";

/** Streams what `serve` sends to the reader. */
function stream(
  format: Omit<ReplyStreamFormat, "kind" | "mediaType" | "beat">,
  serve: (reader: StreamReader) => void,
  timeoutMs = 10_000,
) {
  const seen = { left: 0, codes: [] as string[] };
  const open = (_request: unknown, reader: StreamReader) => {
    setImmediate(() => serve(reader));
    return { taken() {}, leave: () => void seen.left++ };
  };
  const app = new Hono<Env>().get("/", (c) => {
    const record = new RequestRecord("1", Budget.alone());
    record.upstream = fakeUpstream("default", { stream: open });
    c.set("record", record);
    const telemetry = { failed: (_request: unknown, { code }: Failure) => seen.codes.push(code) };
    const prepared = { body: "", timeoutMs, applied: undefined, trace: undefined };
    const given = [c, { quotas: undefined, telemetry }, prepared] as unknown as Parameters<typeof streamReply>;
    return streamReply(given[0], given[1], given[2], {
      ...format,
      mediaType: "text/plain",
      kind: "stream",
      beat: undefined,
    });
  });
  return { seen, response: app.request("/") };
}

const lost: Failure = { code: "connection_lost", sent: "yes", detail: "it is gone" };
const reply = (body: string): Outcome => ({ type: "reply", body, queueMs: 0, upstreamMs: 0 });

test("a frame that is read in turns keeps its place, and one that cannot be read is a failure", async () => {
  for (const [large, text, codes] of [
    [() => Promise.resolve({ text: "large\n" }), "first\nlarge\nnext\nlast\nend", []],
    [() => Promise.reject(new Error("it cannot be read")), "first\nerror: internal_error", ["internal_error"]],
  ] as const) {
    const { seen, response } = stream(
      {
        frame: (frame) => (frame === "large" ? large() : { text: `${frame}\n` }),
        end: "end",
        error: ({ code }) => `error: ${code}`,
      },
      (reader) => {
        for (const part of ["first", "large", "next"]) reader.part(part);
        reader.end(reply("last"));
      },
    );
    assert.equal(await (await response).text(), text);
    assert.deepEqual(seen.codes, codes);
  }
});

test("a response ends with the frame that says so, and its request by itself or a little later", async () => {
  for (const [after, left] of [
    [(reader: StreamReader) => reader.end(reply("complete")), 1],
    [(reader: StreamReader) => reader.part("more"), 1],
    [() => {}, 0],
  ] as const) {
    const { seen, response } = stream(
      { frame: (frame) => ({ text: `${frame}\n`, isLast: frame === "last" }), end: "end", error: () => "error" },
      (reader) => {
        reader.part("first");
        reader.part("last");
        setImmediate(() => after(reader));
      },
    );
    assert.equal(await (await response).text(), "first\nlast\nend");
    await until(() => seen.left >= left, { what: "the end of the request" });
    await until(() => seen.left === 1, { what: "the upstream to be notified" });
    assert.deepEqual(seen.codes, []);
  }
});

test("a reply that may be whole has the deadline of the request, from which one that is streamed is free", async () => {
  const format = {
    frame: (frame: Body) => (frame === "part" ? { text: "part\n" } : ("whole" as const)),
    whole: (_c: unknown, frames: readonly Body[]) => new Response(frames.join("+")),
    end: "end",
  };
  const late = await stream(format, (reader) => reader.part("alone"), 100).response;
  assert.deepEqual([late.status, late.headers.get("sidesocket-sent")], [504, "yes"]);
  assert.match(await late.text(), /sent a result, but did not complete the request within 100 ms/);
  const whole = stream(format, (reader) => {
    reader.part("one");
    reader.part("two");
    reader.end(reply("three"));
  });
  assert.equal(await (await whole.response).text(), "one+two+three");
  const slow = stream(
    format,
    (reader) => {
      reader.part("part");
      setTimeout(() => reader.end({ type: "failed", failure: lost }), 200);
    },
    50,
  );
  await assert.rejects((await slow.response).text());
  assert.deepEqual(slow.seen.codes, ["connection_lost"]);
});
