/** Dialect of Gemini's Live API (https://ai.google.dev/api/live). */

import { base64Of, bytesFrom, concatenated } from "../bytes.ts";
import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { jsonByOrder } from "../json-by-order.ts";
import { checkedJson } from "../json-message.ts";
import { locate, stringIn } from "../json-place.ts";
import { elements, kindOf } from "../json-text.ts";
import { DRAIN_MS, STEP_MS } from "../preset.ts";
import { InvalidMessage, type Protocol } from "../protocol.ts";

const END = { match: { "/serverContent/turnComplete": true } };
const TOOL_CALL = { has: ["/toolCall"] };

/** The messages after which the model speaks. */
const PROMPTS = {
  any: [
    { match: { "/clientContent/turnComplete": true } },
    { has: ["/toolResponse"] },
    { has: ["/realtimeInput/text"] },
    { has: ["/realtimeInput/activityEnd"] },
  ],
};

/** A turn of the model ends with `turnComplete`, or for now with a call of tools, which waits for its response. */
const turns = jsonByOrder(
  {
    reply: { any: [{ has: ["/serverContent"] }, TOOL_CALL] },
    final: [END, TOOL_CALL],
    collect: { frames: 100_000 },
  },
  "gemini-live",
  { unprompted: true },
);

/** Says of a turn that the caller has interrupted it, or that it goes on once tools have responded. */
const CUT_SHORT = { any: [TOOL_CALL, { match: { "/serverContent/interrupted": true } }] };

/** 100 ms of 16-bit samples. */
const AUDIO_TYPE = "audio/pcm;rate=16000";
const AUDIO_BYTES = 3_200;

const live: Protocol = {
  ...turns,
  encode(message, id, route) {
    const encoded = turns.encode(message, id, route);
    const isPrompt = matchesFrame(message, PROMPTS);
    if (isPrompt && route === "send") throw new InvalidMessage("shape", "a prompt has a reply: use /request");
    if (isPrompt) return encoded;
    if (route === "send") return { frame: encoded.frame, expectsReply: false, unanswered: true };
    const prompts = "clientContent with turnComplete, toolResponse, and realtimeInput with text or activityEnd";
    throw new InvalidMessage("shape", `only ${prompts} have a reply: use /send for all else`);
  },
  cutsShort: (frame) => matchesFrame(frame, CUT_SHORT),
  bytesIn,
  wrap: (bytes) => `{"realtimeInput":{"audio":{"mimeType":"${AUDIO_TYPE}","data":"${base64Of(bytes)}"}}}`,
};

/** The audio in all parts of a turn. */
function bytesIn(frame: string): Uint8Array | undefined {
  const { root } = checkedJson(frame);
  const parts = locate(frame, root, ["serverContent", "modelTurn", "parts"]);
  if (parts.type !== "found" || kindOf(frame, parts.value) !== "array") return undefined;
  const found: Uint8Array[] = [];
  for (const part of elements(frame, parts.value)) {
    const bytes = bytesFrom(stringIn(frame, part, ["inlineData", "data"]));
    if (bytes !== undefined) found.push(bytes);
  }
  return found.length === 0 ? undefined : concatenated(found);
}

const ADDRESS =
  "wss://generativelanguage.googleapis.com/ws/" +
  "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/** A conversation is that of its connection, which resumes by the handle that the server has told last. */
export const geminiLive: Dialect<"model" | "modality" | "voice" | "instructions"> = {
  purpose: "Gemini's Live API",
  start: [
    "upstreams:",
    "  default:",
    `    url: ${ADDRESS}`,
    "    protocol:",
    "      preset: gemini-live",
    "      model: models/gemini-live-2.5-flash-preview",
    "      modality: TEXT                       # AUDIO by default",
    '    headers: { x-goog-api-key: "${param:credential}" }',
    "    instances: { credential: header Gemini-Key }   # the caller's own key",
  ],
  options: {
    model: "The model, as models/…; without it, give a greeting.",
    modality: "The form of the model's answers: AUDIO, by default, or TEXT.",
    voice: "The name of the voice.",
    instructions: "The instructions for the model.",
  },
  forms: { modality: { pattern: /^(?:AUDIO|TEXT)$/, must: "must be AUDIO or TEXT" } },
  build: ({ model, modality = "AUDIO", voice, instructions }) => {
    const setup = {
      model,
      generationConfig: {
        responseModalities: [modality],
        ...(voice !== undefined && {
          speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: voice } } },
        }),
      },
      ...(instructions !== undefined && { systemInstruction: { parts: [{ text: instructions }] } }),
    };
    const step = (first: boolean, sessionResumption: object) => ({
      first,
      send: { setup: { ...setup, sessionResumption } },
      expect: { has: ["/setupComplete"], within: STEP_MS },
    });
    return {
      protocol: live,
      frames: { size: AUDIO_BYTES },
      greeting: model === undefined ? null : [step(true, {}), step(false, { handle: "${conn:handle}" })],
      capture: [
        {
          when: { match: { "/sessionResumptionUpdate/resumable": true } },
          values: { handle: "/sessionResumptionUpdate/newHandle" },
          keep: true,
          secret: true,
        },
      ],
      rotate: { on: { has: ["/goAway"] }, drain: DRAIN_MS },
    };
  },
};
