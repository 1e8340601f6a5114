/** The dialects of realtime models: what has a reply, what is cancelled, and the bytes in their frames. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { base64Of, bytesFrom } from "../../../src/protocols/bytes.ts";
import { type PresetSettings, preset } from "../../../src/protocols/presets.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";

const protocolOf = (settings: PresetSettings): Protocol => preset(settings)?.protocol as Protocol;
const gemini = protocolOf({ preset: "gemini-live", model: "models/m" });
const openai = protocolOf({ preset: "openai-realtime" });

test("a prompt for Gemini is not sent without waiting for its turn, which another caller would get", () => {
  const prompt = '{"clientContent":{"turns":[],"turnComplete":true}}';
  assert.throws(() => gemini.encode(prompt, 1, "send"), { message: /use \/request/ });
  assert.equal(gemini.encode(prompt, 1, "request").expectsReply, true);
  assert.equal(gemini.encode('{"clientContent":{"turns":[]}}', 1, "send").unanswered, true);
});

test("a response is cancelled by its id, and not before that is known", () => {
  assert.equal(openai.cancel?.(1, undefined), undefined);
  assert.equal(openai.cancel?.(1, '"resp-1"'), '{"type":"response.cancel","response_id":"resp-1"}');
});

test("a reply is cut short by a response that did not complete, a call of tools, and an interruption", () => {
  const done = (status: string) => `{"type":"response.done","response":{"status":"${status}"}}`;
  for (const status of ["failed", "cancelled", "incomplete"])
    assert.equal(openai.cutsShort?.(done(status)), true, status);
  for (const whole of [done("completed"), '{"type":"response.created","response":{"status":"in_progress"}}'])
    assert.equal(openai.cutsShort?.(whole), false, whole);
  for (const cut of ['{"toolCall":{}}', '{"serverContent":{"interrupted":true}}'])
    assert.equal(gemini.cutsShort?.(cut), true);
  assert.equal(gemini.cutsShort?.('{"serverContent":{"turnComplete":true}}'), false);
});

test("the bytes of a frame are those of its audio, if it has some", () => {
  const audio = base64Of(new Uint8Array([1, 2, 3]));
  const part = { inlineData: { mimeType: "audio/pcm", data: audio } };
  const turn = (parts: unknown) => JSON.stringify({ serverContent: { modelTurn: { parts } } });
  assert.deepEqual(gemini.bytesIn?.(turn([part, null, { text: "a" }, part])), new Uint8Array([1, 2, 3, 1, 2, 3]));
  for (const parts of [[], [{}], "AQID", null]) assert.equal(gemini.bytesIn?.(turn(parts)), undefined);
  const delta = (type: string, delta: unknown) => JSON.stringify({ type, delta });
  assert.deepEqual(openai.bytesIn?.(delta("response.output_audio.delta", audio)), new Uint8Array([1, 2, 3]));
  for (const wrong of [delta("response.output_text.delta", audio), delta("response.output_audio.delta", 7)])
    assert.equal(openai.bytesIn?.(wrong), undefined);
});

test("base64 brings back all bytes, and what is none brings no bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, isPadded) => {
      const text = base64Of(bytes);
      assert.equal(text, btoa(String.fromCharCode(...bytes)));
      assert.deepEqual(bytesFrom(isPadded ? text : text.replace(/=+$/, "")), new Uint8Array(bytes));
    }),
  );
  for (const wrong of ["%", "AQID%", "AQ*D", "{}", "A Q ID", 7, undefined]) assert.equal(bytesFrom(wrong), undefined);
});
