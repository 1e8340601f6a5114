/** Replies to JSON-RPC requests: the honest one, and those that challenge a correlator. */
import { Buffer } from "node:buffer";
import { seeded, shuffle } from "../support/random.ts";
import { type Frame, OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";

/** A reaction to one message. */
export type Answer = (peer: Peer, frame: Frame) => void;

export interface Request {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
}

/** Parses the message as a JSON-RPC request that wants a reply; undefined if it is none. */
export function requestOf(frame: Frame): Request | undefined {
  try {
    const value: unknown = JSON.parse(frame.payload.toString("utf8"));
    if (typeof value !== "object" || value === null || (value as Request).id === undefined) return undefined;
    return value as Request;
  } catch {
    return undefined;
  }
}

/** The honest reply: the params as the result. */
export function replyTo(request: Request, result: unknown = request.params ?? null): Readonly<Record<string, unknown>> {
  return { jsonrpc: "2.0", id: request.id ?? null, result };
}

/** Reacts to each request that wants a reply. */
function answering(answer: (peer: Peer, request: Request, frame: Frame) => void): Answer {
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request !== undefined) answer(peer, request, frame);
  };
}

/** Replies at once, with the params. */
export const echo: Answer = answering((peer, request) => peer.json(replyTo(request)));

/** Never replies. */
export const never: Answer = () => {};

/** Replies `times` times; each copy but the first is marked, to show which was taken. */
export function repeated(times = 2, gapMs = 0): Answer {
  return answering((peer, request) => {
    peer.json(replyTo(request));
    for (let copy = 1; copy < times; copy += 1) {
      const again = (): void => peer.json(replyTo(request, { copy, of: request.params ?? null }));
      if (gapMs === 0) again();
      else peer.later(gapMs * copy, again);
    }
  });
}

/** Replies after `ms`. */
export function late(ms: number): Answer {
  return answering((peer, request) => peer.later(ms, () => peer.json(replyTo(request))));
}

/** Holds replies until `size` are there (or `flushMs` after the first), then sends them in a random order. */
export function shuffled(options: { readonly size: number; readonly seed: number; readonly flushMs?: number }): Answer {
  const random = seeded(options.seed);
  const held = new Map<Peer, Request[]>();
  const flush = (peer: Peer): void => {
    const requests = held.get(peer) ?? [];
    held.delete(peer);
    for (const request of shuffle(requests, random)) peer.json(replyTo(request));
  };
  return answering((peer, request) => {
    const requests = held.get(peer) ?? [];
    held.set(peer, [...requests, request]);
    if (requests.length + 1 >= options.size) flush(peer);
    else if (requests.length === 0 && options.flushMs !== undefined) peer.later(options.flushMs, () => flush(peer));
  });
}

/** Precedes the honest reply with replies to ids that nobody sent: unknown, of another type, inherited names. */
export const forged: Answer = answering((peer, request) => {
  const ids = [
    2 ** 52,
    -1,
    0.5,
    "toString",
    "__proto__",
    "constructor",
    "",
    null,
    true,
    {},
    [request.id],
    `${request.id}`,
  ];
  for (const id of ids) peer.json({ jsonrpc: "2.0", id, result: "forged" });
  peer.json({ jsonrpc: "2.0", result: "forged, without id" });
  peer.json(replyTo(request));
});

/** Replies to each request, then repeats the reply of every earlier one. */
export function stale(): Answer {
  const answered: Request[] = [];
  return answering((peer, request) => {
    peer.json(replyTo(request));
    for (const old of answered) peer.json(replyTo(old, "stale"));
    answered.push(request);
  });
}

/** Sends a JSON-RPC error without an id, as servers do that could not read the request. */
export const errorWithoutId: Answer = answering((peer) =>
  peer.json({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } }),
);

/** Sends the same bytes as a binary frame. */
export const inBinary: Answer = answering((peer, request) =>
  peer.binary(Buffer.from(JSON.stringify(replyTo(request)))),
);

/** Sends the honest reply in one frame for every `size` bytes. */
export function inFragments(size: number): Answer {
  return answering((peer, request) => {
    const bytes = Buffer.from(JSON.stringify(replyTo(request)));
    for (let at = 0; at < bytes.length; at += size) {
      peer.frame({
        opcode: at === 0 ? OPCODE.text : OPCODE.continuation,
        payload: bytes.subarray(at, at + size),
        fin: at + size >= bytes.length,
      });
    }
  });
}

/** Sends a text in place of the reply: malformed, empty, deep, or against the protocol. */
export function instead(text: string | ((request: Request) => string)): Answer {
  return answering((peer, request) => peer.text(typeof text === "string" ? text : text(request)));
}

/** Runs a fault on the connection instead of replying: `inPlace((peer) => peer.reset())`. */
export function inPlace(fault: (peer: Peer) => void): Answer {
  return answering((peer) => fault(peer));
}

/** Useless texts in place of a reply, by name. None may end the process that reads them. */
export const oddTexts: ReadonlyMap<string, string> = new Map([
  ["malformed", '{"jsonrpc":"2.0","id":1,'],
  ["empty", ""],
  ["null", "null"],
  ["number", "42"],
  ["string", '"text"'],
  ["empty list", "[]"],
  ["list of replies", '[{"jsonrpc":"2.0","id":1,"result":1}]'],
  ["NaN", '{"jsonrpc":"2.0","id":NaN,"result":NaN}'],
  ["prototype", '{"__proto__":{"id":1},"constructor":{"prototype":{"polluted":true}}}'],
  ["two ids", '{"jsonrpc":"2.0","id":1,"id":2,"result":"which?"}'],
  ["huge id", '{"jsonrpc":"2.0","id":9007199254740993,"result":1}'],
  ["lone surrogate", '{"jsonrpc":"2.0","method":"\\ud800"}'],
  ["control characters", "\u0000\u001b[2J\r\n"],
  ["deep list", "[".repeat(1_000_000)],
  ["deep and closed", "[".repeat(100_000) + "]".repeat(100_000)],
  ["deep object", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
]);
