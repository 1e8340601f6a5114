/** Moods of the chaos upstream: plain data, since another process sets them. */
import type { Handshake } from "../faults/handshake.ts";
import type { Peer } from "../faults/peer.ts";
import {
  type Answer,
  echo,
  errorWithoutId,
  forged,
  inBinary,
  inFragments,
  instead,
  late,
  never,
  type Request,
  repeated,
  replyTo,
  requestOf,
  shuffled,
} from "../faults/replies.ts";
import { seeded, shuffle } from "../support/random.ts";
import { fuzzText } from "./fuzz.ts";

export interface Mood {
  /** The name of an answer. */
  readonly answer: string;
  /** Applies to later connections. */
  readonly handshake?: Handshake;
  /** Leaves pings unanswered. */
  readonly mute?: boolean;
}

export type Deed =
  | { readonly do: "mood"; readonly mood: Mood }
  /** Sends a close frame with this code on every connection. */
  | { readonly do: "close"; readonly code: number; readonly reason: string }
  /** Sends a frame that RFC 6455 forbids, by its name in violations.ts. */
  | { readonly do: "violate"; readonly name: string }
  /** Sends these bytes, whatever they mean. */
  | { readonly do: "raw"; readonly hex: string }
  | { readonly do: "reset" }
  | { readonly do: "end" }
  /** Stops listening, ends every connection, and listens again after this long. */
  | { readonly do: "restart"; readonly ms: number }
  /** Sends unsolicited messages. */
  | { readonly do: "flood"; readonly count: number; readonly bytes: number }
  | { readonly do: "pings"; readonly count: number }
  /** Stops reading for this long. */
  | { readonly do: "pause"; readonly ms: number };

export interface Stats {
  /** TCP connections since the start. */
  readonly connections: number;
  readonly messages: number;
  /** Messages without a number, which the configuration sends. */
  readonly configured: number;
}

/** The longest time that replies are held back, in milliseconds. */
const FLUSH_MS = 5;
const HELD_AT_MOST = 64;
/** The number of answered requests that are remembered, to be answered again. */
const PAST = 256;

/**
 * Mixes everything that challenges a correlator, drawn for each request: held back and shuffled, twice, late, forged,
 * stale.
 */
function mixed(seed: number, lateMs: number): Answer {
  const random = seeded(seed);
  const held = new Map<Peer, Request[]>();
  const past: Request[] = [];
  const flush = (peer: Peer): void => {
    const requests = held.get(peer) ?? [];
    held.delete(peer);
    for (const request of shuffle(requests, random)) peer.json(replyTo(request));
  };
  const hold = (peer: Peer, request: Request): void => {
    const requests = held.get(peer) ?? [];
    requests.push(request);
    held.set(peer, requests);
    if (requests.length >= HELD_AT_MOST) flush(peer);
    else if (requests.length === 1) peer.later(FLUSH_MS, () => flush(peer));
  };
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request === undefined) return;
    const roll = random();
    if (roll < 0.5) hold(peer, request);
    else if (roll < 0.65) {
      peer.json(replyTo(request));
      peer.json(replyTo(request, "again"));
    } else if (roll < 0.66) peer.later(random() * lateMs, () => peer.json(replyTo(request)));
    else if (roll < 0.8) forged(peer, frame);
    else {
      const old = past[Math.floor(random() * past.length)];
      if (old !== undefined) peer.json(replyTo(old, "stale"));
      peer.json(replyTo(request));
      past.push(request);
      if (past.length > PAST) past.shift();
    }
  };
}

/** The number of fuzzed texts before the honest reply. */
const FUZZED = 20;

function fuzzed(seed: number): Answer {
  const random = seeded(seed);
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request === undefined) return;
    for (let n = 0; n < FUZZED; n += 1) peer.text(fuzzText(random, request.id));
    peer.json(replyTo(request));
  };
}

/** All answers by name. */
export function answers(seed: number): ReadonlyMap<string, Answer> {
  return new Map<string, Answer>([
    ["echo", echo],
    ["mixed", mixed(seed, 1_000)],
    ["fuzzed", fuzzed(seed)],
    ["repeated", repeated(3, 2)],
    ["late", late(300)],
    ["shuffled", shuffled({ size: 20, seed, flushMs: 20 })],
    ["forged", forged],
    ["never", never],
    ["garbage", instead('{"jsonrpc":"2.0","id":1,')],
    ["binary", inBinary],
    ["fragments", inFragments(3)],
    ["without id", errorWithoutId],
  ]);
}
