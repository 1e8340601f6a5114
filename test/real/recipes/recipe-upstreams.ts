/**
 * The upstreams of the recipes, by the name of the page: software where there is some to start, else the recording of
 * a dialogue, written from the public description.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { textOf } from "../../../src/protocols/json-message.ts";
import { startMock } from "../../../src/recording/mock-server.ts";
import { scenesOf } from "../../../src/recording/playback.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { recordedProtocol } from "../../../src/recording/recorded-protocol.ts";
import { root } from "../../support/root.ts";
import type { Cleanup } from "../../support/until.ts";
import { startAnvil } from "../anvil.ts";
import { startAria2 } from "../aria2.ts";
import { startGraphql } from "../graphql.ts";
import { startInspector } from "../inspector.ts";
import { lacks } from "../programs.ts";
import { startSocketIo } from "../socket-io.ts";
import { startWebsocketd } from "../websocketd.ts";

export interface RecipeUpstream {
  readonly url: string;
  /** Values of variables that the configuration names; a variable that is not here has its name as its value. */
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
  "socket.io": { start: (t) => startSocketIo({ t, token: "CHAT_TOKEN", pingMs: 20_000, pongWithinMs: 20_000 }) },
  text: {
    start: (t) => startWebsocketd(["jq", "--unbuffered", "-c", "{sum: (.a + .b)}"], t),
    skip: lacks("websocketd", "jq"),
  },
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
