/** Signs by which a dialect is known: a table from what connections showed to a preset and a configuration. */

/** The outcome of one connection. */
export interface Look {
  readonly url: string;
  /** The subprotocol that was offered; undefined for none. */
  readonly offered: string | undefined;
  /** False if the connection could not be opened: `why` says the reason. */
  readonly open: boolean;
  /** The subprotocol that was agreed on; empty for none. */
  readonly subprotocol: string;
  /** The first frames that came, as text; undefined for bytes that are not text. */
  readonly frames: readonly (string | undefined)[];
  readonly close?: { readonly code: number | null; readonly reason: string } | undefined;
  readonly why?: string | undefined;
}

/** Certain: only this dialect looks so. Likely: it is the usual one. Possible: nothing speaks against it. */
export type Sureness = "certain" | "likely" | "possible";

export interface Sign {
  readonly dialect: string;
  readonly sureness: Sureness;
  /** The lines of the upstream's settings besides its url; undefined if there is no preset for it. */
  readonly settings?: readonly string[];
  /** @returns the reason, if the look shows the sign */
  seen(look: Look): string | undefined;
}

const firstFrame = ({ frames: [first] }: Look): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(first ?? "");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
};

const when = (holds: boolean | undefined, reason: string): string | undefined => (holds ? reason : undefined);

const agreed = (name: string) => (look: Look) =>
  when(look.open && look.offered === name && look.subprotocol === name, `it agrees on the subprotocol ${name}`);

const pathIs = (pattern: RegExp, what: string) => (look: Look) =>
  when(look.open && pattern.test(new URL(look.url).pathname), what);

const isFrame = (pattern: RegExp, what: string) => (look: Look) =>
  when(look.frames[0] !== undefined && pattern.test(look.frames[0]), what);

/** Subprotocols to offer in turn: each names its dialect, and agreeing on one does nothing. */
export const OFFERS = [
  "graphql-transport-ws",
  "graphql-ws",
  "obswebsocket.json",
  "janus-protocol",
  "wamp.2.json",
  "v12.stomp",
  "ocpp1.6",
  "mqtt",
] as const;

/** The path at which Engine.IO answers by itself. */
export const SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket";

/** Of one dialect, the surest sign stands first. */
export const SIGNS: readonly Sign[] = [
  {
    dialect: "home-assistant",
    sureness: "certain",
    settings: ["protocol:", "  preset: home-assistant", '  token: "${HOME_ASSISTANT_TOKEN}"'],
    seen: (look) => {
      const { type, ha_version } = firstFrame(look) ?? {};
      return when(
        type === "auth_required" && ha_version !== undefined,
        "its first frame is auth_required of ha_version",
      );
    },
  },
  {
    dialect: "obs",
    sureness: "certain",
    settings: ["protocol:", "  preset: obs", '  # password: "${OBS_PASSWORD}"'],
    seen: isFrame(/"obsWebSocketVersion"/, "its first frame has obsWebSocketVersion"),
  },
  {
    dialect: "graphql-transport-ws",
    sureness: "certain",
    settings: ["protocol: graphql-transport-ws"],
    seen: agreed("graphql-transport-ws"),
  },
  {
    dialect: "obs",
    sureness: "likely",
    settings: ["protocol:", "  preset: obs", '  # password: "${OBS_PASSWORD}"'],
    seen: agreed("obswebsocket.json"),
  },
  {
    dialect: "graphql-ws (legacy)",
    sureness: "certain",
    settings: [
      "subprotocols: [graphql-ws]",
      "protocol:",
      "  preset: json",
      "  id: { kind: string }",
      "  final: [{ match: { /type: complete } }, { match: { /type: error } }]",
      "  collect: {}",
      "greeting:",
      "  - { send: { type: connection_init }, expect: { match: { /type: connection_ack } } }",
    ],
    seen: agreed("graphql-ws"),
  },
  {
    dialect: "janus",
    sureness: "certain",
    settings: ["protocol:", "  preset: janus", '  # password: "${JANUS_SECRET}"'],
    seen: agreed("janus-protocol"),
  },
  { dialect: "wamp", sureness: "certain", seen: agreed("wamp.2.json") },
  { dialect: "stomp", sureness: "certain", seen: agreed("v12.stomp") },
  { dialect: "ocpp", sureness: "certain", seen: agreed("ocpp1.6") },
  { dialect: "mqtt", sureness: "certain", seen: agreed("mqtt") },
  {
    dialect: "socket.io",
    sureness: "certain",
    seen: isFrame(/^0\{.*"pingInterval"/s, "its first frame opens a session of Engine.IO"),
  },
  {
    dialect: "gateway of Discord's kind",
    sureness: "certain",
    settings: [
      "protocol: json",
      "keepalive: { heartbeat: { send: { op: 1, d: null }, every: 40s, expect: { match: { /op: 11 } } } }",
    ],
    seen: (look) => {
      const { op, d } = firstFrame(look) ?? {};
      const isHello = op === 10 && typeof d === "object" && d !== null && "heartbeat_interval" in d;
      return when(isHello, "its first frame is the hello of a gateway, with heartbeat_interval");
    },
  },
  {
    dialect: "slack-socket-mode",
    sureness: "certain",
    settings: [
      "protocol:",
      "  preset: json",
      "  answers:",
      "    - when: { has: [/envelope_id] }",
      '      send: { envelope_id: "" }',
      "      copy: { /envelope_id: /envelope_id }",
      "      keep: true",
    ],
    seen: (look) => {
      const { type, num_connections } = firstFrame(look) ?? {};
      return when(type === "hello" && num_connections !== undefined, "its first frame is hello with num_connections");
    },
  },
  {
    dialect: "json-rpc",
    sureness: "certain",
    settings: ["protocol: json-rpc"],
    seen: (look) => when(firstFrame(look)?.jsonrpc === "2.0", 'its first frame has "jsonrpc": "2.0"'),
  },
  {
    dialect: "cdp",
    sureness: "likely",
    settings: ["protocol: cdp"],
    seen: pathIs(/^\/devtools\/(?:browser|page)\//, "its path is that of Chromium's DevTools"),
  },
  {
    dialect: "jupyter",
    sureness: "likely",
    settings: [
      "protocol:",
      "  preset: json",
      "  id: { out: /header/msg_id, in: /parent_header/msg_id, kind: string }",
      "  final: [{ match: { /channel: shell } }]",
      "  collect: {}",
    ],
    seen: pathIs(/\/api\/kernels\/[^/]+\/channels$/, "its path is that of a Jupyter kernel"),
  },
  {
    dialect: "cdp",
    sureness: "possible",
    settings: ["protocol: cdp"],
    seen: pathIs(/^\/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, "its path is a UUID, as that of Node's inspector"),
  },
  {
    dialect: "json",
    sureness: "likely",
    settings: ["protocol:", "  preset: json", "  id: { out: /id, in: /id, kind: int }"],
    seen: (look) => when(firstFrame(look) !== undefined, "its first frame is JSON"),
  },
  {
    dialect: "text",
    sureness: "likely",
    settings: ["protocol:", "  preset: text", '  # reply: "^OK"'],
    seen: (look) =>
      when(look.frames[0] !== undefined && firstFrame(look) === undefined, "its first frame is text that is no JSON"),
  },
  {
    dialect: "text",
    sureness: "possible",
    settings: ["protocol: text"],
    seen: (look) => when(look.frames.length > 0 && look.frames[0] === undefined, "its first frame is bytes"),
  },
  {
    dialect: "json-rpc",
    sureness: "possible",
    settings: ["protocol: json-rpc"],
    seen: ({ open, frames, close, offered }) =>
      when(
        open && frames.length === 0 && close === undefined && offered === undefined,
        "it is open and says nothing by itself, as most servers of JSON-RPC",
      ),
  },
];
