/** Questions between hosts of a cluster for things that one of them holds, over the bus. */

import type { Engine, OpenAsk, TakeRequest } from "../../cluster/engine.ts";
import type { ClusterCounts } from "../../core/tally.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { CommandOf, FromThread, NoHeldAnswer } from "../contract.ts";
import { hostOf } from "../holder-address.ts";
import type { Work } from "./mark.ts";

export type HeldCommand = CommandOf<"askHolder" | "leaveHolder" | "answerHeld">;

interface HeldEnvironment {
  readonly work: Work;
  post(message: FromThread): void;
  readonly tally: Pick<ClusterCounts, "forwarded">;
  now(): number;
  /** True if a host has been silent for so long that nobody waits for it. */
  isHostGone(host: string): boolean;
  readonly goneAfterMs: number;
}

type SendHeld = Parameters<TakeRequest>[1];

/** The most addresses that are remembered as missing. */
const MISSING_MAX = 1_024;

export class HolderQuestions {
  readonly #upstream: string;
  readonly #engine: Pick<Engine, "ask" | "answer">;
  readonly #env: HeldEnvironment;
  /** Questions of our host, by its numbers. */
  readonly #asked = new TransientMap<number, OpenAsk>();
  /** The addresses where nobody was, each with the first time since somebody was. */
  readonly #missing = new Map<string, number>();
  /** Questions to our host, by ours. */
  readonly #taken = new TransientMap<number, SendHeld>();
  #last = 0;
  #stop: (() => void) | undefined;

  constructor(upstream: string, engine: Pick<Engine, "ask" | "answer">, env: HeldEnvironment) {
    this.#upstream = upstream;
    this.#engine = engine;
    this.#env = env;
  }

  /** Answers at the address of the host's things. */
  start(address: string): void {
    this.#stop = this.#engine.answer(address, this.#take);
  }

  handle(command: HeldCommand): void {
    switch (command.type) {
      case "askHolder":
        this.#ask(command);
        break;
      case "leaveHolder":
        this.#asked.get(command.seq)?.end();
        this.#asked.delete(command.seq);
        break;
      case "answerHeld":
        this.#answer(command);
    }
  }

  /** Answers nobody any more; what is asked already goes on. */
  end(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #ask({ seq, address, question }: CommandOf<"askHolder">): void {
    const { work } = this.#env;
    this.#env.tally.forwarded++;
    const end = (answer: ArrayBuffer | NoHeldAnswer) => {
      if (this.#asked.delete(seq)) this.#env.post({ type: "held", upstream: this.#upstream, seq, answer });
    };
    const ask = this.#engine.ask(address, new Uint8Array(question), {
      answer: (bytes) =>
        work(() => {
          this.#missing.delete(address);
          end(bufferOf(bytes));
        }, undefined),
      nobody: () => work(() => end(this.#isGone(address) ? "nobody" : "apart"), undefined),
      lost: () => work(() => end("lost"), undefined),
    });
    this.#asked.set(seq, ask);
  }

  /**
   * That nobody is at an address is no proof: a thread that has lost the cluster's server dials it again. It is gone
   * once its process has been silent for long, or nobody has been there for as long, whenever one asked.
   */
  #isGone(address: string): boolean {
    if (this.#env.isHostGone(hostOf(address))) return true;
    const now = this.#env.now();
    const since = this.#missing.get(address) ?? now;
    if (!this.#missing.has(address)) {
      if (this.#missing.size >= MISSING_MAX) this.#missing.delete(this.#missing.keys().next().value as string);
      this.#missing.set(address, since);
    }
    return now - since >= this.#env.goneAfterMs;
  }

  readonly #take: TakeRequest = (question, send) => {
    const { work } = this.#env;
    const seq = ++this.#last;
    this.#taken.set(seq, send);
    const asked = { type: "heldAsked", upstream: this.#upstream, seq, question: bufferOf(question) } as const;
    work(() => this.#env.post(asked), undefined);
    return {
      more() {},
      end: () => {
        if (!this.#taken.delete(seq)) return;
        work(() => this.#env.post({ type: "heldLeft", upstream: this.#upstream, seq }), undefined);
      },
    };
  };

  #answer({ seq, answer }: CommandOf<"answerHeld">): void {
    const send = this.#taken.get(seq);
    this.#taken.delete(seq);
    try {
      send?.(new Uint8Array(answer), true);
    } catch {
      // Longer than the bus takes: the asker, who must not wait in vain, cannot read an empty one.
      send?.(new Uint8Array(), true);
    }
  }
}

/** Bytes cross threads as their buffer alone. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
