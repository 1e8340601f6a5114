/** Signs by which a dialect is known: a table from what connections showed to a preset and a configuration. */

import { preset, presetNames } from "../protocols/presets.ts";

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

/** Public services of one dialect, by the end of their hosts. */
const HOSTS: readonly (readonly [dialect: string, host: string, settings: readonly string[]])[] = [
  ["binance", "binance.com", ["protocol: binance"]],
  ["binance", "binance.us", ["protocol: binance"]],
  ["deribit", "deribit.com", ["protocol: deribit"]],
  ["kraken", "kraken.com", ["protocol: kraken"]],
  ["xrpl", "ripple.com", ["protocol: xrpl"]],
  ["xrpl", "xrplcluster.com", ["protocol: xrpl"]],
];

const hostIs = (host: string) => (look: Look) => {
  const { hostname } = new URL(look.url);
  return when(look.open && (hostname === host || hostname.endsWith(`.${host}`)), `its host is of ${host}`);
};

/** The settings of presets that their name alone does not start. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  obs: ["protocol:", "  preset: obs", '  # password: "${OBS_PASSWORD}"'],
  stomp: ["protocol:", "  preset: stomp", "  # login: me", '  # password: "${PASSWORD}"'],
  wamp: ["protocol: { preset: wamp, realm: realm1 }"],
};

/** A subprotocol that names its dialect. */
interface NamedDialect extends Pick<Sign, "dialect" | "settings"> {
  readonly subprotocol: string;
}

/** The presets that offer one, with that which they want most; OCPP has one for each version. */
const NAMED: readonly NamedDialect[] = [
  ...presetNames.flatMap((dialect): readonly NamedDialect[] => {
    const [subprotocol] = dialect === "ocpp" ? [] : (preset(dialect)?.subprotocols ?? []);
    const settings = SETTINGS[dialect] ?? [`protocol: ${dialect}`];
    return subprotocol === undefined ? [] : [{ dialect, subprotocol, settings }];
  }),
  ...["2.0.1", "1.6"].map((version): NamedDialect => {
    const settings = [`protocol: { preset: ocpp, version: "${version}" }`];
    return { dialect: "ocpp", subprotocol: `ocpp${version}`, settings };
  }),
  { dialect: "mqtt", subprotocol: "mqtt" },
];

/** Subprotocols to offer in turn: agreeing on one does nothing. */
export const OFFERS: readonly string[] = NAMED.map(({ subprotocol }) => subprotocol);

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
    ...(SETTINGS.obs && { settings: SETTINGS.obs }),
    seen: isFrame(/"obsWebSocketVersion"/, "its first frame has obsWebSocketVersion"),
  },
  ...NAMED.map(
    ({ dialect, subprotocol, settings }): Sign => ({
      dialect,
      // A server of OBS says hello, too.
      sureness: dialect === "obs" ? "likely" : "certain",
      ...(settings && { settings }),
      seen: agreed(subprotocol),
    }),
  ),
  {
    dialect: "socket.io",
    sureness: "certain",
    settings: ["protocol: socket.io"],
    seen: isFrame(/^0\{.*"pingInterval"/s, "its first frame opens a session of Engine.IO"),
  },
  {
    dialect: "discord-gateway",
    sureness: "certain",
    settings: ["protocol:", "  preset: discord-gateway", '  token: "${DISCORD_TOKEN}"'],
    seen: (look) => {
      const { op, d } = firstFrame(look) ?? {};
      const isHello = op === 10 && typeof d === "object" && d !== null && "heartbeat_interval" in d;
      return when(isHello, "its first frame is the hello of a gateway, with heartbeat_interval");
    },
  },
  {
    dialect: "slack-socket-mode",
    sureness: "certain",
    settings: ["protocol: slack-socket-mode"],
    seen: (look) => {
      const { type, num_connections } = firstFrame(look) ?? {};
      return when(type === "hello" && num_connections !== undefined, "its first frame is hello with num_connections");
    },
  },
  {
    dialect: "openai-realtime",
    sureness: "certain",
    settings: ["protocol: openai-realtime"],
    seen: (look) => {
      const { type, session } = firstFrame(look) ?? {};
      return when(type === "session.created" && session !== undefined, "its first frame is session.created");
    },
  },
  {
    dialect: "zwave-js",
    sureness: "certain",
    settings: ["protocol: zwave-js"],
    seen: (look) => {
      const { type, driverVersion, homeId } = firstFrame(look) ?? {};
      const isVersion = type === "version" && (driverVersion !== undefined || homeId !== undefined);
      return when(isVersion, "its first frame is the version of a Z-Wave driver");
    },
  },
  {
    dialect: "nostr",
    sureness: "certain",
    settings: ["protocol: nostr"],
    seen: isFrame(/^\s*\[\s*"(?:AUTH|NOTICE)"\s*,/, "its first frame is a challenge or a notice of a Nostr relay"),
  },
  {
    dialect: "nats",
    sureness: "certain",
    settings: ["protocol:", "  preset: nats", '  # token: "${NATS_TOKEN}"'],
    seen: isFrame(/^INFO \{.*"server_id"/s, "its first frame is the INFO of a NATS server"),
  },
  {
    dialect: "kraken",
    sureness: "certain",
    settings: ["protocol: kraken"],
    seen: (look) => {
      const { channel, type, data } = firstFrame(look) ?? {};
      const [status] = Array.isArray(data) ? (data as readonly unknown[]) : [];
      const isStatus = channel === "status" && type === "update" && typeof status === "object" && status !== null;
      return when(isStatus && "system" in status, "its first frame is the status of Kraken's system");
    },
  },
  ...HOSTS.map(
    ([dialect, host, settings]): Sign => ({
      dialect,
      sureness: "likely",
      settings,
      seen: hostIs(host),
    }),
  ),
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
    dialect: "webdriver-bidi",
    sureness: "likely",
    settings: ["protocol: webdriver-bidi"],
    seen: pathIs(/^\/session(?:\/[\w-]+)?$/, "its path is that of a session of WebDriver"),
  },
  {
    dialect: "phoenix",
    sureness: "likely",
    settings: ["protocol: phoenix"],
    seen: pathIs(/^\/(?:socket|live)\/websocket$/, "its path is that of a socket of Phoenix"),
  },
  {
    dialect: "signalr",
    sureness: "possible",
    settings: ["protocol: signalr"],
    seen: pathIs(/(?:hub|signalr)\/?$/i, "its path ends like that of a hub of SignalR"),
  },
  {
    dialect: "aria2",
    sureness: "likely",
    settings: ["protocol:", "  preset: aria2", '  # token: "${ARIA2_SECRET}"'],
    seen: (look) =>
      when(look.open && /:6800\/jsonrpc/.test(look.url), "its port and path are those of aria2 by default"),
  },
  {
    dialect: "jupyter",
    sureness: "likely",
    settings: ["protocol: jupyter"],
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
