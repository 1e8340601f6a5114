import { Journal, type Message, type Page, type ReadOptions, type Start } from "../../core/messages/journal.ts";
import { compileWhere } from "../../protocols/condition.ts";
import { checkedJson } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { FromThread, JournalLife, NoPage, ReadCommand } from "../contract.ts";

/** The journals of one upstream, on its thread, and the readers that wait for news in them. */

interface Waiting {
  readonly command: ReadCommand;
  /** Where it goes on: behind what it has looked at, and what did not match. */
  read: ReadOptions;
}

/** The journal of what nobody has subscribed to by a standing subscription. */
export const MAIN = "";

export class Journals {
  readonly #upstream: string;
  readonly #bounds: { readonly count: number; readonly bytes: number };
  readonly #post: (message: FromThread) => void;
  readonly #journals = new Map<string, Journal>();
  readonly #waiting = new Map<number, Waiting>();
  #awake = false;

  constructor(
    upstream: string,
    bounds: { readonly count: number; readonly bytes: number },
    post: (message: FromThread) => void,
  ) {
    this.#upstream = upstream;
    this.#bounds = bounds;
    this.#post = post;
  }

  open(name: string, { epoch, former }: JournalLife): void {
    this.#journals.set(name, new Journal(epoch, this.#bounds, former, Date.now()));
  }

  /** Who waits for news in it is told that it is gone. */
  remove(name: string): void {
    this.#journals.delete(name);
    this.#wake();
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    const all = [...this.#journals.values()];
    const sum = (of: (journal: Journal) => number) => all.reduce((total, journal) => total + of(journal), 0);
    return { messages: sum(({ size }) => size), bytes: sum(({ bytes }) => bytes) };
  }

  append(name: string, data: Body, kind: Message["kind"]): void {
    this.#journals.get(name)?.append(data, kind, Date.now());
    this.#wake();
  }

  /** The connection is gone, for all of them. */
  away(why: string): void {
    for (const journal of this.#journals.values()) journal.markAway(Date.now(), why);
  }

  /** There is another connection, on which the subscriptions have yet to be asked for. */
  handedOver(why: string): void {
    for (const [name, journal] of this.#journals) if (name !== MAIN) journal.markAway(Date.now(), why);
  }

  still(name: string, why: string): void {
    this.#journals.get(name)?.recordAway(Date.now(), why);
    this.#wake();
  }

  back(name: string): void {
    this.#journals.get(name)?.markBack(Date.now());
    this.#wake();
  }

  read(command: ReadCommand): void {
    const { after, limit } = command;
    const match = command.where.length > 0 ? compileWhere(command.where) : undefined;
    const where = match && (({ kind, data }: Message) => kind === "json" && match(checkedJson(data as string)));
    this.#attempt({ command, read: { after, limit, where } });
  }

  unread(seq: number): void {
    this.#waiting.delete(seq);
  }

  #attempt(waiting: Waiting): void {
    const { command, read } = waiting;
    const journal = this.#journals.get(command.journal);
    const page = journal ? (journal.read(read) ?? "ahead") : "nowhere";
    const due = typeof page === "string" || !command.wait || page.entries.length > 0;
    if (due || isFarFrom(command.after, page, journal?.size ?? 0)) {
      this.#waiting.delete(command.seq);
      this.#answer(command.seq, page);
      return;
    }
    waiting.read = { ...read, after: { epoch: page.epoch, seq: page.next } };
    this.#waiting.set(command.seq, waiting);
    if (!page.end) this.#wake();
  }

  /** What comes in one turn is told together. */
  #wake(): void {
    if (this.#awake || this.#waiting.size === 0) return;
    this.#awake = true;
    setImmediate(() => {
      this.#awake = false;
      for (const waiting of [...this.#waiting.values()]) this.#attempt(waiting);
    });
  }

  #answer(seq: number, page: Page | NoPage): void {
    this.#post({ type: "page", upstream: this.#upstream, seq, page });
  }
}

/**
 * Whether so much went by unmatched that the reader must be told where it is: from its own cursor it would be shown a
 * gap, sooner or later, for messages that were looked at in its name. Each time as much as half of what is kept, so that
 * a cursor stays good for as long again.
 */
function isFarFrom(after: Start, { epoch, next }: Page, kept: number): boolean {
  return typeof after !== "string" && after.epoch === epoch && next - after.seq > kept / 2;
}
