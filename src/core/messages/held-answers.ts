/** Answers to the upstream that wait until the message they acknowledge has been delivered or read. */
import type { AnswerForm, Body } from "../../protocols/protocol.ts";
import type { Counters } from "../outcome.ts";

/** An answer, and the connection that its request came over. */
export interface HeldAnswer {
  readonly connection: number;
  readonly frame: Body;
  /** True if the frame carries an id that is not the upstream's. */
  readonly adopt: boolean;
  /** Set if captured values are put into it when it goes out. */
  readonly fill?: AnswerForm | undefined;
  /** How long it may wait, in milliseconds. */
  readonly withinMs: number;
}

/** The place of a kept message. One message may be in several journals. */
export interface KeptAt {
  readonly journal: string;
  readonly seq: number;
}

interface Waiting {
  readonly answer: HeldAnswer;
  readonly until: number;
  places: readonly KeptAt[];
}

/** The most answers that wait: an upstream may send requests faster than they are delivered. */
const HELD_MAX = 1_000;

/**
 * Without a delivery in time nothing is sent: what the upstream does about a request without its answer is its own.
 * Pure: inputs are method calls with the time as an argument.
 */
export class HeldAnswers {
  readonly #waiting = new Set<Waiting>();
  readonly #byPlace = new Map<string, Waiting>();
  /** No answer is due before this. */
  #next = Number.POSITIVE_INFINITY;
  readonly counters: Pick<Counters, "unanswered">;

  /** @param counters count the answers that are never sent */
  constructor(counters: Pick<Counters, "unanswered"> = { unanswered: 0 }) {
    this.counters = counters;
  }

  /** When `expire` must be called, or a moment before; undefined if none waits. Looked up after every frame. */
  get nextDeadline(): number | undefined {
    return this.#waiting.size === 0 ? undefined : this.#next;
  }

  /** @param places where the message is kept; if nowhere, it can never be delivered */
  hold(answer: HeldAnswer, places: readonly KeptAt[], now: number): void {
    if (places.length === 0 || this.#waiting.size >= HELD_MAX) {
      this.counters.unanswered++;
      return;
    }
    const waiting = { answer, until: now + answer.withinMs, places };
    this.#next = this.#waiting.size === 0 ? waiting.until : Math.min(this.#next, waiting.until);
    this.#waiting.add(waiting);
    for (const place of places) this.#byPlace.set(keyOf(place), waiting);
  }

  /** A message that was held for under a preliminary number is kept under this one. */
  move(journal: string, from: number, to: number): void {
    const waiting = this.#byPlace.get(keyOf({ journal, seq: from }));
    if (!waiting) return;
    this.#byPlace.delete(keyOf({ journal, seq: from }));
    this.#byPlace.set(keyOf({ journal, seq: to }), waiting);
    const isIt = (place: KeptAt) => place.seq === from && place.journal === journal;
    waiting.places = waiting.places.map((place) => (isIt(place) ? { journal, seq: to } : place));
  }

  /** Returns the answers whose messages have been delivered, in their order. */
  delivered(journal: string, seqs: readonly number[]): readonly HeldAnswer[] {
    if (this.#waiting.size === 0) return [];
    return seqs.flatMap((seq) => {
      const waiting = this.#byPlace.get(keyOf({ journal, seq }));
      if (!waiting) return [];
      this.#forget(waiting);
      return [waiting.answer];
    });
  }

  /** Returns the answers to all messages of a journal up to this one, in their order. */
  acknowledged(journal: string, through: number): readonly HeldAnswer[] {
    const isMeant = ({ places }: Waiting) => places.some((place) => place.journal === journal && place.seq <= through);
    const meant = [...this.#waiting].filter(isMeant);
    for (const waiting of meant) this.#forget(waiting);
    return meant.map(({ answer }) => answer);
  }

  /** Drops the answers to requests that came over a connection which has ended. */
  lost(connection: number): void {
    this.#drop(({ answer }) => answer.connection === connection);
  }

  /** Drops the answers whose time is up. */
  expire(now: number): void {
    this.#drop(({ until }) => until <= now);
    this.#next = [...this.#waiting].reduce((next, { until }) => Math.min(next, until), Number.POSITIVE_INFINITY);
  }

  #drop(isMeant: (waiting: Waiting) => boolean): void {
    for (const waiting of [...this.#waiting]) {
      if (!isMeant(waiting)) continue;
      this.#forget(waiting);
      this.counters.unanswered++;
    }
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    for (const place of waiting.places) this.#byPlace.delete(keyOf(place));
  }
}

function keyOf({ journal, seq }: KeptAt): string {
  return `${seq} ${journal}`;
}
