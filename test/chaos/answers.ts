/** The dialects of the long runs, from the upstream's end: every way in which a chaos upstream answers. */
import type { Buffer } from "node:buffer";
import type { Frame } from "../faults/frames.ts";
import type { Peer } from "../faults/peer.ts";
import {
  type Answer,
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
import { type DialectName, SEPARATOR } from "./dialects.ts";
import { fuzzText } from "./fuzz.ts";
import type { Ticks } from "./ticks.ts";

/** The longest time that replies are held back, in milliseconds. */
const FLUSH_MS = 5;
const HELD_AT_MOST = 64;
/** The number of answered requests that are remembered, to be answered again. */
const PAST = 256;
/** The longest delay of a late reply: some are in time, some reach nobody. */
const LATE_MS = 1_000;

type Value = Readonly<Record<string, unknown>>;
type Say = (peer: Peer, values: readonly Value[]) => void;

const oneByOne: Say = (peer, values) => {
  for (const value of values) peer.json(value);
};

const inBundle: Say = (peer, values) => {
  if (values.length > 0) peer.text(values.map((value) => JSON.stringify(value)).join(SEPARATOR));
};

/** Holds back what belongs to several requests, and lets it go after a while, or when there is much of it. */
function holding<Held>(flush: (peer: Peer, held: readonly Held[]) => void): (peer: Peer, one: Held) => void {
  const held = new Map<Peer, Held[]>();
  const go = (peer: Peer): void => {
    const all = held.get(peer) ?? [];
    held.delete(peer);
    flush(peer, all);
  };
  return (peer, one) => {
    const all = held.get(peer) ?? [];
    held.set(peer, all);
    all.push(one);
    if (all.length >= HELD_AT_MOST) go(peer);
    else if (all.length === 1) peer.later(FLUSH_MS, () => go(peer));
  };
}

/**
 * Mixes everything that challenges a correlator, drawn for each request: held back and shuffled, twice, late, forged,
 * stale; with ticks in between.
 */
function mixed(random: () => number, say: Say, ticks: Ticks): Answer {
  const past: Request[] = [];
  const hold = holding<Request>((peer, held) => {
    say(peer, [...shuffle(held, random).map((request) => replyTo(request)), ...ticks.beside(peer)]);
  });
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request === undefined) return;
    if (request.method === "subscribe") {
      say(peer, ticks.subscribe(peer, request));
      return;
    }
    const roll = random();
    if (roll < 0.5) hold(peer, request);
    else if (roll < 0.65) say(peer, [replyTo(request), ...ticks.beside(peer), replyTo(request, "again")]);
    else if (roll < 0.66) peer.later(random() * LATE_MS, () => say(peer, [replyTo(request)]));
    else if (roll < 0.8) forged(peer, frame);
    else {
      const old = past[Math.floor(random() * past.length)];
      const stale = old === undefined ? [] : [replyTo(old, "stale")];
      say(peer, [...stale, ...ticks.beside(peer), replyTo(request)]);
      past.push(request);
      if (past.length > PAST) past.shift();
    }
  };
}

/** Answers each request, and subscribes: nothing else. */
function honest(say: Say, ticks: Ticks): Answer {
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request?.method === "subscribe") say(peer, ticks.subscribe(peer, request));
    else if (request !== undefined) say(peer, [replyTo(request)]);
  };
}

/** The number of fuzzed texts before the honest reply. */
const FUZZED = 20;

function fuzzed(random: () => number): Answer {
  return (peer, frame) => {
    const request = requestOf(frame);
    if (request === undefined) return;
    for (let n = 0; n < FUZZED; n += 1) peer.text(fuzzText(random, request.id));
    peer.json(replyTo(request));
  };
}

/** Replies of two frames with ids: those of several requests mingle, and some come twice, late or under alien ids. */
function partsMixed(random: () => number): Answer {
  const framesOf = ({ id, n }: { readonly id?: unknown; readonly n?: unknown }): readonly Value[] => [
    ...(random() < 0.2 ? [{ id, type: "ack" }] : []),
    { id, type: "part", n },
    { id, type: "done", n },
  ];
  const hold = holding<readonly Value[]>((peer, held) => oneByOne(peer, mingled(held, random)));
  return (peer, frame) => {
    const request = JSON.parse(frame.payload.toString("utf8")) as { readonly id: string; readonly n: number };
    const frames = framesOf(request);
    const last = frames.at(-1) as Value; // never empty
    const roll = random();
    if (roll < 0.6) hold(peer, frames);
    else if (roll < 0.7) oneByOne(peer, [...frames, { ...last, n: "again" }, { ...last, type: "part", n: "again" }]);
    else if (roll < 0.71) {
      oneByOne(peer, frames.slice(0, -1));
      peer.later(random() * LATE_MS, () => peer.json(last));
    } else if (roll < 0.8) {
      const alien = [Number(request.id), `0${request.id}`, "-1", "99999999999999999999", null, [request.id]];
      oneByOne(
        peer,
        alien.flatMap((id) => [
          { id, type: "part", n: "forged" },
          { id, type: "done", n: "forged" },
        ]),
      );
      oneByOne(peer, frames);
    } else oneByOne(peer, frames);
  };
}

/** Merges lists at random, each in its own order. */
function mingled<Item>(lists: readonly (readonly Item[])[], random: () => number): readonly Item[] {
  const turns = shuffle(
    lists.flatMap((list, of) => list.map(() => of)),
    random,
  );
  const left = lists.map((list) => [...list]);
  return turns.map((of) => left[of]?.shift() as Item); // as many turns as items
}

/** Replies of one or two frames without ids, with frames in between that answer nothing. */
function laneMixed(random: () => number): Answer {
  return (peer, frame) => {
    const [, n] = /^get (\d+)$/.exec(frame.payload.toString("utf8")) ?? [];
    if (n === undefined) return;
    const [first, ...rest] = random() < 0.1 ? [`-NO ${n}`] : [`+DATA ${n}`, `+OK ${n}`];
    if (random() < 0.2) peer.text("*event while a request waits");
    if (random() < 0.2) peer.text(`+WAIT ${n}`);
    peer.text(first as string);
    const finish = (): void => {
      if (random() < 0.2) peer.text("*event between two frames");
      for (const text of rest) peer.text(text);
      if (random() < 0.2) peer.text("*event after a reply");
    };
    const roll = random();
    if (roll < 0.001) peer.later(random() * LATE_MS, finish);
    else if (roll < 0.05) peer.later(random() * FLUSH_MS, finish);
    else finish();
  };
}

/** A message without the separator that ends it. */
function withoutSeparator(answer: Answer): Answer {
  return (peer, frame) => answer(peer, { ...frame, payload: stripped(frame) });
}

/** The payload of a frame without the separator. */
export function stripped({ payload }: Frame): Buffer {
  return payload.at(-1) === SEPARATOR.charCodeAt(0) ? payload.subarray(0, -1) : payload;
}

/** All answers of a dialect by name. */
export function answersOf(dialect: DialectName, seed: number, ticks: Ticks): ReadonlyMap<string, Answer> {
  const random = seeded(seed);
  switch (dialect) {
    case "rpc":
      return new Map([
        ["mixed", mixed(random, oneByOne, ticks)],
        ["echo", honest(oneByOne, ticks)],
        ["fuzzed", fuzzed(random)],
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
    case "bundles":
      return new Map(
        Object.entries({
          mixed: mixed(random, inBundle, ticks),
          echo: honest(inBundle, ticks),
          late: late(300),
          binary: inBinary,
          fragments: inFragments(3),
          never,
        }).map(([name, answer]) => [name, withoutSeparator(answer)]),
      );
    case "parts":
      return new Map([
        ["mixed", partsMixed(random)],
        ["never", never],
        ["garbage", instead('{"id":1,')],
      ]);
    case "lane":
      return new Map([
        ["mixed", laneMixed(random)],
        ["never", never],
      ]);
  }
}

/** The number in a request; undefined in a message of the configuration. */
export function numberIn(dialect: DialectName, frame: Frame): number | undefined {
  const text = stripped(frame).toString("utf8");
  if (dialect === "lane") return Number(text.slice("get ".length));
  const { n, params } = JSON.parse(text) as { readonly n?: unknown; readonly params?: readonly unknown[] };
  const number = dialect === "parts" ? n : params?.[0];
  return typeof number === "number" ? number : undefined;
}
