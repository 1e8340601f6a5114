/** Dialect of Socket.IO 3 and 4 (https://socket.io/docs/v4/socket-io-protocol, revision 5; Engine.IO revision 4). */

import type { Dialect } from "../dialect.ts";
import { nameOf, readFrame, readMessage } from "../json-message.ts";
import { kindOf } from "../json-text.ts";
import { STEP_MS } from "../preset.ts";
import { type Body, InvalidMessage, type Protocol } from "../protocol.ts";

/** A packet of the default namespace: its kind, which is 2 for an event and 3 for an acknowledgement, id and data. */
const PACKET = /^4([23])(\d*)(\[.*)$/s;

const PING = "2";
const PONG = "3";

/** The largest number of digits that an id of ours can have. */
const ID_DIGITS = 16;

const protocol: Protocol = {
  name: "socket.io",
  correlation: "id",
  accepts: "json",
  maxId: Number.MAX_SAFE_INTEGER,
  encode(message, id, route) {
    const { text, root } = readMessage(message);
    const event = text.slice(root.start, root.end);
    const kind = kindOf(text, root);
    if (kind !== "array") {
      throw new InvalidMessage("shape", `the message must be ["event", …], not ${nameOf(kind)}`);
    }
    if (!/^\[\s*"/.test(event)) throw new InvalidMessage("shape", "the message must begin with the name of its event");
    if (route !== "request") return { frame: `42${event}`, expectsReply: false };
    return { frame: `42${id}${event}`, expectsReply: true };
  },
  decode(frame) {
    if (frame === PING) return { type: "answer", frame: PONG };
    const [, kind, id = "", data = ""] = typeof frame === "string" ? (PACKET.exec(frame) ?? []) : [];
    if (kind === undefined) return { type: "noise", why: "it is neither an event nor an acknowledgement" };
    const render = (): Body => data;
    const json = readFrame(data);
    if (kind === "2") {
      // An event that the server wants acknowledged has an id of its own.
      return "why" in json ? { type: "noise", why: json.why } : { type: "message", json: true, render };
    }
    const ours = id.length <= ID_DIGITS ? Number(id) : Number.NaN;
    if (id === "" || !Number.isSafeInteger(ours)) return { type: "noise", why: "it acknowledges nothing of ours" };
    if ("why" in json) return { type: "invalid", id: ours, why: json.why };
    return { type: "reply", id: ours, render };
  },
};

/**
 * A message is the array of an event's name and its arguments. Its reply is the array of what the server gave to the
 * acknowledgement. The server pings, and ends a connection without pongs.
 */
export const socketIo: Dialect<"auth"> = {
  purpose: "Socket.IO 3 and 4, the default namespace",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/socket.io/?EIO=4&transport=websocket",
    "    protocol:",
    "      preset: socket.io",
    '      # auth: \'{"token":"${TOKEN}"}\'   # what a client gives as auth',
  ],
  options: { auth: "The payload with which the connection logs in, as JSON." },
  outgoing: { auth: true },
  build: ({ auth = "" }) => ({
    protocol,
    greeting: [
      { expect: { text: "^0", within: STEP_MS } },
      { send: `40${auth}`, expect: { text: "^40", reject: { text: "^44" }, within: STEP_MS } },
    ],
  }),
};
