/** A dialogue with a realtime AI: an instance for each caller, with its own key. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { type ClientOptions, connect } from "../../src/client.ts";
import { startProduct } from "../support/product.ts";
import { startRealtime } from "../support/realtime.ts";
import { failsAs } from "./async-behaviours.ts";

interface Event {
  readonly type: string;
  readonly delta?: string;
  readonly error?: { readonly code: string; readonly event_id?: unknown };
  readonly response?: { readonly status: string; readonly metadata: object; readonly output: { text: string }[] };
}

const create = (instructions: string, more: object = {}) => ({
  type: "response.create",
  response: { instructions },
  ...more,
});
const headersOf = (n: number) => ({ "openai-authorization": `Bearer key-of-${n}` });
const deltasOf = (events: readonly Event[], kind: "text" | "audio") =>
  events.flatMap(({ type, delta = "" }) => (type === `response.output_${kind}.delta` ? [delta] : []));

test("openai-realtime: ten callers at once get their own responses, deltas and errors, and who leaves cancels", async (t) => {
  const upstream = await startRealtime(t);
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        voice: {
          url: `${upstream.url}v1/realtime?model=\${param:model}`,
          params: { model: "gpt-[a-z0-9.-]{1,60}" },
          protocol: "openai-realtime",
          headers: { authorization: "${param:credential}" },
          instances: { credential: "header OpenAI-Authorization" },
        },
      },
    },
  });
  const options: ClientOptions = { upstream: "voice" };
  await using client = connect(product.url, options);
  const params = { model: "gpt-realtime" };

  await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      await using instance = await client.instance({ params, headers: headersOf(n) });
      const path = `/v1/upstreams/voice/instances/${instance.id}`;
      const replyTo = (message: object) => instance.request(message).json<Event[]>();
      for (let round = 0; round < 3; round++) {
        const text = `answer ${n}.${round}`;
        const events = await replyTo(create(text));
        assert.equal(events[0]?.type, "response.created");
        assert.equal(deltasOf(events, "text").join(""), text);
        assert.equal(Buffer.from(deltasOf(events, "audio").join(""), "base64").toString(), text);
        const { type, response } = events.at(-1) ?? {};
        assert.deepEqual(
          [type, response?.status, response?.metadata, response?.output],
          ["response.done", "completed", {}, [{ text }]],
        );
      }

      // The same deltas one by one, and the audio of both directions as bytes.
      const lines = await product.post(`${path}/request`, create(`lines ${n}`), {
        headers: { accept: "application/x-ndjson" },
      });
      const streamed = (await lines.text()).trim().split("\n");
      assert.equal(
        deltasOf(
          streamed.map((line) => JSON.parse(line)),
          "text",
        ).join(""),
        `lines ${n}`,
      );
      const speech = Buffer.alloc(12_000, n + 1);
      const audio = { headers: { "content-type": "audio/pcm" } };
      const spoken = await product.post(`${path}/send`, speech, audio);
      assert.deepEqual([spoken.status, spoken.headers.get("sidesocket-frames")], [204, "3"]);
      const raw = await product.post(`${path}/request`, create("echo"), {
        headers: { accept: "application/octet-stream" },
      });
      assert.ok(Buffer.from(await raw.arrayBuffer()).equals(speech));
      for (const instructions of ["failing", "failing at length"]) {
        const failing = await product.post(`${path}/request`, create(instructions), {
          headers: { accept: "application/octet-stream" },
        });
        await assert.rejects(failing.arrayBuffer(), `a response that failed is not whole: ${instructions}`);
      }
      const long = await product.post(`${path}/request`, create("spoken at length"), {
        headers: { accept: "application/octet-stream" },
      });
      assert.equal(await long.text(), "spoken at length");

      const named = await replyTo({ ...create("named", { event_id: "mine" }), type: "response.create" });
      assert.deepEqual(named.at(-1)?.response?.metadata, { sidesocket: "mine" });
      const [refused] = await replyTo(create("wrong", { event_id: "wrong-one" }));
      assert.deepEqual([refused?.type, refused?.error?.event_id], ["error", "wrong-one"]);
      await instance.send({ type: "session.update", event_id: "sent" });
      await instance.send({ type: "no.such.event", event_id: "sent-wrong" });

      // Nothing of the responses is among the messages, and the errors of sent events name them.
      const types: string[] = [];
      for await (const message of instance.messages({ after: "earliest" })) {
        assert.ok("data" in message);
        const event: Event = JSON.parse(String(message.data));
        types.push(event.type);
        if (event.type !== "error") continue;
        assert.equal(event.error?.event_id, "sent-wrong");
        break;
      }
      assert.deepEqual(types, ["session.updated", "error"]);

      const leaving = new AbortController();
      const left = assert.rejects(instance.request(create("endless"), { signal: leaving.signal }));
      const own = () => upstream.connections.find(({ headers }) => headers.authorization === `Bearer key-of-${n}`);
      await upstream.until(() => own()?.texts.some((text) => text.includes("endless")));
      leaving.abort();
      await left;
      await upstream.until(() => own()?.texts.at(-1)?.includes('"response.cancel"'), { what: "the cancellation" });
      assert.equal((await replyTo(create("again"))).at(-1)?.response?.status, "completed");
    }),
  );
  assert.equal(upstream.connections.length, 10);

  await using one = await client.instance({ params, headers: headersOf(11) });
  await assert.rejects(one.request({ type: "session.update" }), failsAs("invalid_request", "no", /use \/send/));
  await using stranger = await client.instance({
    params,
    headers: { "openai-authorization": "Bearer of-nobody" },
  });
  await assert.rejects(stranger.request(create("hello")), failsAs("upstream_down", "no", /401/));
});
