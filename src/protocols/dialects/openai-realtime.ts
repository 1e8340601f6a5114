/** Dialect of OpenAI's Realtime API (https://platform.openai.com/docs/guides/realtime). */

import { base64Of, bytesFrom } from "../bytes.ts";
import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { checkedJson } from "../json-message.ts";
import { stringIn } from "../json-place.ts";
import { STEP_MS } from "../preset.ts";
import { InvalidMessage, type Protocol } from "../protocol.ts";

/** The place in which the server repeats an id of ours with a response: its metadata are the client's. */
const METADATA = "/response/metadata/sidesocket";

/**
 * An error names the event that it is about; a response repeats its metadata at its beginning and its end, and goes on
 * between them under its own id.
 */
const events = json(
  {
    id: {
      out: "/event_id",
      repeat: METADATA,
      in: [METADATA, "/error/event_id"],
      alias: ["/response_id", "/response/id"],
      kind: "string",
      prefix: "sidesocket-",
    },
    final: [{ match: { "/type": "response.done" } }, { match: { "/type": "error" } }],
    collect: { frames: 100_000 },
  },
  "openai-realtime",
);

/** Events with audio in base64, by their names since the API is released, and before. */
const AUDIO = {
  any: [{ match: { "/type": "response.output_audio.delta" } }, { match: { "/type": "response.audio.delta" } }],
};
/** The end of a response that was cancelled, failed, or reached a limit. */
const CUT_SHORT = { match: { "/type": "response.done" }, not: { match: { "/response/status": "completed" } } };
/** 100 ms of 16-bit samples at 24 kHz. */
const AUDIO_BYTES = 4_800;

/** Only `response.create` has a reply: the events of its response, or the error that names it. */
const realtime: Protocol = {
  ...events,
  encode(message, id, route) {
    const encoded = events.encode(message, id, route);
    // With its own id, an error that names it is recognized by the caller.
    if (route === "send") return { frame: message, expectsReply: false };
    if (!matchesFrame(message, { match: { "/type": "response.create" } }))
      throw new InvalidMessage("shape", "only response.create has a reply: use /send for all other events");
    return encoded;
  },
  // Without its id, it would be the response of whichever caller is in its turn.
  cancel: (_, alias) => (alias === undefined ? undefined : `{"type":"response.cancel","response_id":${alias}}`),
  cutsShort: (frame) => matchesFrame(frame, CUT_SHORT),
  bytesIn: (frame) =>
    matchesFrame(frame, AUDIO) ? bytesFrom(stringIn(frame, checkedJson(frame).root, ["delta"])) : undefined,
  wrap: (bytes) => `{"type":"input_audio_buffer.append","audio":"${base64Of(bytes)}"}`,
};

/** A conversation is that of its connection, so each caller has one: an instance, with the caller's own key. */
export const openaiRealtime: Dialect<never> = {
  purpose: "OpenAI's Realtime API",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://api.openai.com/v1/realtime?model=${param:model}",
    '    params: { model: "gpt-[a-z0-9.-]{1,60}" }',
    "    protocol: openai-realtime",
    '    headers: { authorization: "${param:credential}" }',
    "    instances: { credential: header OpenAI-Authorization }   # Bearer and the caller's own key",
  ],
  build: () => ({
    protocol: realtime,
    frames: { size: AUDIO_BYTES },
    greeting: [
      {
        expect: { match: { "/type": "session.created" }, reject: { match: { "/type": "error" } }, within: STEP_MS },
      },
    ],
  }),
};
