/** A page that follows messages with tickets, here without a browser: its connection is cut, and it misses nothing. */
import { randomBytes } from "node:crypto";
import { atEnd, beside, example, startService, startUpstream, until } from "../parts.mjs";
import { FetchedEventSource } from "./event-source.mjs";
import { follow } from "./follow.js";
import { startPage } from "./page-server.mjs";

const token = randomBytes(32).toString("hex");
const readings = [];
const sources = [];
let url;
let sent = 0;

function serve(socket) {
  const timer = setInterval(() => socket.send(JSON.stringify({ reading: ++sent })), 20);
  socket.on("close", () => clearInterval(timer));
}

await example(async () => {
  const upstream = await startUpstream({ serve });
  const page = await startPage(() => ({ url, token }));
  atEnd(page.stop);
  const config = beside(import.meta.url, "sidesocket.yaml");
  const env = { UPSTREAM_URL: upstream.url, PAGE_ORIGIN: page.origin, SIDESOCKET_TOKEN: token };
  url = await startService(["--config", config], env);

  globalThis.EventSource = class extends FetchedEventSource {
    constructor(address) {
      super(address, page.origin);
      sources.push(this);
    }
  };
  // Left while its ticket is fetched: it must open no stream, as there is nothing that would close it.
  follow({ page: page.origin, onMessage: () => {}, onGap: () => {} })();

  const leave = follow({
    page: page.origin,
    onMessage: ({ reading }) => readings.push(reading),
    onGap: (gap) => console.error("gap", gap),
  });
  atEnd(leave);

  await until(() => readings.length >= 5);
  sources.at(-1).cut();
  console.log("cut after five readings");
  await until(() => readings.at(-1) >= 60);
  leave();
  if (sources.length !== 2) throw new Error(`${sources.length} streams instead of two`);
  if (readings.some((reading, index) => reading !== index + 1)) throw new Error(`lost or repeated: ${readings}`);
  console.log("sixty readings, each once, by two streams with a ticket each");
});
