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
  /** Calls back once: at the next word of a host, or once it has been silent for so long that it is gone. */
  awaitHost(host: string, then: (how: "heard" | "gone") => void): () => void;
}

type SendHeld = Parameters<TakeRequest>[1];

export class HolderQuestions {
  readonly #upstream: string;
  readonly #engine: Pick<Engine, "ask" | "answer">;
  readonly #env: HeldEnvironment;
  /** Questions of our host, by its numbers. */
  readonly #asked = new TransientMap<number, Pick<OpenAsk, "end">>();
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

  /**
   * That nobody is at an address is no proof: a host that has lost the cluster's server dials it again. It is gone if
   * it is silent for long; and what it held at the address is, if it can be heard and still nobody is there.
   *
   * @param isHeard true if the host was heard since nobody was there
   */
  #ask(command: CommandOf<"askHolder">, isHeard = false): void {
    const { work } = this.#env;
    const { seq, address, question } = command;
    if (!isHeard) this.#env.tally.forwarded++;
    const end = (answer: ArrayBuffer | NoHeldAnswer) => {
      if (this.#asked.delete(seq)) this.#env.post({ type: "held", upstream: this.#upstream, seq, answer });
    };
    const onWord = (how: "heard" | "gone") =>
      work(() => (how === "gone" ? end("nobody") : this.#ask(command, true)), undefined);
    const nobody = () => {
      if (isHeard) {
        end("nobody");
        return;
      }
      if (!this.#asked.has(seq)) return;
      const stop = this.#env.awaitHost(hostOf(address), onWord);
      if (this.#asked.has(seq)) this.#asked.set(seq, { end: stop });
    };
    const ask = this.#engine.ask(address, new Uint8Array(question), {
      answer: (bytes) => work(() => end(bufferOf(bytes)), undefined),
      nobody: () => work(nobody, undefined),
      lost: () => work(() => end("lost"), undefined),
    });
    this.#asked.set(seq, ask);
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
