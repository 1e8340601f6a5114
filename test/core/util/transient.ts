/**
 * A program that prints how many bytes of an entry outlive the next small collections, for a map and a set. It needs
 * `--expose-gc`.
 */
import process from "node:process";
import { TransientMap, TransientSet } from "../../../src/core/util/transient.ts";

const AT_A_TIME = 64;
const ENTRIES = 4_000;
/** The size of the array that each entry holds, in numbers of eight bytes. */
const HELD = 500;

const gc = (globalThis as { gc?: (options?: { type: "minor" }) => void }).gc ?? process.exit(2);

/** Objects that survive two small collections have grown old. */
function age(): void {
  for (let time = 0; time < 3; time++) gc({ type: "minor" });
}

interface Held {
  readonly numbers: readonly number[];
}

function left(add: (entry: Held) => void, remove: (entry: Held) => void): number {
  const entries: Held[] = [];
  const pass = (count: number) => {
    for (let index = 0; index < count; index++) {
      const entry = { numbers: new Array(HELD).fill(0.5) };
      add(entry);
      if (entries.push(entry) > AT_A_TIME) remove(entries.shift() as Held);
    }
  };
  pass(AT_A_TIME);
  gc();
  age();
  pass(ENTRIES);
  age();
  const before = process.memoryUsage().heapUsed;
  gc();
  return Math.round((before - process.memoryUsage().heapUsed) / ENTRIES);
}

const map = new TransientMap<Held, Held>();
const set = new TransientSet<Held>();
const ofMap = left(
  (entry) => map.set(entry, entry),
  (entry) => map.delete(entry),
);
const ofSet = left(
  (entry) => set.add(entry),
  (entry) => set.delete(entry),
);
console.log(ofMap, ofSet);
