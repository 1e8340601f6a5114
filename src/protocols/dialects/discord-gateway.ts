/** Dialect of Discord's gateway for bots, version 10 (https://discord.com/developers/docs/events/gateway). */

import { withAnswers } from "../answers.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { textOf } from "../json-message.ts";
import { DRAIN_MS, STEP_MS } from "../preset.ts";
import type { Body, Protocol } from "../protocol.ts";

const NONCE = "/d/nonce";

/** A heartbeat without its acknowledgement within this time is a dead connection. */
const ACKNOWLEDGED_MS = 10_000;

/** Discord ends the session when it sees 1000 or 1001. */
const KEEPS_SESSION = 4000;

const gatewayProtocol = (): Protocol => {
  const protocol = json(
    {
      id: { out: { at: NONCE, when: { match: { "/op": 8 } } }, in: NONCE, kind: "string" },
      reply: { match: { "/op": 0, "/t": "GUILD_MEMBERS_CHUNK" } },
      collect: {},
    },
    "discord-gateway",
  );
  const decode: Protocol["decode"] = (frame) => {
    const decoded = protocol.decode(frame);
    if (decoded.type !== "reply" || isLastChunk(frame)) return decoded;
    const { id, render } = decoded;
    return { type: "part", id, render };
  };
  return withAnswers({ ...protocol, decode }, [
    // The gateway wants a heartbeat now.
    { when: { match: { "/op": 1 } }, send: { op: 1, d: "${conn:seq}" } },
  ]);
};

function isLastChunk(frame: Body): boolean {
  const { d } = JSON.parse(textOf(frame) ?? "") as { readonly d: Readonly<Record<string, unknown>> };
  return !(Number(d.chunk_index) + 1 < Number(d.chunk_count));
}

/**
 * Hello, identify or resume, and a heartbeat with the last sequence number at the interval that the gateway sets. On a
 * request to reconnect, and for an invalid session, the next connection resumes where it can. Of what bots send only a
 * request for members (op 8) has a reply: the array of its chunks.
 */
export const discordGateway: Dialect<"token" | "intents"> = {
  purpose: "Discord's gateway for bots (version 10)",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://gateway.discord.gg/?v=10&encoding=json",
    "    protocol:",
    "      preset: discord-gateway",
    '      token: "${DISCORD_TOKEN}"   # of the bot',
    '      intents: "513"              # the events: guilds and their messages',
  ],
  options: {
    token: "The token of the bot; without it, give a greeting.",
    intents: "The kinds of events, as the sum of their bits; by default 0.",
  },
  outgoing: { token: true },
  forms: { intents: { pattern: /^\d{1,15}$/, must: "must be a whole number, the sum of the bits" } },
  build: ({ token, intents = "0" }) => ({
    protocol: gatewayProtocol(),
    capture: [
      { when: { match: { "/op": 10 } }, values: { interval: "/d/heartbeat_interval" } },
      { when: { match: { "/op": 0 } }, values: { seq: "/s" }, keep: true },
      { when: { match: { "/t": "READY" } }, values: { session: "/d/session_id" }, keep: true, secret: true },
      { when: { match: { "/op": 9, "/d": false } }, values: { session: null, seq: null } },
    ],
    greeting: token === undefined ? null : greeting(token, Number(intents)),
    heartbeat: {
      send: { op: 1, d: "${conn:seq}" },
      every: { value: "interval", unitMs: 1 },
      expect: { match: { "/op": 11 } },
      within: ACKNOWLEDGED_MS,
    },
    closeCode: KEEPS_SESSION,
    // 4004: the token is wrong; 4010 to 4014: the shard, the version or the intents are. A session that is over (4007,
    // 4009) starts over.
    codes: {
      4004: "refuse",
      4007: "refuse",
      4008: "slow",
      4009: "refuse",
      4010: "refuse",
      4011: "refuse",
      4012: "refuse",
      4013: "refuse",
      4014: "refuse",
    },
    rotate: { on: { any: [{ match: { "/op": 7 } }, { match: { "/op": 9 } }] }, drain: DRAIN_MS },
    toAddress: { when: { match: { "/t": "READY" } }, at: "/d/resume_gateway_url", hosts: ["*.discord.gg"] },
  }),
};

function greeting(token: string, intents: number) {
  const properties = { os: "linux", browser: "sidesocket", device: "sidesocket" };
  const resume = { token, session_id: "${conn:session}", seq: "${conn:seq}" };
  const dispatched = (t: string, rejected: "slow" | "retry") => ({
    match: { "/t": t },
    reject: { match: { "/op": 9 }, class: rejected },
    within: STEP_MS,
  });
  return [
    { expect: { match: { "/op": 10 }, within: STEP_MS } },
    { first: true, send: { op: 2, d: { token, intents, properties } }, expect: dispatched("READY", "slow") },
    { first: false, send: { op: 6, d: resume }, expect: dispatched("RESUMED", "retry") },
  ];
}
