/** The filters of journals' readers: readers with the same filter share it, and what it has found. */

import type { Message, MessageFilter } from "../../core/messages/journal.ts";
import { compile, compileWhere, type FrameText, rulesIn, type Test, whereInSteps } from "../../protocols/condition.ts";
import { checkedJson, textOf } from "../../protocols/json-message.ts";
import type { ReadCommand } from "../contract.ts";
import { inTurns } from "../turns.ts";

type Filtered = Pick<ReadCommand, "journal" | "where" | "when">;

/** The filters to remember, so that a reader that comes back page by page scans no message twice. */
const REMEMBERED_MAX = 64;
/** The matches of a filter to remember. */
const MATCHES_MAX = 10_000;
/** A message of more bytes is examined in several turns; and of how many the result is remembered. */
const LARGE = 64 * 1024;
const LARGE_MAX = 256;

/** Examines large messages one at a time, since each is there as a text meanwhile. */
class Examiner {
  #isBusy = false;
  #waiting: (() => void)[] = [];

  get isBusy(): boolean {
    return this.#isBusy;
  }

  examine(steps: Iterator<undefined, boolean>, onFound: (found: boolean) => void): void {
    this.#isBusy = true;
    void inTurns(steps).then((found) => {
      onFound(found);
      this.#isBusy = false;
      for (const listener of this.#waiting.splice(0)) listener();
    });
  }

  /** Calls `listener` when the current examination has ended. */
  onFree(listener: () => void): void {
    this.#waiting.push(listener);
  }
}

export class JournalFilters {
  readonly #filters = new Map<string, Filter>();
  readonly #examiner = new Examiner();

  /** @returns undefined if every message is wanted */
  of(wanted: Filtered): Filter | undefined {
    const { journal, where, when } = wanted;
    if (where.length === 0 && when === undefined) return undefined;
    const key = JSON.stringify([journal, where, when]);
    const filter = this.#filters.get(key) ?? new Filter(wanted, this.#examiner);
    // The least recently used one is the first.
    this.#filters.delete(key);
    this.#filters.set(key, filter);
    if (this.#filters.size > REMEMBERED_MAX) this.#filters.delete(this.#filters.keys().next().value as string);
    return filter;
  }

  /** True if a reader waits for the examination of the message `seq`. Then `listener` is called at its end. */
  awaits(filter: MessageFilter | undefined, seq: number, listener: () => void): boolean {
    const waits = this.#examiner.isBusy && filter instanceof Filter && filter.heldAt === seq;
    if (waits) this.#examiner.onFree(listener);
    return waits;
  }

  /** Forgets what was found in a journal that is no more: another may come under its name. */
  forget(): void {
    this.#filters.clear();
  }
}

export class Filter implements MessageFilter {
  readonly rules: number;
  /** The large message that it did not know when it was last asked. */
  heldAt = 0;
  readonly #where: ReadCommand["where"];
  readonly #test: Test;
  readonly #holds: Test | undefined;
  /** Every message behind `#from`, up to `#to`, is known to match or not. */
  #from = 0;
  #to = 0;
  /** The matches among them, in order. */
  #matches: number[] = [];
  /** Findings about large messages, the newest last. */
  readonly #large = new Map<number, boolean>();
  readonly #examiner: Examiner;

  constructor({ where, when }: Filtered, examiner: Examiner) {
    this.#examiner = examiner;
    this.#where = where;
    this.#test = compileWhere(where);
    this.#holds = when && compile(when);
    this.rules = where.length + (when ? rulesIn(when) : 0);
  }

  known(seq: number): boolean | undefined {
    if (seq <= this.#from || seq > this.#to) return undefined;
    let low = 0;
    let high = this.#matches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#matches[middle] as number) < seq) low = middle + 1;
      else high = middle;
    }
    return this.#matches[low] === seq;
  }

  selects(seq: number, bytes: number, message: () => Message): boolean | undefined {
    const isLarge = bytes > LARGE && this.#where.length > 0;
    const selected = isLarge ? this.#large.get(seq) : this.#meets(seenIn(message()));
    if (selected !== undefined) return this.#learn(seq, selected);
    this.heldAt = seq;
    if (!this.#examiner.isBusy) this.#examine(seq, seenIn(message()));
    return undefined;
  }

  #meets(seen: FrameText): boolean {
    return this.#test(seen) && (this.#holds === undefined || this.#holds(seen));
  }

  #examine(seq: number, seen: FrameText): void {
    this.#examiner.examine(whereInSteps(this.#where, seen), (found) => {
      this.#large.set(seq, found && (this.#holds === undefined || this.#holds(seen)));
      if (this.#large.size > LARGE_MAX) this.#large.delete(this.#large.keys().next().value as number);
    });
  }

  #learn(seq: number, selected: boolean): boolean {
    // A reader further back has its messages still before it; one further on asks for each of them once.
    if (seq <= this.#from || (seq > this.#to + 1 && this.#to === this.#from)) {
      this.#from = seq - 1;
      this.#to = seq - 1;
      this.#matches = [];
    }
    if (seq !== this.#to + 1) return selected;
    this.#to = seq;
    if (selected) this.#matches.push(seq);
    if (this.#matches.length > MATCHES_MAX) this.#from = this.#matches.splice(0, MATCHES_MAX / 2).at(-1) as number;
    return selected;
  }
}

function seenIn({ kind, data }: Message): FrameText {
  return kind === "json" ? checkedJson(data as string) : { text: textOf(data) };
}
