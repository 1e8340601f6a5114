/**
 * The upstreams of the recipes, by the name of the page: software where there is some to start, else the recording of
 * a dialogue, written from the public description.
 */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { textOf } from "../../../src/protocols/json-message.ts";
import { startMock } from "../../../src/recording/mock-server.ts";
import { scenesOf } from "../../../src/recording/playback.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { recordedProtocol } from "../../../src/recording/recorded-protocol.ts";
import { freePort } from "../../support/free-port.ts";
import { startGemini } from "../../support/gemini.ts";
import { startRealtime } from "../../support/realtime.ts";
import { root } from "../../support/root.ts";
import type { Cleanup } from "../../support/until.ts";
import { startAnvil } from "../anvil.ts";
import { startAria2 } from "../aria2.ts";
import { startGraphql } from "../graphql.ts";
import { startInspector } from "../inspector.ts";
import { startJanus } from "../janus.ts";
import { startLanguageServer } from "../language-server.ts";
import { startMcpServer } from "../mcp-server.ts";
import { startMopidy } from "../mopidy.ts";
import { startEcho, startNats } from "../nats-server.ts";
import { type NostrEvent, startRelay } from "../nostr-relay.ts";
import { type Station, startCentral } from "../ocpp-central.ts";
import { load } from "../packages.ts";
import { startPhoenix } from "../phoenix-server.ts";
import { lacks } from "../programs.ts";
import { startSocketIo } from "../socket-io.ts";
import { startBroker } from "../stomp-broker.ts";
import { startRouter } from "../wamp-router.ts";
import { startWebsocketd } from "../websocketd.ts";

export interface RecipeUpstream {
  readonly url: string;
  /**
   * Values of variables, for the configuration and for the lines; one that the configuration names, and is not here, has
   * its name as its value.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Faults that only the upstream has seen. */
  faults?(): readonly string[];
}

interface Software {
  start(t: Cleanup): Promise<RecipeUpstream>;
  /** The reason if it cannot be started here. */
  readonly skip?: string | false;
}

const SOFTWARE: Readonly<Record<string, Software>> = {
  "json-rpc": { start: (t) => startAnvil({ t }) },
  aria2: { start: (t) => startAria2({ t, secret: "ARIA2_SECRET" }), skip: lacks("aria2c") },
  cdp: { start: (t) => startInspector({ t }) },
  "graphql-transport-ws": { start: (t) => startGraphql({ t, token: "TOKEN" }) },
  janus: { start: (t) => startJanus({ t, secret: "JANUS_SECRET" }), skip: lacks("janus") },
  lines: { start: (t) => startPlayer(t), skip: lacks("websocketd") },
  "gemini-live": {
    start: async (t) => ({ url: (await startGemini(t)).url, env: { GEMINI_API_KEY: "key" } }),
  },
  lsp: { start: async (t) => (await startLanguageServer(t)).upstream },
  mcp: { start: async (t) => ({ url: (await startMcpServer(t)).upstream.url }) },
  mopidy: { start: (t) => startMopidy(t), skip: lacks("mopidy") },
  nats: { start: (t) => startOrders(t), skip: lacks("nats-server") },
  nostr: {
    start: async (t) => {
      const { default: pure } = await load<{ default: { verifyEvent(event: NostrEvent): boolean } }>(
        "nostr-tools/pure",
      );
      return await startRelay(t, (event) => pure.verifyEvent(event));
    },
  },
  ocpp: { start: (t) => startOcpp(t) },
  "openai-realtime": {
    start: async (t) => ({ url: (await startRealtime(t)).url, env: { OPENAI_API_KEY: "key-of-a-caller" } }),
  },
  phoenix: { start: async (t) => ({ url: (await startPhoenix(t)).url, env: { PHOENIX_TOKEN: "right" } }) },
  "socket.io": { start: (t) => startSocketIo({ t, token: "CHAT_TOKEN", pingMs: 20_000, pongWithinMs: 20_000 }) },
  stomp: { start: async (t) => ({ url: (await startBroker(t)).url, env: { RABBITMQ_PASSWORD: "guest" } }) },
  text: {
    start: (t) => startWebsocketd(["jq", "--unbuffered", "-c", "{sum: (.a + .b)}"], t),
    skip: lacks("websocketd", "jq"),
  },
  wamp: { start: (t) => startWamp(t) },
};

/** The software of a page; undefined if it has a recording. */
export function softwareOf(name: string): Software | undefined {
  return SOFTWARE[name];
}

/** Starts the upstream of a page. */
export async function startRecipeUpstream(name: string, t: Cleanup): Promise<RecipeUpstream> {
  const software = SOFTWARE[name];
  if (software) return await software.start(t);
  const file = join(root, "docs", "recipes", "recordings", `${name}.ndjson`);
  if (!existsSync(file)) throw new Error(`the page ${name} has neither software nor a recording`);
  return await startRecorded(file, t);
}

/** The script of the page, behind websocketd. */
async function startPlayer(t: Cleanup): Promise<RecipeUpstream> {
  const page = await readFile(join(root, "docs", "recipes", "lines.md"), "utf8");
  const script = /^```sh\n(.*?)^```$/ms.exec(page)?.[1];
  if (script === undefined) throw new Error("the page has no script");
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-player-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "player.sh");
  await writeFile(file, script);
  const { url } = await startWebsocketd(["sh", file], t);
  return { url, env: { PLAYER_PASSWORD: "sesame" } };
}

/** A server that lets in one user, beside the one of a service that replies. */
async function startOrders(t: Cleanup): Promise<RecipeUpstream> {
  const users = ["me", "all"].map((user) => `{ user: ${user}, password: "right" }`);
  const { url } = await startNats({ t, lines: [`authorization { users: [${users.join(", ")}] }`] });
  await startEcho({ url }, t);
  return { url, env: { NATS_PASSWORD: "right" } };
}

/** A management system that resets each station which authorizes somebody. */
async function startOcpp(t: Cleanup): Promise<RecipeUpstream> {
  const onAuthorize = (station: Station) => void station.call("Reset", { type: "Soft" }).catch(() => {});
  const central = await startCentral({ onAuthorize });
  t.after(() => central.stop());
  return { url: `ws://127.0.0.1:${central.port}/`, env: { STATION_LOGIN: btoa("CP1:right") } };
}

/** Publishes a tick four times a second, on a connection of its own: publishers do not hear themselves. */
async function startTicks(url: string, t: Cleanup): Promise<void> {
  const socket = new WebSocket(url, "wamp.2.json");
  socket.on("error", () => {});
  await once(socket, "open");
  const say = (message: unknown) => socket.send(JSON.stringify(message));
  say([1, "realm1", { roles: { publisher: {} } }]);
  await once(socket, "message");
  const timer = setInterval(say, 250, [16, 1, {}, "org.example.ticks", [1]]);
  t.after(async () => {
    clearInterval(timer);
    socket.terminate();
  });
}

async function startWamp(t: Cleanup): Promise<RecipeUpstream> {
  const port = await freePort();
  const router = await startRouter(port);
  t.after(() => router.kill());
  const url = `ws://127.0.0.1:${port}/`;
  await startTicks(url, t);
  return { url };
}

/** A mock that plays without pauses, and keeps each frame that was not recorded as a fault. */
async function startRecorded(file: string, t: Cleanup): Promise<RecipeUpstream> {
  const { head, entries } = await readRecording(file);
  const { protocol, frames } = await recordedProtocol(head, undefined);
  const faults: string[] = [];
  const mock = await startMock({
    scenes: scenesOf(entries, protocol, []),
    protocol,
    frames,
    ignored: [],
    port: 0,
    speed: Number.POSITIVE_INFINITY,
    strict: false,
    onUnrecorded: (_connection, frame) => faults.push(`not in the recording: ${textOf(frame)}`),
  });
  t.after(() => mock.stop());
  return { url: mock.url, faults: () => faults };
}
