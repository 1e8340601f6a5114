/** Dialect of NATS over WebSockets (https://docs.nats.io/reference/protocols/client), with its messages as JSON. */

import { version } from "../../version.ts";
import { concatenated } from "../bytes.ts";
import type { Dialect } from "../dialect.ts";
import { idOf, isJson } from "../json-message.ts";
import { type NatsMessage, type NatsOperation, readOperations, writePublication } from "../nats-frame.ts";
import { callOf, INBOX_SID, jsonOf, wrong } from "../nats-message.ts";
import { natsRecorded } from "../nats-recorded.ts";
import { STEP_MS } from "../preset.ts";
import {
  type Body,
  type ConnectionStates,
  type Decoded,
  type DecodedMessage,
  InvalidMessage,
  type Protocol,
} from "../protocol.ts";

/** The most requests of a connection that are remembered, so that an error which names none finds its own. */
const WAITING_MAX = 10_000;

/** Tokens without wildcards. */
const PREFIX = /^(?=.{1,100}$)[^\s.*>\p{Cc}]+(?:\.[^\s.*>\p{Cc}]+)*$/u;

const REFUSED_PUBLICATION = /^permissions violation for publish to "(.*)"$/i;
const REFUSED_SUBSCRIPTION = /^(?:permissions violation for subscription|invalid subject|maximum subscriptions)/i;

/** The client as it introduces itself, without its login. In version 0 no later INFO has news of the cluster. */
const CLIENT = {
  verbose: false,
  pedantic: false,
  headers: true,
  no_responders: true,
  protocol: 0,
  name: "sidesocket",
  lang: "sidesocket",
  version,
};

const LINE_END = "\r\n";
const LINE_FEED = 10;

const encoder = new TextEncoder();

/** The part of a caller's message that its reply repeats. */
type Own = { readonly subject: string } | { readonly subscribe: string } | { readonly unsubscribe?: string };

const jsonMessage = (render: () => string): DecodedMessage => ({ type: "message", json: true, render });

/** The state of a connection. */
class Talk {
  /** The beginning of the subjects at which its replies come. */
  readonly inbox: string;
  maxPayload = Number.POSITIVE_INFINITY;
  /** The requests that have no reply yet, oldest first: the subject of each, or undefined for a subscription. */
  readonly #waiting = new Map<number, string | undefined>();
  /** The subscriptions that were refused, and whose echo is still to come. */
  readonly #refused = new Set<number>();
  last: { readonly frame: Body; readonly decoded: Decoded } | undefined;

  constructor(inbox: string) {
    this.inbox = inbox;
  }

  /** The subject at which the reply to a request comes. */
  replyTo(id: number): string {
    return `${this.inbox}${id}`;
  }

  await(id: number, subject: string | undefined): void {
    this.#waiting.set(id, subject);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > WAITING_MAX && oldest !== undefined) this.#waiting.delete(oldest);
  }

  decode(frame: Body): Decoded {
    const operations = readOperations(frame);
    if ("why" in operations) return { type: "noise", why: operations.why };
    return { type: "several", results: operations.flatMap((each) => this.#classify(each) ?? []) };
  }

  #classify(operation: NatsOperation): DecodedMessage | undefined {
    switch (operation.type) {
      case "ping":
        return { type: "answer", frame: encoder.encode("PONG\r\n") };
      case "info":
        return this.#onInfo(operation.text);
      case "message":
        return this.#onMessage(operation.message);
      case "error":
        return this.#onError(operation.text);
      default:
        return undefined;
    }
  }

  #onInfo(info: string): DecodedMessage {
    if (!isJson(info)) return { type: "noise", why: "its INFO is no JSON" };
    const { max_payload: max } = (JSON.parse(info) ?? {}) as { readonly max_payload?: unknown };
    if (typeof max === "number" && max > 0) this.maxPayload = max;
    return jsonMessage(() => `{"info":${info}}`);
  }

  #onMessage(message: NatsMessage): DecodedMessage | undefined {
    const { subject, sid, reply } = message;
    const named = this.#idIn(subject);
    const id = sid === INBOX_SID ? (named ?? this.#pulling(reply)) : undefined;
    if (id === undefined) return jsonMessage(() => jsonOf(message));
    return this.#reply(id, (own) => {
      if (own !== undefined && !("subject" in own)) return echoed(id, own);
      return jsonOf(message, named === undefined ? subject : own?.subject);
    });
  }

  #onError(error: string): DecodedMessage | undefined {
    const json = JSON.stringify({ error });
    const subject = REFUSED_PUBLICATION.exec(error)?.[1];
    // The echo that shows that a subscription was taken in need not be allowed: that it is refused shows it as well.
    const echo = subject === undefined ? undefined : this.#idIn(subject);
    if (echo !== undefined) return this.#reply(echo, (own) => echoed(echo, own));
    const isSubscription = REFUSED_SUBSCRIPTION.test(error);
    // Each request is refused by itself and in order, so the oldest to that subject is the one; so it is of those to
    // subscribe, which have no subject here.
    const id = subject !== undefined || isSubscription ? this.#oldest((each) => each === subject) : undefined;
    if (id === undefined) return jsonMessage(() => json);
    const reply = this.#reply(id, () => json);
    if (isSubscription) this.#refused.add(id);
    return reply;
  }

  #reply(id: number, render: (own: Own | undefined) => string): DecodedMessage | undefined {
    this.#waiting.delete(id);
    if (this.#refused.delete(id)) return undefined;
    return { type: "reply", id, render: (own) => render(own as Own | undefined) };
  }

  #idIn(subject: string): number | undefined {
    const rest = subject.startsWith(this.inbox) ? subject.slice(this.inbox.length) : "";
    return /^\d+$/.test(rest) ? idOf(rest) : undefined;
  }

  /** The request for the next message of a consumer: that comes under its own subject, and names the consumer. */
  #pulling(acknowledgement = ""): number | undefined {
    const [js, ack, ...tokens] = acknowledgement.split(".");
    if (js !== "$JS" || ack !== "ACK") return undefined;
    // Of more tokens the first two are the domain and the account.
    const [stream, consumer] = tokens.length > 7 ? tokens.slice(2) : tokens;
    return this.#oldest((subject) => subject?.endsWith(`.CONSUMER.MSG.NEXT.${stream}.${consumer}`) === true);
  }

  #oldest(holds: (subject: string | undefined) => boolean): number | undefined {
    for (const [id, subject] of this.#waiting) if (holds(subject)) return id;
    return undefined;
  }
}

/** The reply to a message that the server does not reply to: its echo has come back. */
function echoed(id: number, own: Own = {}): string {
  return JSON.stringify("subscribe" in own ? { ...own, sid: id } : own);
}

/** The talks of all connections, by their numbers. */
class Talks implements ConnectionStates {
  readonly #inbox: string;
  readonly #all = new Map<number, Talk>();

  constructor(inbox: string) {
    this.#inbox = inbox;
  }

  begin(connection: number): readonly Body[] {
    this.#all.set(connection, this.#new(connection));
    return [];
  }

  take(connection: number, frame: Body): void {
    const talk = this.#all.get(connection);
    if (talk) talk.last = { frame, decoded: talk.decode(frame) };
  }

  /** The frame that a connection has taken last, decoded; any other is looked at as if it were the first. */
  decoded(frame: Body, connection = 0): Decoded {
    const last = this.#all.get(connection)?.last;
    return last?.frame === frame ? last.decoded : this.#new(connection).decode(frame);
  }

  of(connection = 0): Talk {
    return this.#all.get(connection) ?? this.#new(connection);
  }

  /** Each has an inbox of its own: two connections of one upstream would both get what comes to a common one. */
  #new(connection: number): Talk {
    return new Talk(`${this.#inbox}.${connection}.`);
  }

  onTickAsked(): void {}

  tick(): readonly Body[] {
    return [];
  }

  end(connection: number): void {
    this.#all.delete(connection);
  }
}

/** @param run tells the subjects of this process from those of others */
function natsWith(inbox: string, run: string): Protocol {
  const talks = new Talks(`${inbox}.${run}`);
  const recorded = natsRecorded(inbox);

  /** Publishes to our own inbox: what comes back shows that the server has taken in the lines before. */
  const withEcho = (line: string, talk: Talk, id: number): Uint8Array => {
    const echo = { subject: talk.replyTo(id), headers: new Map(), payload: new Uint8Array() };
    return concatenated([line, writePublication(echo)]);
  };

  return {
    name: "nats",
    correlation: "id",
    accepts: "json",
    maxId: Number.MAX_SAFE_INTEGER,
    states: talks,
    mask: recorded.mask,
    recorded,
    encode(message, id, route, connection) {
      const call = callOf(message);
      const talk = talks.of(connection);
      const expectsReply = route === "request";
      if ("subscribe" in call) {
        const { subscribe, queue } = call;
        if (!expectsReply) throw wrong("subscribe needs its reply, which has the sid: use /request or /subscriptions");
        talk.await(id, undefined);
        const line = queue === undefined ? `SUB ${subscribe} ${id}\r\n` : `SUB ${subscribe} ${queue} ${id}\r\n`;
        return { frame: withEcho(line, talk, id), expectsReply, own: { subscribe } satisfies Own };
      }
      if (call.unsubscribe !== undefined) {
        const { unsubscribe } = call;
        const line = `UNSUB ${unsubscribe}\r\n`;
        if (!expectsReply) return { frame: encoder.encode(line), expectsReply, unanswered: true };
        return { frame: withEcho(line, talk, id), expectsReply, own: { unsubscribe } satisfies Own };
      }
      const { subject } = call;
      if (expectsReply && call.reply !== undefined) throw wrong("with a reply the reply goes there: use /send");
      const frame = writePublication(expectsReply ? { ...call, reply: talk.replyTo(id) } : call);
      // For a larger one the server would end the connection, which is that of all callers.
      const size = frame.length - frame.indexOf(LINE_FEED) - 1 - LINE_END.length;
      if (size > talk.maxPayload)
        throw new InvalidMessage("shape", `the message has ${size} bytes, and the server takes ${talk.maxPayload}`);
      if (!expectsReply) return { frame, expectsReply, unanswered: true };
      talk.await(id, subject);
      return { frame, expectsReply, own: { subject } satisfies Own };
    },
    decode: (frame, connection) => talks.decoded(frame, connection),
    toWire(frame, connection) {
      const login = loginIn(frame);
      if (login === undefined) return frame;
      const inboxLine = `SUB ${talks.of(connection).inbox}* ${INBOX_SID}\r\n`;
      return encoder.encode(`CONNECT ${JSON.stringify({ ...CLIENT, ...login })}\r\n${inboxLine}PING\r\n`);
    },
  };
}

/** The login in the step of the greeting that has one. */
function loginIn(frame: string): object | undefined {
  return frame.startsWith('{"connect":') && isJson(frame) ? JSON.parse(frame).connect : undefined;
}

/**
 * A request is published with a subject of ours to reply to, by which its reply is known; to subscribe and to
 * unsubscribe are requests, too.
 */
export const nats: Dialect<"token" | "user" | "password" | "credentials" | "inbox"> = {
  purpose: "NATS servers, with JetStream",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org:8443",
    "    protocol:",
    "      preset: nats",
    '      # token: "${NATS_TOKEN}"   # or user and password',
    '      # credentials: "${file:/run/secrets/nats.creds}"   # of a user with a JWT, or the seed of an nkey',
    "    # subscriptions:",
    "    #   orders:",
    '    #     request: { subscribe: "orders.>" }   # with queue: NAME, one of a group gets each message',
    "    #     id: /sid",
    "    #     match: { /sid: $id }",
    "    #     unsubscribe: { unsubscribe: $id }",
  ],
  options: {
    token: "The token with which the connection logs in.",
    user: "The user as which the connection logs in.",
    password: "The password of the user.",
    credentials: "The text of a credentials file (JWT and nkey), or the seed of a user's nkey, which signs the login.",
    inbox: 'The beginning of the subjects at which replies come; by default "_INBOX".',
  },
  outgoing: { token: true, user: true, password: true, credentials: true },
  forms: { inbox: { pattern: PREFIX, must: "must be tokens between dots, without wildcards" } },
  build: ({ token, user, password, credentials, inbox = "_INBOX" }, seed = "sidesocket") => ({
    protocol: natsWith(inbox, seed),
    greeting: [
      { expect: { text: "^INFO ", reject: { text: "^-ERR ", class: "slow" }, within: STEP_MS } },
      {
        send: {
          connect: {
            ...(token !== undefined && { auth_token: token }),
            ...(user !== undefined && { user }),
            ...(password !== undefined && { pass: password }),
          },
        },
        ...(credentials !== undefined && { challenge: { at: "/connect", credentials } }),
        expect: { text: "^PONG\\s", reject: { text: "^-ERR " }, within: STEP_MS },
      },
    ],
  }),
};
