/** A fake realtime model, in the format of OpenAI's public description: events of text, and audio in base64. */
import { Buffer } from "node:buffer";
import { startUpstream } from "../parts.mjs";

/** A tenth of a second at 24 kHz and 16 bits, in a pitch that depends on the key. */
function toneOf(key) {
  const tone = Buffer.alloc(4_800);
  for (let at = 0; at < tone.length; at += 2)
    tone.writeInt16LE(Math.round(8_000 * Math.sin(at / (5 + key.length))), at);
  return tone;
}

export async function startRealtime() {
  const model = { keys: [], toneOf };
  let number = 0;

  function serve(socket, request) {
    const key = request.headers.authorization.slice("Bearer ".length);
    model.keys.push(key);
    const send = (event) => socket.send(JSON.stringify({ event_id: `event_${++number}`, ...event }));
    send({
      type: "session.created",
      session: { type: "realtime", model: new URL(request.url, "ws://x").searchParams.get("model") },
    });
    socket.on("message", (text) => {
      const { type, event_id, response } = JSON.parse(text);
      if (type !== "response.create") {
        send({ type: "error", error: { type: "invalid_request_error", message: `no ${type}`, event_id } });
        return;
      }
      const { instructions, output_modalities, metadata } = response;
      const made = { object: "realtime.response", id: `resp_${++number}`, metadata };
      send({ type: "response.created", response: { ...made, status: "in_progress" } });
      const deltas =
        output_modalities[0] === "audio"
          ? [1, 2, 3].map(() => ["response.output_audio.delta", toneOf(key).toString("base64")])
          : instructions.match(/\S+\s*/g).map((word) => ["response.output_text.delta", word]);
      for (const [type, delta] of deltas) send({ type, response_id: made.id, delta });
      send({ type: "response.done", response: { ...made, status: "completed" } });
    });
  }

  const refuse = ({ headers }) => (headers.authorization?.startsWith("Bearer key-") ? undefined : 401);
  const { url, sockets } = await startUpstream({ serve, refuse });
  return Object.assign(model, { url, sockets });
}
