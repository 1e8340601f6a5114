/** Messages of NATS as callers write them and readers see them: in JSON. */

import { base64Of, bytesFrom } from "./bytes.ts";
import { isJsonTo, nameOf, readMessage, textOf } from "./json-message.ts";
import { kindOf, members } from "./json-text.ts";
import type { NatsHeaders, NatsMessage, NatsPublication } from "./nats-frame.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

const FORM =
  'the message must be { "subject": …, "data": …, "headers": { … } }, { "subscribe": … } or { "unsubscribe": … }';

/** The id of the subscription to our inbox: ids of requests, which are those of all others, begin at 1. */
export const INBOX_SID = "0";

/** Tokens between dots. The longest line has 4,096 bytes, and a character at most 3 for each of these units. */
const SUBJECT = /^(?=.{1,900}$)[^\s.\p{Cc}]+(?:\.[^\s.\p{Cc}]+)*$/u;
const NAME = /^[^\s\p{Cc}]{1,100}$/u;
const WILDCARD = /(?:^|\.)[*>](?:\.|$)/;
const HEADER_NAME = /^[!-9;-~]+$/;
const HEADER_VALUE = /^[^\r\n\0]*$/;

const encoder = new TextEncoder();

export const wrong = (why: string) => new InvalidMessage("shape", `${FORM}: ${why}`);

/** The members of a message, by the one that says which kind it is. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  subject: ["reply", "headers", "data", "encoding"],
  subscribe: ["queue"],
  unsubscribe: [],
};

/** A request to end or to begin a subscription, or a message to publish. */
export type NatsCall =
  | { readonly subscribe: string; readonly queue: string | undefined }
  | { readonly unsubscribe: string }
  | (NatsPublication & { readonly unsubscribe?: undefined });

export function callOf(message: Body): NatsCall {
  const { text, root } = readMessage(message);
  const kind = kindOf(text, root);
  if (kind !== "object") throw new InvalidMessage("shape", `${FORM}, not ${nameOf(kind)}`);
  const call = JSON.parse(text);
  const [name, ...more] = Object.keys(MEMBERS).filter((each) => Object.hasOwn(call, each));
  if (name === undefined || more.length > 0) throw wrong("it must have one of subject, subscribe and unsubscribe");
  const other = Object.keys(call).find((each) => each !== name && !MEMBERS[name]?.includes(each));
  if (other !== undefined) throw wrong(`it has "${other}" beside its ${name}`);
  const { subject, reply, unsubscribe, queue } = call;
  if (name === "unsubscribe") {
    const sid = typeof unsubscribe === "number" ? String(unsubscribe) : unsubscribe;
    if (!isText(sid, NAME) || sid === INBOX_SID)
      throw wrong("its unsubscribe must be the sid from the reply to subscribe");
    return { unsubscribe: sid };
  }
  if (name === "subscribe") {
    if (queue !== undefined && !isText(queue, NAME)) throw wrong("its queue must be a name without white space");
    return { subscribe: subjectOf(call.subscribe, name), queue };
  }
  for (const [key, value] of Object.entries({ subject, ...(reply !== undefined && { reply }) }))
    if (WILDCARD.test(subjectOf(value, key))) throw wrong(`its ${key} must have no wildcard`);
  // A number beyond 2^53 goes out as its author wrote it.
  const written = [...members(text, root)].findLast(({ key }) => key === "data")?.value;
  const json = written === undefined ? "" : text.slice(written.start, written.end);
  return { subject, reply, headers: headersOf(call.headers), payload: payloadOf(call.data, json, call.encoding) };
}

const isText = (value: unknown, form: RegExp): value is string => typeof value === "string" && form.test(value);

function subjectOf(value: unknown, name: string): string {
  if (!isText(value, SUBJECT)) throw wrong(`its ${name} must be tokens between dots, of 900 characters at most`);
  return value;
}

function headersOf(headers: unknown = {}): NatsHeaders {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) throw wrong("its headers are none");
  const entries = Object.entries(headers).map(([name, given]): [string, string[]] => {
    const values: readonly unknown[] = Array.isArray(given) ? given : [given];
    if (!HEADER_NAME.test(name) || !values.every((value) => isText(value, HEADER_VALUE)))
      throw wrong(`its header "${name}" must be a text of one line, or an array of them`);
    return [name, values.map(String)];
  });
  return new Map(entries);
}

/** @param json the data as it was written */
function payloadOf(data: unknown, json: string, encoding: unknown): Uint8Array {
  if (encoding === undefined) return encoder.encode(typeof data === "string" ? data : json);
  const bytes = encoding === "base64" ? bytesFrom(data) : undefined;
  if (!bytes) throw wrong('its encoding can only be "base64", and its data a text of that');
  return bytes;
}

/** The message as readers see it. Data that is an object or an array of JSON stands there as such. */
export function jsonOf(message: NatsMessage, subject = message.subject): string {
  const { sid, reply, status, description, headers, payload } = message;
  const text = textOf(payload);
  const said = description ?? (status === 503 ? `no responders: nothing subscribes to ${subject}` : undefined);
  const head = JSON.stringify({
    subject,
    ...(sid !== INBOX_SID && { sid: Number(sid) }),
    reply,
    status,
    ...(status !== undefined && { [status < 400 ? "description" : "error"]: said ?? `status ${status}` }),
    ...(headers.size > 0 && { headers: Object.fromEntries([...headers].map(([name, all]) => [name, oneOf(all)])) }),
    ...(text === undefined && { encoding: "base64" }),
  });
  const data = text === undefined ? `"${base64Of(payload)}"` : isJsonTo("any", text) ? text : JSON.stringify(text);
  return `${head.slice(0, -1)},"data":${data}}`;
}

const oneOf = (values: readonly string[]) => (values.length === 1 ? values[0] : values);
