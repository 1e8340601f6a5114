/** The preset `gemini-live`, in front of a server written from the public description of the API. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { startGemini } from "../support/gemini.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";

interface ServerMessage {
  readonly serverContent?: {
    readonly modelTurn?: { readonly parts: readonly { readonly text?: string }[] };
    readonly turnComplete?: boolean;
  };
  readonly toolCall?: { readonly functionCalls: readonly { readonly id: string }[] };
}

const prompt = (text: string) => ({
  clientContent: { turns: [{ role: "user", parts: [{ text }] }], turnComplete: true },
});
const wordsOf = (reply: readonly ServerMessage[]) =>
  reply.flatMap(({ serverContent }) => serverContent?.modelTurn?.parts.flatMap(({ text }) => text ?? []) ?? []);

test("gemini-live: turns, tools, audio as bytes both ways, and a session that is resumed", async (t) => {
  const upstream = await startGemini(t);
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          headers: { "x-goog-api-key": "key" },
          protocol: { preset: "gemini-live", model: "models/live", instructions: "Be brief." },
          reconnect: { from: "20ms", to: "50ms" },
        },
      },
    },
  });
  await product.ready();
  const path = "/v1/upstreams/default";
  const ask = async (message: object) => (await (await product.request(message)).json()) as ServerMessage[];

  assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), {
    setup: {
      model: "models/live",
      generationConfig: { responseModalities: ["AUDIO"] },
      systemInstruction: { parts: [{ text: "Be brief." }] },
      sessionResumption: {},
    },
  });
  const prompts = Array.from({ length: 5 }, (_, n) => `answer number ${n}`);
  const replies = await Promise.all(prompts.map((text) => ask(prompt(text))));
  for (const [n, reply] of replies.entries()) {
    assert.deepEqual(wordsOf(reply), ["answer", "number", `${n}`]);
    assert.equal(reply.at(-1)?.serverContent?.turnComplete, true);
  }

  const calling = await ask(prompt("weather"));
  assert.equal(calling.at(-1)?.toolCall?.functionCalls[0]?.id, "call-1");
  const functionResponses = [{ id: "call-1", name: "weather", response: { sky: "blue" } }];
  assert.deepEqual(wordsOf(await ask({ toolResponse: { functionResponses } })), ['{"sky":"blue"}']);

  const raw = await product.request(prompt("in my voice"), { headers: { accept: "application/octet-stream" } });
  assert.equal(Buffer.from(await raw.arrayBuffer()).toString(), "in my voice");
  const last = await product.request(prompt("at once"), { headers: { accept: "application/octet-stream" } });
  assert.deepEqual([last.headers.get("content-type"), await last.text()], ["application/octet-stream", "at once"]);
  for (const short of ["interrupted", "weather"]) {
    const cut = await product.request(prompt(short), { headers: { accept: "application/octet-stream" } });
    await assert.rejects(cut.arrayBuffer(), short);
  }
  const heard = await product.post(`${path}/send`, Buffer.alloc(4_000, 1), {
    headers: { "content-type": "audio/pcm" },
  });
  assert.deepEqual([heard.status, heard.headers.get("sidesocket-frames")], [204, "2"]);
  const unprompted = async () => {
    const page = await product.fetch(`${path}/messages?after=earliest&where=/serverContent`);
    return wordsOf(((await page.json()) as { messages: { data: ServerMessage }[] }).messages.map(({ data }) => data));
  };
  await until(async () => (await unprompted()).length === 2, { what: "the turn that nobody asked for" });
  assert.deepEqual(await unprompted(), ["heard", "4000"]);
  const mimes = upstream.texts.filter((text) => text.includes("audio/pcm;rate=16000"));
  assert.equal(mimes.length, 2);
  assert.deepEqual(wordsOf(await ask(prompt("after it"))), ["after", "it"]);
  assert.equal(upstream.connections.length, 1, "and no request needs another connection for it");

  const state = JSON.stringify(await product.state());
  assert.ok(!state.includes("session-1"), "the handle is a secret");
  upstream.connections[0]?.socket.terminate();
  await upstream.until(() => upstream.connections.length === 2);
  const turnsBefore = prompts.length + 7;
  assert.deepEqual(wordsOf(await ask(prompt("recall"))), ["turn", `${turnsBefore + 1}`]);
  upstream.connections[1]?.send(Buffer.from('{"goAway":{"timeLeft":"10s"}}'));
  await upstream.until(() => upstream.connections.length === 3 && upstream.connections[1]?.closed);
  assert.deepEqual(wordsOf(await ask(prompt("recall"))), ["turn", `${turnsBefore + 2}`]);
  const setups = upstream.texts.filter((text) => text.startsWith('{"setup"'));
  assert.deepEqual(
    setups.map((text) => JSON.parse(text).setup.sessionResumption),
    [{}, { handle: "session-1" }, { handle: "session-1" }],
  );

  const refused = await product.request({ realtimeInput: { audioStreamEnd: true } });
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /use \/send for all else/);
});
