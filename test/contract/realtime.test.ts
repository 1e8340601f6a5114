/** A dialect of realtime APIs, whose replies go on under the upstream's own id, over HTTP for ten callers at once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { startUpstream, type UpstreamConnection } from "../support/upstream.ts";

const PROTOCOL = {
  preset: "json",
  id: {
    out: "/event_id",
    repeat: { at: "/response/metadata/request", when: { match: { "/type": "response.create" } } },
    in: ["/error/event_id", "/response/metadata/request"],
    alias: ["/response_id", "/response/id"],
    kind: "string",
  },
  final: [{ match: { "/type": "response.done" } }, { match: { "/type": "error" } }],
  collect: {},
  cancel: { type: "response.cancel", response_id: "$alias" },
};

interface Event {
  readonly type: string;
  readonly event_id: string;
  readonly response?: { readonly say: string; readonly metadata?: object };
}

/** Holds responses until ten have been asked for, and mixes their deltas. */
class RealtimeUpstream {
  readonly #open: { readonly id: string; readonly say: string; readonly metadata: object | undefined }[] = [];
  #count = 0;

  onEvent({ type, event_id, response }: Event, connection: UpstreamConnection): void {
    if (type !== "response.create" || response === undefined) {
      connection.send({ type: "error", event_id: "evt_1", error: { event_id, message: `no ${type}` } });
      return;
    }
    const { say, metadata } = response;
    const id = `resp_${++this.#count}`;
    connection.send({ type: "response.created", event_id: `evt_${id}`, response: { id, metadata } });
    if (say === "for ever") {
      connection.send({ type: "delta", response_id: id, delta: "…" });
      return;
    }
    this.#open.push({ id, say, metadata });
    if (this.#open.length < 10) return;
    for (const letter of [0, 1, 2]) {
      for (const { id, say } of this.#open) connection.send({ type: "delta", response_id: id, delta: say[letter] });
    }
    for (const { id, metadata } of this.#open.reverse()) {
      connection.send({ type: "response.done", response: { id, metadata } });
    }
  }
}

test("each of ten callers gets the reply that goes on under the upstream's own id, and a leaving one cancels", async (t) => {
  const realtime = new RealtimeUpstream();
  const upstream = await startUpstream({
    onMessage: (message, connection) => {
      const event: Event = JSON.parse(String(message));
      if (event.type !== "response.cancel") realtime.onEvent(event, connection);
    },
    t,
  });
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol: PROTOCOL } } },
    t,
  });
  await product.ready();
  const ask = (message: object, init?: RequestInit) => product.post("/v1/upstreams/default/request", message, init);

  const words = Array.from({ length: 10 }, (_, at) => `w${at}!`);
  const replies = await Promise.all(
    words.map(async (say) => (await ask({ type: "response.create", event_id: say, response: { say } })).json()),
  );
  for (const [at, reply] of (
    replies as { type: string; delta?: string; response?: { metadata: object } }[][]
  ).entries()) {
    assert.deepEqual(
      reply.map(({ type }) => type),
      ["response.created", "delta", "delta", "delta", "response.done"],
    );
    assert.equal(reply.map(({ delta = "" }) => delta).join(""), words[at]);
    assert.deepEqual(reply[4]?.response?.metadata, { request: words[at] });
  }

  const refused = await ask({ type: "conversation.dance" });
  assert.deepEqual(await refused.json(), [
    { type: "error", event_id: "evt_1", error: { message: "no conversation.dance" } },
  ]);

  const leaving = new AbortController();
  const headers = { accept: "application/x-ndjson" };
  const stream = await ask(
    { type: "response.create", response: { say: "for ever" } },
    { headers, signal: leaving.signal },
  );
  const reader = stream.body?.getReader();
  let read = "";
  while (!read.includes("…")) read += new TextDecoder().decode((await reader?.read())?.value);
  leaving.abort();
  await upstream.until(() => upstream.texts.includes('{"type":"response.cancel","response_id":"resp_11"}'));
  const page = await product.fetch("/v1/upstreams/default/messages?after=earliest");
  assert.deepEqual(((await page.json()) as { messages: unknown[] }).messages, []);
});

test("settings of aliases and of several conditions that cannot work end the start", async () => {
  for (const [protocol, why] of [
    [{ final: { all_of: [] } }, /protocol\.final\.all_of\b.*at least one condition/],
    [{ final: { any_of: [{ has: ["/a"] }] } }, /protocol\.final\b.*all_of/],
    [{ cancel: { stop: "$alias" } }, /protocol\.cancel\b.*has \$alias, and needs id\.alias/],
    [{ id: { kind: "keep", repeat: "/a" } }, /protocol\.id\.repeat\b.*not needed with kind: keep/],
  ] as const) {
    const upstreams = { default: { url: "ws://127.0.0.1:9/", protocol: { preset: "json", ...protocol } } };
    await assert.rejects(startProduct({ config: { upstreams } }), (error: Error) => {
      assert.match(error.message, why);
      return true;
    });
  }
});
