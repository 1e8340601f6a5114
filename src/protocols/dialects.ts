/** The dialects by name: a new one is a file in dialects/, and a line here. */

import type { Dialect } from "./dialect.ts";
import { aria2 } from "./dialects/aria2.ts";
import { binance } from "./dialects/binance.ts";
import { deribit } from "./dialects/deribit.ts";
import { discordGateway } from "./dialects/discord-gateway.ts";
import { geminiLive } from "./dialects/gemini-live.ts";
import { graphqlWs } from "./dialects/graphql-ws.ts";
import { janus } from "./dialects/janus.ts";
import { jupyter } from "./dialects/jupyter.ts";
import { kraken } from "./dialects/kraken.ts";
import { lsp } from "./dialects/lsp.ts";
import { mcp } from "./dialects/mcp.ts";
import { mopidy } from "./dialects/mopidy.ts";
import { nats } from "./dialects/nats.ts";
import { nostr } from "./dialects/nostr.ts";
import { ocpp } from "./dialects/ocpp.ts";
import { openaiRealtime } from "./dialects/openai-realtime.ts";
import { phoenix } from "./dialects/phoenix.ts";
import { signalr } from "./dialects/signalr.ts";
import { slackSocketMode } from "./dialects/slack-socket-mode.ts";
import { socketIo } from "./dialects/socket-io.ts";
import { stomp } from "./dialects/stomp.ts";
import { wamp } from "./dialects/wamp.ts";
import { webdriverBidi } from "./dialects/webdriver-bidi.ts";
import { xrpl } from "./dialects/xrpl.ts";
import { zwaveJs } from "./dialects/zwave-js.ts";

export const DIALECTS = {
  aria2,
  binance,
  deribit,
  "discord-gateway": discordGateway,
  "gemini-live": geminiLive,
  "graphql-ws": graphqlWs,
  janus,
  jupyter,
  kraken,
  lsp,
  mcp,
  mopidy,
  nats,
  nostr,
  ocpp,
  "openai-realtime": openaiRealtime,
  phoenix,
  signalr,
  "slack-socket-mode": slackSocketMode,
  "socket.io": socketIo,
  stomp,
  wamp,
  "webdriver-bidi": webdriverBidi,
  xrpl,
  "zwave-js": zwaveJs,
} satisfies Readonly<Record<string, Dialect<never>>>;

export type DialectName = keyof typeof DIALECTS;

type OptionsOf<One> = One extends Dialect<infer Option> ? Option : never;

/** The options of each dialect. */
export type DialectSettings = {
  readonly [Name in DialectName]: { readonly [Option in OptionsOf<(typeof DIALECTS)[Name]>]?: string | undefined };
};
