/**
 * A conversation of its own with a realtime model: collects the events of a reply, and writes the audio of another.
 *
 *   OPENAI_API_KEY=… node talk.mjs INSTRUCTIONS FILE
 */
import { createWriteStream } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const service = process.env.SIDESOCKET_URL ?? "http://127.0.0.1:8787";
const [instructions, file] = process.argv.slice(2);

async function call(method, path, body, headers = {}) {
  const response = await fetch(`${service}${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (response.ok) return response;
  const { code, sent, detail } = await response.json();
  throw new Error(`${code} (sent: ${sent}): ${detail}`);
}

const key = { "openai-authorization": `Bearer ${process.env.OPENAI_API_KEY}` };
const opened = await call("POST", "/v1/upstreams/realtime/instances", { params: { model: "gpt-realtime" } }, key);
const { path } = await opened.json();
const reply = (accept, response) => call("POST", `${path}/request`, { type: "response.create", response }, { accept });
try {
  const events = await reply("application/x-ndjson", { output_modalities: ["text"], instructions });
  let text = "";
  for await (const line of createInterface(Readable.fromWeb(events.body))) {
    const { type, delta, response, error } = JSON.parse(line);
    if (type === "response.output_text.delta") text += delta;
    if (error) throw new Error(error.detail ?? error.message);
    if (type === "response.done") console.log(`${text} (${response.status})`);
  }

  const audio = await reply("application/octet-stream", { output_modalities: ["audio"], instructions });
  // A reply that fails among its bytes is an incomplete response, so that this throws.
  await pipeline(Readable.fromWeb(audio.body), createWriteStream(file));
} finally {
  await call("DELETE", path);
}
