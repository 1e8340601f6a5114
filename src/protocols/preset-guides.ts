/** Guides to the presets, as `sidesocket presets` prints them: a line and a configuration to start from for each. */

import type { Dialect } from "./dialect.ts";
import { DIALECTS } from "./dialects.ts";
import type { PresetName } from "./presets.ts";

export type PresetGuide = Pick<Dialect, "purpose" | "start">;

/** A new preset needs its entry here, unless it is a dialect. */
export const PRESET_GUIDES: Readonly<Record<PresetName, PresetGuide>> = {
  "json-rpc": {
    purpose: "JSON-RPC 2.0: single messages, notifications, batches",
    start: [
      "upstreams:",
      "  default:",
      "    url: wss://example.org/rpc",
      "    protocol: json-rpc          # the default",
      '    # headers: { authorization: "Bearer ${TOKEN}" }',
      "    # subscriptions:            # renewed on every connection; readable at …/subscriptions/heads/messages",
      "    #   heads: { preset: eth_subscribe, params: [newHeads] }",
    ],
  },
  json: {
    purpose: "any JSON with an id in it",
    start: [
      "upstreams:",
      "  default:",
      "    url: wss://example.org/socket",
      "    protocol:",
      "      preset: json",
      "      id: { out: /id, in: /id, kind: int }   # where ids are, out and in; or string, increasing, keep, int32",
      "      # reply: { has: [/result] }            # other frames with an id of ours are messages",
      "      # skip: [{ match: { /type: ack } }]    # not the reply yet",
      "      # errors: { when: { has: [/error] }, do: fail_oldest }   # errors that name no request",
      "      # answers: [{ when: { match: { /type: ping } }, send: { type: pong } }]",
      "    # greeting:                              # run on every connection before it counts as ready",
      '    #   - { send: { type: login, token: "${TOKEN}" }, expect: { match: { /type: welcome } } }',
    ],
  },
  text: {
    purpose: "lines of text or bytes",
    start: [
      "upstreams:",
      "  default:",
      "    url: ws://127.0.0.1:9000",
      "    protocol:",
      "      preset: text",
      '      reply: "^(?:OK|ERR)"      # what a reply looks like: other frames are messages',
      '      # skip: ["^OK WAIT"]      # not the reply yet',
      '      # id: { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )" }   # if replies name their request',
    ],
  },
  cdp: {
    purpose: "Chrome DevTools Protocol: Chromium, Node's inspector",
    start: [
      "upstreams:",
      "  default:",
      "    url: ws://127.0.0.1:9222/devtools/browser/ID   # webSocketDebuggerUrl of http://127.0.0.1:9222/json/version",
      "    protocol: cdp",
    ],
  },
  "graphql-transport-ws": {
    purpose: "GraphQL servers with graphql-ws",
    start: [
      "upstreams:",
      "  default:",
      "    url: wss://example.org/graphql",
      "    protocol:",
      "      preset: graphql-transport-ws",
      '      # payload: { authorization: "Bearer ${TOKEN}" }   # of connection_init',
    ],
  },
  "home-assistant": {
    purpose: "Home Assistant",
    start: [
      "upstreams:",
      "  default:",
      "    url: ws://127.0.0.1:8123/api/websocket",
      "    protocol:",
      "      preset: home-assistant",
      '      token: "${HOME_ASSISTANT_TOKEN}"   # a long-lived access token of your profile',
    ],
  },
  obs: {
    purpose: "OBS Studio (obs-websocket 5)",
    start: [
      "upstreams:",
      "  default:",
      "    url: ws://127.0.0.1:4455",
      "    protocol:",
      "      preset: obs",
      '      password: "${OBS_PASSWORD}"   # leave it out if authentication is off',
      "      # events: 33                  # a bit mask (EventSubscription); by default all but the frequent ones",
    ],
  },
  ...DIALECTS,
};
