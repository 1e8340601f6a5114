/** The host's side of questions between replicas for things that one of them holds. */

import { randomBytes } from "node:crypto";
import { deferred } from "../../core/util/deferred.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { CommandOf, FromThread, NoHeldAnswer } from "../contract.ts";
import { holderAddress } from "../holder-address.ts";

/** Answers a question of another replica. `left` aborts once it does not ask any more. */
export type AnswerHeld = (question: Uint8Array, left: AbortSignal) => Promise<Uint8Array>;

/** `silent`: no answer came in time. `full`: too many questions are open. */
export type HolderAnswer = Uint8Array | NoHeldAnswer | "silent" | "full";

/** The name of this process among the others. */
const HOST = randomBytes(16).toString("base64url");
let addresses = 0;

/** Questions that are open at once, in each direction. */
const QUESTIONS_MAX = 1_024;

type Post = (message: CommandOf<"askHolder" | "leaveHolder" | "answerHeld">) => void;

export class HeldThings {
  /** The address of what this host holds for an upstream: nobody else has it, nor this one after a restart. */
  readonly address = holderAddress(HOST, ++addresses);
  readonly #upstream: string;
  readonly #post: Post;
  readonly #answer: AnswerHeld;
  readonly #asked = new TransientMap<number, (answer: HolderAnswer) => void>();
  readonly #answering = new TransientMap<number, AbortController>();
  #last = 0;

  constructor(upstream: string, post: Post, answer: AnswerHeld) {
    this.#upstream = upstream;
    this.#post = post;
    this.#answer = answer;
  }

  /** @param left ends the question: the promise resolves with `lost` then */
  async ask(address: string, question: Uint8Array, withinMs: number, left: AbortSignal): Promise<HolderAnswer> {
    if (this.#asked.size >= QUESTIONS_MAX) return "full";
    if (left.aborted) return "lost";
    const seq = ++this.#last;
    const upstream = this.#upstream;
    const { promise, resolve } = deferred<HolderAnswer>();
    const leave = (how: "silent" | "lost") => {
      this.#post({ type: "leaveHolder", upstream, seq });
      resolve(how);
    };
    const onLeft = () => leave("lost");
    const timer = setTimeout(() => leave("silent"), withinMs);
    left.addEventListener("abort", onLeft, { once: true });
    this.#asked.set(seq, resolve);
    this.#post({ type: "askHolder", upstream, seq, address, question: new Uint8Array(question).buffer });
    const answer = await promise;
    clearTimeout(timer);
    left.removeEventListener("abort", onLeft);
    this.#asked.delete(seq);
    return answer;
  }

  receive(message: Extract<FromThread, { type: "held" | "heldAsked" | "heldLeft" }>): void {
    const { seq } = message;
    if (message.type === "heldAsked") void this.#take(seq, new Uint8Array(message.question));
    else if (message.type === "heldLeft") this.#answering.get(seq)?.abort();
    else this.#asked.get(seq)?.(typeof message.answer === "string" ? message.answer : new Uint8Array(message.answer));
  }

  /** The thread has died, with all questions. */
  crashed(): void {
    for (const resolve of this.#asked.values()) resolve("lost");
    for (const left of this.#answering.values()) left.abort();
    this.#answering.clear();
  }

  async #take(seq: number, question: Uint8Array): Promise<void> {
    const left = new AbortController();
    // Beyond the bound nobody waits: the answer is what is known now.
    if (this.#answering.size >= QUESTIONS_MAX) left.abort();
    this.#answering.set(seq, left);
    const answer = await this.#answer(question, left.signal);
    if (this.#answering.get(seq) !== left) return; // The thread that asked is no more.
    this.#answering.delete(seq);
    this.#post({ type: "answerHeld", upstream: this.#upstream, seq, answer: new Uint8Array(answer).buffer });
  }
}
