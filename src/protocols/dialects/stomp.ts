/** Dialect of STOMP 1.1 and 1.2 over WebSockets (https://stomp.github.io), with its frames as JSON. */

import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { idOf, nameOf, readMessage, textOf } from "../json-message.ts";
import { kindOf } from "../json-text.ts";
import { STEP_MS } from "../preset.ts";
import { type Body, type DecodedMessage, InvalidMessage, type Protocol } from "../protocol.ts";
import { readFrames, type StompFrame, writeFrame } from "../stomp-frame.ts";
import { maskStomp } from "../stomp-recorded.ts";

/** The longest silence that either side is promised, and the time between our heartbeats. */
const PROMISED_MS = 10_000;
const BEAT_MS = 8_000;

const RECEIPT = "receipt";
const RECEIPT_ID = "receipt-id";
const LENGTH = "content-length";

const FORM = 'the message must be { "command": …, "headers": { … }, "body": "…" }';

const ONE_LINE = /^[^\r\n\0]+$/;
const ONE = "must have no line break and no NUL";

const encoder = new TextEncoder();

const wrong = (why: string) => new InvalidMessage("shape", `${FORM}: ${why}`);

/** Reads a caller's frame. A body that is not a text is written as JSON. */
function frameOf(message: Body): StompFrame {
  const { text, root } = readMessage(message);
  const kind = kindOf(text, root);
  if (kind !== "object") throw new InvalidMessage("shape", `${FORM}, not ${nameOf(kind)}`);
  const { command, headers = {}, body = "", ...others } = JSON.parse(text);
  const [other] = Object.keys(others);
  if (other !== undefined) throw wrong(`it has "${other}" beside these`);
  if (typeof command !== "string" || !/^[A-Z]+$/.test(command)) throw wrong("its command must be one, such as SEND");
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) throw wrong("its headers are none");
  const entries = Object.entries(headers).map(([name, value]): [string, string] => {
    if (typeof value === "object") throw wrong(`its header "${name}" must be a text`);
    return [name, String(value)];
  });
  if (command === "CONNECT" || command === "STOMP") throw wrong("the connection is made already");
  const frame = { command, headers: new Map(entries), body: typeof body === "string" ? body : JSON.stringify(body) };
  const given = frame.headers.get(LENGTH);
  // Without its length, a body ends at its first NUL.
  if (given === undefined && !frame.body.includes("\0")) return frame;
  const length = String(encoder.encode(frame.body).length);
  if ((given ?? length) !== length) throw wrong(`its ${LENGTH} is ${given}, and its body has ${length} bytes`);
  return { ...frame, headers: frame.headers.set(LENGTH, length) };
}

/** The frame as readers see it. */
function jsonOf({ command, headers, body }: StompFrame, receipt?: unknown): string {
  const shown = new Map(headers);
  if (typeof receipt === "string") shown.set(RECEIPT_ID, receipt);
  else if (receipt === null) shown.delete(RECEIPT_ID);
  return JSON.stringify({ command, headers: Object.fromEntries(shown), body });
}

function classify(frame: StompFrame): DecodedMessage {
  const { command, headers } = frame;
  const id = command === "RECEIPT" || command === "ERROR" ? idOf(headers.get(RECEIPT_ID) ?? "") : undefined;
  if (id !== undefined) return { type: "reply", id, render: (own) => jsonOf(frame, own) };
  if (command === "ERROR") return { type: "error", fails: "all", error: jsonOf(frame) };
  return { type: "message", json: true, render: () => jsonOf(frame) };
}

const protocol: Protocol = {
  name: "stomp",
  correlation: "id",
  accepts: "json",
  maxId: Number.MAX_SAFE_INTEGER,
  encode(message, id, route) {
    const frame = frameOf(message);
    // Null: the caller wrote no receipt.
    const own = frame.headers.get(RECEIPT) ?? null;
    if (route !== "request" && own === null) return { frame: writeFrame(frame), expectsReply: false };
    const headers = new Map(frame.headers).set(RECEIPT, String(id));
    return { frame: writeFrame({ ...frame, headers }), expectsReply: true, own };
  },
  decode(frame) {
    const text = textOf(frame);
    if (text === undefined) return { type: "noise", why: "the bytes are not UTF-8" };
    const frames = readFrames(text);
    if ("why" in frames) return { type: "noise", why: frames.why };
    return { type: "several", results: frames.map(classify) };
  },
  mask: maskStomp,
  refuses: (reply) => matchesFrame(reply, { match: { "/command": "ERROR" } }),
};

/** A request asks for a receipt, which is its reply; so is an error that names it. */
export const stomp: Dialect<"login" | "password" | "host"> = {
  purpose: "STOMP 1.1 and 1.2: RabbitMQ, ActiveMQ",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/ws",
    "    protocol:",
    "      preset: stomp",
    "      # login: me",
    '      # password: "${PASSWORD}"',
    "      # host: /   # the virtual host",
    "    # subscriptions:",
    "    #   orders:",
    "    #     request: { command: SUBSCRIBE, headers: { id: orders, destination: /topic/orders } }",
    "    #     match: { /command: MESSAGE, /headers/subscription: orders }",
    "    #     unsubscribe: { command: UNSUBSCRIBE, headers: { id: orders } }",
  ],
  options: {
    login: "The name with which the connection logs in.",
    password: "The password, which goes out as the passcode.",
    host: 'The virtual host; by default "/".',
  },
  outgoing: { login: true, password: true, host: true },
  // Headers of CONNECT are not escaped.
  forms: {
    login: { pattern: ONE_LINE, must: ONE },
    password: { pattern: ONE_LINE, must: ONE },
    host: { pattern: ONE_LINE, must: ONE },
  },
  build: ({ login, password, host = "/" }) => {
    const headers = new Map([
      ["accept-version", "1.2,1.1"],
      ["host", host],
      ["heart-beat", `${PROMISED_MS},${PROMISED_MS}`],
    ]);
    if (login !== undefined) headers.set("login", login);
    if (password !== undefined) headers.set("passcode", password);
    return {
      protocol,
      subprotocols: ["v12.stomp", "v11.stomp"],
      greeting: [
        {
          send: writeFrame({ command: "CONNECT", headers, body: "" }),
          expect: { text: "^\\s*CONNECTED\\s", reject: { text: "^\\s*ERROR\\s" }, within: STEP_MS },
        },
      ],
      // With the receipt, the server has taken all that was sent before it.
      farewell: [
        {
          send: writeFrame({ command: "DISCONNECT", headers: new Map([[RECEIPT, "farewell"]]), body: "" }),
          expect: { text: "^\\s*RECEIPT\\s[\\s\\S]*receipt-id:farewell\\s", within: STEP_MS },
        },
      ],
      heartbeat: { send: "\n", every: BEAT_MS, within: STEP_MS },
    };
  },
};
