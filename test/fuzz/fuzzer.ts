/**
 * The fuzzer: feeds a target with mutated inputs, and keeps those that break it, and for a while those that show it
 * something new.
 *
 * Inputs that did something new are mutated further. A target names what became of an input; there is no coverage.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shuffle } from "../support/random.ts";
import { root } from "../support/root.ts";

export interface Target {
  readonly name: string;
  /** Good inputs, to begin with. */
  readonly seeds: readonly string[];
  /** Pieces that mean something to the target. */
  readonly tokens: readonly string[];
  /** The most time that one input may take, in milliseconds; 100 by default. */
  readonly slowMs?: number;
  /** Returns what became of the input. Throws if a promise is broken. */
  run(input: Buffer): string | Promise<string>;
}

export interface FuzzOptions {
  readonly random: () => number;
  /** True once the run is to end. */
  readonly isOver: (inputs: number) => boolean;
  /** A folder of inputs that did something new, from which the next run goes on. */
  readonly keepIn?: string;
}

export interface Finding {
  readonly input: Buffer;
  readonly why: string;
}

export interface FuzzResult {
  readonly inputs: number;
  /** How many different things happened. */
  readonly ways: number;
  readonly finding: Finding | undefined;
}

const LENGTH_MAX = 64 * 1024;
const POOL_MAX = 500;
/** The most inputs of earlier runs, or turns, to go on from: each of them is tried first. */
const KEPT_MAX = 50;
const SLOW_MS = 100;
/** The best of several tries counts: a machine may be busy. */
const TRIES = 4;
/** The time to make a finding smaller, in milliseconds: one that is slow may take it all. */
const SHRINK_MS = 10_000;

/** The folder of inputs that once broke a target. All of them are replayed by the tests. */
const CORPUS = join(root, "test", "fuzz", "corpus");

export async function fuzz(target: Target, { random, isOver, keepIn }: FuzzOptions): Promise<FuzzResult> {
  const first = [...target.seeds.map((seed) => Buffer.from(seed)), ...corpusOf(target.name)];
  const pool = [...first, ...shuffle(inputsIn(keepIn), random).slice(0, KEPT_MAX)];
  const seen = new Set<string>();
  let inputs = 0;
  const count = (finding?: Finding): FuzzResult => ({ inputs, ways: seen.size, finding });
  const isNew = (way: string): boolean => seen.size < seen.add(way).size;
  for (const [at, input] of pool.slice().entries()) {
    if (at >= first.length && isOver(0)) break;
    const ran = await attempt(target, input);
    if ("why" in ran) return count({ input, why: ran.why });
    isNew(ran.way);
  }
  for (; !isOver(inputs); inputs += 1) {
    const input = mutated(pick(pool, random), pool, target.tokens, random);
    const ran = await attempt(target, input);
    if ("why" in ran) return count(await shrunk(target, { input, why: ran.why }));
    if (!isNew(ran.way) || pool.length >= POOL_MAX) continue;
    pool.push(input);
    if (keepIn !== undefined) write(keepIn, input);
  }
  return count();
}

/** Feeds one input. @returns what became of it, or the promise that it broke */
export async function attempt(target: Target, input: Buffer): Promise<{ way: string } | { why: string }> {
  const { slowMs = SLOW_MS } = target;
  let way = "";
  for (let tries = 0; tries < TRIES; tries += 1) {
    const began = performance.now();
    try {
      way = wayOf(await target.run(input));
    } catch (error) {
      return { why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (performance.now() - began < slowMs) return { way };
  }
  return { why: `${input.length} bytes took more than ${slowMs} ms, each of ${TRIES} times` };
}

/** The event, without the values that are different each time. */
function wayOf(text: string): string {
  return text
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\d+/g, "0")
    .slice(0, 200);
}

// The corpus.

/** Keeps a finding for ever. @returns its path */
export function keepFinding(target: string, input: Buffer): string {
  return write(join(CORPUS, folderOf(target)), input);
}

export function corpusOf(target: string): readonly Buffer[] {
  return inputsIn(join(CORPUS, folderOf(target)));
}

/** The folder of what a target has shown before, which may be removed at any time. */
export function cacheOf(target: string): string {
  return join(root, "build", "fuzz", folderOf(target));
}

function folderOf(target: string): string {
  return target.replaceAll(/[^a-z0-9]+/g, "-");
}

function inputsIn(folder: string | undefined): readonly Buffer[] {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder).map((name) => readFileSync(join(folder, name)));
}

function write(folder: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash("sha256").update(input).digest("hex").slice(0, 16));
  writeFileSync(path, input);
  return path;
}

// Mutations.

const ODD_BYTES = [0, 9, 10, 13, 32, 34, 44, 48, 58, 91, 92, 93, 123, 125, 127, 128, 0xc0, 0xed, 0xf4, 0xff];
const ODD_TEXTS = [
  "\\ud800",
  "\ufeff",
  "\u2028",
  "1e999",
  "-0",
  "9007199254740993",
  "0x10",
  "null",
  "~1",
  "$id",
  "${A}",
];

function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)] as Item; // random is below 1
}

function mutated(input: Buffer, pool: readonly Buffer[], tokens: readonly string[], random: () => number): Buffer {
  let output = input;
  for (let times = 1 + Math.floor(random() ** 2 * 8); times > 0; times -= 1) {
    output = mutatedOnce(output, pool, tokens, random).subarray(0, LENGTH_MAX);
  }
  return output;
}

function mutatedOnce(input: Buffer, pool: readonly Buffer[], tokens: readonly string[], random: () => number): Buffer {
  const at = Math.floor(random() * (input.length + 1));
  const end = Math.min(input.length, at + 1 + Math.floor(random() ** 3 * input.length));
  const piece = input.subarray(at, end);
  const put = (...middle: readonly Uint8Array[]): Buffer =>
    Buffer.concat([input.subarray(0, at), ...middle, input.subarray(end)]);
  switch (Math.floor(random() * 8)) {
    case 0:
      return put();
    case 1:
      return put(piece, piece);
    case 2:
      return put(...Array.from({ length: 2 ** Math.floor(random() * 12) }, () => piece.subarray(0, 64)));
    case 3:
      return put(Buffer.from([pick(ODD_BYTES, random)]));
    case 4: {
      const other = pick(pool, random);
      return put(other.subarray(Math.floor(random() * other.length)));
    }
    case 5:
      return put(Buffer.from(pick(ODD_TEXTS, random)), piece);
    default:
      return put(Buffer.from(pick(tokens, random)), ...(random() < 0.5 ? [piece] : []));
  }
}

/** Leaves out whatever is not needed to break the target. */
async function shrunk(target: Target, found: Finding): Promise<Finding> {
  let best = found;
  const until = performance.now() + SHRINK_MS;
  for (let size = best.input.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.input.length && performance.now() < until; ) {
      const input = Buffer.concat([best.input.subarray(0, at), best.input.subarray(at + size)]);
      const ran = await attempt(target, input);
      if ("why" in ran) best = { input, why: ran.why };
      else at += size;
    }
  }
  return best;
}
