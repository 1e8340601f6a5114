/** The host's side of an upstream's lines: opens each of them to every new thread. */

import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import type { ToThread } from "../contract.ts";
import {
  end,
  LINE_IDS,
  type Line,
  type LineOrder,
  newWords,
  type OrderReply,
  ring,
  type Supply,
  Word,
} from "../line.ts";
import type { SidecarThread } from "./supervised-thread.ts";

/** The most lines of an upstream: each has a port, and may have one request in flight beyond `limits.in_flight`. */
const LINES_MAX = 256;

interface HostLine {
  readonly id: number;
  readonly shared: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly supply: MessagePort;
}

/** The thread of the upstream, which may be another one later. */
type HostThread = Pick<SidecarThread, "listens" | "flush" | "hung">;

/** Carries out the orders of lines. */
export interface LineOrders {
  /** Loads what the order needs. */
  prepare(order: string): Promise<void>;
  /** @returns true if a subscription was added. @throws SidesocketError if it cannot be */
  subscribe(name: string, order: string): boolean;
  /** @throws SidesocketError if there is no such subscription, or it is not the caller's to remove */
  unsubscribe(name: string): void;
}

const noOrders: LineOrders = {
  prepare: () => Promise.resolve(),
  subscribe() {
    throw refused("invalid_request", "this sidecar takes no subscriptions from lines");
  },
  unsubscribe() {},
};

/**
 * Ids are drawn for all upstreams of the process: those of one thread must differ. One that is free again is drawn once
 * all others were, when nothing of its last line can be on its way any more.
 */
const used = new Set<number>();
let lastId = 0;

function drawId(): number {
  if (used.size === LINE_IDS) throw refused("too_many_in_flight", `this process has ${LINE_IDS} lines already`);
  do lastId = (lastId % LINE_IDS) + 1;
  while (used.has(lastId));
  used.add(lastId);
  return lastId;
}

export class BlockingLines {
  readonly #upstream: string;
  readonly #thread: () => HostThread;
  readonly #post: (message: ToThread) => void;
  readonly #lines = new Map<number, HostLine>();
  #closed = false;
  #orders = noOrders;

  constructor(upstream: string, thread: () => HostThread, post: (message: ToThread) => void) {
    this.#upstream = upstream;
    this.#thread = thread;
    this.#post = post;
  }

  /** The number of lines. */
  get size(): number {
    return this.#lines.size;
  }

  takeOrders(orders: LineOrders): void {
    this.#orders = orders;
  }

  /** Carries out an order of a caller on this thread, which nobody could wait for. */
  order(order: LineOrder): OrderReply {
    const { number } = order;
    try {
      if (order.type === "subscribe") return { number, created: this.#orders.subscribe(order.name, order.order) };
      this.#orders.unsubscribe(order.name);
      return { number, created: false };
    } catch (error) {
      const internal: Failure = { code: "internal_error", sent: "no", detail: String(error) };
      return { number, created: false, failure: error instanceof SidesocketError ? error.failure : internal };
    }
  }

  async #onOrder({ supply, words }: HostLine, order: LineOrder): Promise<void> {
    // An order that could not be prepared is refused with the reason.
    if (order.type === "subscribe") await this.#orders.prepare(order.order).catch(() => {});
    supply.postMessage(this.order(order));
    ring(words);
  }

  /** @throws SidesocketError `too_many_in_flight` if there are too many lines, `shutting_down` after `close` */
  create(): Line {
    if (this.#closed) throw refused("shutting_down", "the sidecar has exited, or is about to");
    if (this.#lines.size === LINES_MAX) {
      throw refused("too_many_in_flight", `there are ${LINES_MAX} lines already: close those that are not used`);
    }
    const { port1: supply, port2 } = new MessageChannel();
    const shared = newWords();
    const line: HostLine = { id: drawId(), shared, words: new Int32Array(shared), supply };
    this.#lines.set(line.id, line);
    // The caller has closed the line, or its thread has ended.
    supply.on("close", () => this.#remove(line.id));
    supply.on("message", (order: LineOrder) => void this.#onOrder(line, order));
    supply.unref();
    // A thread that does not listen yet gets it among its opening messages.
    if (this.#thread().listens) this.#post(this.#opening(line));
    this.flush();
    return { upstream: this.#upstream, id: line.id, words: shared, supply: port2 };
  }

  /** Lets everything go that this thread has posted, before it blocks. */
  flush(): void {
    this.#thread().flush();
  }

  /** A caller beside the host has found that the thread hangs. */
  hung(detail: string): void {
    this.#thread().hung(detail);
  }

  /** The messages that open every line on a new thread. */
  openingMessages(): readonly ToThread[] {
    return [...this.#lines.values()].map((line) => this.#opening(line));
  }

  /** Wakes all callers: nothing comes from the thread that was the last. */
  crashed(): void {
    for (const { words } of this.#lines.values()) end(words, Atomics.load(words, Word.opened));
  }

  /** Refuses new requests. Those on their way still end as the exit has it. */
  close(): void {
    this.#closed = true;
    for (const { words } of this.#lines.values()) {
      Atomics.store(words, Word.closed, 1);
      ring(words);
    }
  }

  /** The thread is gone and none will follow. */
  end(): void {
    this.close();
    this.crashed();
    for (const { id, supply } of this.#lines.values()) {
      supply.close();
      used.delete(id);
    }
    this.#lines.clear();
  }

  #opening({ id, shared, words, supply }: HostLine): ToThread {
    const { port1, port2 } = new MessageChannel();
    const thread = Atomics.add(words, Word.opened, 1) + 1;
    supply.postMessage({ port: port1, thread } satisfies Supply, [port1]);
    ring(words);
    return { type: "line", upstream: this.#upstream, line: id, thread, words: shared, port: port2 };
  }

  #remove(id: number): void {
    if (!this.#lines.delete(id)) return;
    used.delete(id);
    this.#post({ type: "unline", upstream: this.#upstream, line: id });
  }
}
