/** A live model written from the public description of Gemini's Live API: setup, turns, calls of tools, resumption. */

import { Buffer } from "node:buffer";
import type { Cleanup } from "./until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "./upstream.ts";

interface ClientMessage {
  readonly setup?: { readonly model: string; readonly sessionResumption?: { readonly handle?: string } };
  readonly clientContent?: { readonly turns?: readonly { readonly parts: readonly { text: string }[] }[] };
  readonly realtimeInput?: { readonly audio?: { readonly mimeType: string; readonly data: string } };
  readonly toolResponse?: { readonly functionResponses: readonly { readonly response: object }[] };
}

/**
 * All of its JSON comes in binary frames, as the API's does. A turn says its words one by one, then in audio; `endless`
 * never ends, `weather` calls a tool, `interrupted` is, `at once` says all in its last message, and `recall` says how many turns the session has had. Audio of the caller is heard
 * without a reply, and an unprompted turn follows after 4,000 bytes.
 */
export function startGemini(t?: Cleanup): Promise<Upstream> {
  const sessions = new Map<string, number>();
  const open = new Map<UpstreamConnection, { handle: string; heard: number }>();
  const say = (connection: UpstreamConnection, message: object) =>
    connection.send(Buffer.from(JSON.stringify(message)));
  const sound = (connection: UpstreamConnection, text: string) => {
    const data = Buffer.from(text).toString("base64");
    const inlineData = { mimeType: "audio/pcm;rate=24000", data };
    say(connection, { serverContent: { modelTurn: { parts: [{ inlineData }] } } });
  };
  const speak = (connection: UpstreamConnection, text: string) => {
    if (text === "at once") {
      const inlineData = { mimeType: "audio/pcm;rate=24000", data: Buffer.from(text).toString("base64") };
      say(connection, { serverContent: { modelTurn: { parts: [{ inlineData }] }, turnComplete: true } });
      return;
    }
    for (const word of text.split(" ")) {
      say(connection, { serverContent: { modelTurn: { parts: [{ text: word }] } } });
    }
    sound(connection, text);
    say(connection, { serverContent: { generationComplete: true } });
    say(connection, { serverContent: { turnComplete: true }, usageMetadata: { totalTokenCount: 1 } });
  };
  return startUpstream({
    ...(t && { t }),
    refuse: ({ headers }) => (headers["x-goog-api-key"] === "key" ? undefined : 403),
    onMessage: (bytes, connection) => {
      const { setup, clientContent, realtimeInput, toolResponse }: ClientMessage = JSON.parse(String(bytes));
      if (setup) {
        const handle = setup.sessionResumption?.handle ?? `session-${sessions.size + 1}`;
        open.set(connection, { handle, heard: 0 });
        if (!sessions.has(handle)) sessions.set(handle, 0);
        say(connection, { setupComplete: {} });
        return;
      }
      const session = open.get(connection);
      if (!session) return;
      const { handle } = session;
      if (realtimeInput?.audio) {
        session.heard += Buffer.from(realtimeInput.audio.data, "base64").length;
        if (session.heard >= 4_000) speak(connection, `heard ${session.heard}`);
        return;
      }
      const text = clientContent?.turns?.at(-1)?.parts[0]?.text ?? "";
      const turns = (sessions.get(handle) ?? 0) + 1;
      sessions.set(handle, turns);
      say(connection, { sessionResumptionUpdate: { newHandle: handle, resumable: true } });
      if (toolResponse) speak(connection, JSON.stringify(toolResponse.functionResponses[0]?.response));
      else if (text === "weather") {
        sound(connection, "let me see");
        say(connection, { toolCall: { functionCalls: [{ id: "call-1", name: "weather", args: { city: "Oslo" } }] } });
      } else if (text === "interrupted") {
        sound(connection, text);
        say(connection, { serverContent: { interrupted: true } });
        say(connection, { serverContent: { turnComplete: true } });
      } else if (text === "endless") say(connection, { serverContent: { modelTurn: { parts: [{ text: "…" }] } } });
      else speak(connection, text === "recall" ? `turn ${turns}` : text);
    },
  });
}
