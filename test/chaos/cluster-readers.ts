/** Readers of a cluster's messages at every replica, and the order of messages that all of them must see. */
import type { Item, PageBody } from "../support/messages.ts";
import { MESSAGES } from "../support/messages.ts";
import { delay } from "../support/until.ts";
import type { Replica } from "./cluster-replica.ts";

/** The pause after a replica that cannot be read just now. */
const AGAIN_MS = 100;

/** The entries that anybody has read: each cursor stands for the same at each replica. */
export class MessageOrder {
  readonly #entries = new Map<string, string>();
  readonly #problem: (text: string) => void;

  constructor(problem: (text: string) => void) {
    this.#problem = problem;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Compares an entry with what another reader has seen under its cursor. */
  add(reader: string, cursor: string, content: string): void {
    const known = this.#entries.get(cursor);
    if (known === undefined) this.#entries.set(cursor, content);
    else if (known !== content) this.#problem(`${reader} read ${content} at ${cursor}, which is ${known} for another`);
  }
}

/** What one reader has read: numbers that rise, entries without a hole, and a gap wherever a number is missing. */
export class ReadLog {
  readonly name: string;
  readonly #order: MessageOrder;
  readonly #problem: (text: string) => void;
  #cursor: string | undefined;
  #isExcused = false;
  /** The number of the last message. */
  last = 0;
  /** Messages that are missing in gaps. */
  missing = 0;
  readonly gaps: Record<string, number> = {};

  constructor(name: string, order: MessageOrder, problem: (text: string) => void) {
    this.name = name;
    this.#order = order;
    this.#problem = problem;
  }

  /** Begins behind messages that are no longer kept. */
  skip(): void {
    this.#cursor = undefined;
    this.#isExcused = true;
  }

  take(items: readonly Item[]): void {
    for (const { cursor, gap, data } of items) {
      const content = gap ? `a gap: ${gap.reason}` : String((data as { params?: unknown[] }).params?.[0]);
      this.#order.add(this.name, cursor, content);
      this.#follow(cursor, content, gap !== undefined);
      if (gap) this.#onGap(gap.reason, cursor);
      else this.#onMessage(Number(content), cursor);
    }
  }

  /** The numbers of a term begin anew, further on: in front of a gap alone. */
  #follow(cursor: string, content: string, isGap: boolean): void {
    if (this.#cursor !== undefined && !isNext(this.#cursor, cursor, isGap))
      this.#problem(`${this.name} read ${content} at ${cursor} after ${this.#cursor}`);
    this.#cursor = cursor;
  }

  #onGap(reason: string, cursor: string): void {
    this.gaps[reason] = (this.gaps[reason] ?? 0) + 1;
    this.#isExcused = true;
    if (reason !== "away") this.#problem(`${this.name} read a gap with the reason ${reason} at ${cursor}`);
  }

  #onMessage(n: number, cursor: string): void {
    const missing = n - this.last - 1;
    if (missing < 0) this.#problem(`${this.name} read message ${n} at ${cursor} after ${this.last}`);
    else if (missing > 0 && this.#isExcused) this.missing += missing;
    else if (missing > 0) this.#problem(`${this.name} read ${n} at ${cursor} after ${this.last}, without a gap`);
    this.#isExcused = false;
    this.last = Math.max(this.last, n);
  }
}

function isNext(one: string, other: string, isGap: boolean): boolean {
  const [[epoch, seq], [otherEpoch, otherSeq]] = [one, other].map((cursor) => cursor.split(/-(?=\d+$)/)) as [
    [string, string],
    [string, string],
  ];
  const step = Number(otherSeq) - Number(seq);
  return epoch === otherEpoch && (step === 1 || (isGap && step > 1));
}

export class ChaosReader {
  readonly log: ReadLog;
  readonly #pick: () => Replica;
  readonly #problem: (text: string) => void;
  readonly #done: Promise<void>;
  #isGoing = true;
  /** Pages, and reads that a replica could not answer. */
  pages = 0;
  refused = 0;

  /** @param pick the replica of the next page */
  constructor(log: ReadLog, pick: () => Replica, problem: (text: string) => void) {
    this.log = log;
    this.#pick = pick;
    this.#problem = problem;
    this.#done = this.#read();
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    await this.#done;
  }

  async #read(): Promise<void> {
    let after = "earliest";
    while (this.#isGoing) {
      const page = await this.#page(this.#pick(), after);
      if (page) {
        this.pages++;
        this.log.take(page.messages);
        after = page.next;
      } else await delay(AGAIN_MS);
    }
  }

  async #page(replica: Replica, after: string): Promise<PageBody | undefined> {
    if (!replica.isUp) return undefined;
    const { generation } = replica;
    try {
      const response = await replica.product.fetch(`${MESSAGES}?limit=500&wait=1s&after=${after}`);
      const text = await response.text();
      if (response.status === 200) return JSON.parse(text) as PageBody;
      this.refused++;
      const { code, resume } = JSON.parse(text) as { readonly code?: string; readonly resume?: string };
      const isHonest = code === "upstream_down" || code === "shutting_down";
      if (!isHonest) this.#problem(`${replica.name} refused the page after ${after}: ${response.status} ${text}`);
      if (resume === undefined) return undefined;
      this.log.skip();
      return { messages: [], next: resume };
    } catch (error) {
      const hasEnded = !replica.isUp || replica.generation !== generation;
      if (!hasEnded) this.#problem(`${replica.name} gave no page after ${after}: ${error}`);
    }
    return undefined;
  }
}
