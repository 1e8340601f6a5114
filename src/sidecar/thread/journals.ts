/** The journals of one upstream on its thread, and the reads that wait for messages. */

import { Journal, type Message, type Page, type ReadOptions, type Start } from "../../core/messages/journal.ts";
import { compile, compileWhere, type FrameText } from "../../protocols/condition.ts";
import { checkedJson, textOf } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { FromThread, JournalEpochs, NoPage, ReadCommand } from "../contract.ts";

interface WaitingRead {
  readonly command: ReadCommand;
  /** The options to read on with: after the messages that were examined and did not match. */
  options: ReadOptions;
}

/** The journal of the messages that no subscription claims. */
export const MAIN = "";

export class Journals {
  readonly #upstream: string;
  readonly #bounds: { readonly count: number; readonly bytes: number };
  readonly #post: (message: FromThread) => void;
  readonly #journals = new Map<string, Journal>();
  readonly #waiting = new Map<number, WaitingRead>();
  #retryIsScheduled = false;

  constructor(
    upstream: string,
    bounds: { readonly count: number; readonly bytes: number },
    post: (message: FromThread) => void,
  ) {
    this.#upstream = upstream;
    this.#bounds = bounds;
    this.#post = post;
  }

  open(name: string, { epoch, former }: JournalEpochs): void {
    this.#journals.set(name, new Journal(epoch, this.#bounds, former, Date.now()));
  }

  /** Ends the reads that wait for a message of this journal. */
  remove(name: string): void {
    this.#journals.delete(name);
    this.#scheduleRetry();
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    const all = [...this.#journals.values()];
    const sum = (of: (journal: Journal) => number) => all.reduce((total, journal) => total + of(journal), 0);
    return { messages: sum(({ size }) => size), bytes: sum(({ bytes }) => bytes) };
  }

  /** @returns the message's number; undefined if there is no such journal */
  append(name: string, data: Body, kind: Message["kind"]): number | undefined {
    const journal = this.#journals.get(name);
    journal?.append(data, kind, Date.now());
    this.#scheduleRetry();
    return journal?.newest;
  }

  epochOf(name: string): string | undefined {
    return this.#journals.get(name)?.epoch;
  }

  /** Opens a gap in every journal: the connection is gone. */
  away(why: string): void {
    for (const journal of this.#journals.values()) journal.markAway(Date.now(), why);
  }

  /** Opens a gap in every subscription's journal: on the new connection they are not subscribed yet. */
  handedOver(why: string): void {
    for (const [name, journal] of this.#journals) if (name !== MAIN) journal.markAway(Date.now(), why);
  }

  /** The subscription is not active: readers get the gap so far. */
  still(name: string, why: string): void {
    const journal = this.#journals.get(name);
    journal?.markAway(Date.now(), why);
    journal?.recordAway(Date.now(), why);
    this.#scheduleRetry();
  }

  missed(name: string, why: string): void {
    this.#journals.get(name)?.markMissed(Date.now(), why);
    this.#scheduleRetry();
  }

  back(name: string): void {
    this.#journals.get(name)?.markBack(Date.now());
    this.#scheduleRetry();
  }

  read(command: ReadCommand): void {
    const { after, limit } = command;
    this.#attempt({ command, options: { after, limit, where: filterOf(command) } });
  }

  cancelRead(seq: number): void {
    this.#waiting.delete(seq);
  }

  #attempt(waiting: WaitingRead): void {
    const { command, options } = waiting;
    const journal = this.#journals.get(command.journal);
    const page = journal ? (journal.read(options) ?? "ahead") : "nowhere";
    const due = typeof page === "string" || !command.wait || page.entries.length > 0;
    if (due || isFarFrom(command.after, page, journal?.size ?? 0)) {
      this.#waiting.delete(command.seq);
      this.#postPage(command.seq, page);
      return;
    }
    waiting.options = { ...options, after: { epoch: page.epoch, seq: page.next } };
    this.#waiting.set(command.seq, waiting);
    if (!page.end) this.#scheduleRetry();
  }

  /** Retries the waiting reads at the end of the turn, so that messages of one turn share a page. */
  #scheduleRetry(): void {
    if (this.#retryIsScheduled || this.#waiting.size === 0) return;
    this.#retryIsScheduled = true;
    setImmediate(() => {
      this.#retryIsScheduled = false;
      for (const waiting of [...this.#waiting.values()]) this.#attempt(waiting);
    });
  }

  #postPage(seq: number, page: Page | NoPage): void {
    this.#post({ type: "page", upstream: this.#upstream, seq, page });
  }
}

function filterOf({ where, when }: ReadCommand): ReadOptions["where"] {
  if (where.length === 0 && when === undefined) return undefined;
  const meets = compileWhere(where);
  const holds = when && compile(when);
  return (message) => {
    const seen = seenIn(message);
    return meets(seen) && (holds === undefined || holds(seen));
  };
}

function seenIn({ kind, data }: Message): FrameText {
  return kind === "json" ? checkedJson(data as string) : { text: textOf(data) };
}

/**
 * True if so many messages did not match that the reader needs a newer cursor. From its own it would sooner or later
 * get a gap, for messages that were examined on its behalf. Half of the journal is the limit, so that each new cursor
 * stays valid for as long again.
 */
function isFarFrom(after: Start, { epoch, next }: Page, kept: number): boolean {
  return typeof after !== "string" && after.epoch === epoch && next - after.seq > kept / 2;
}
