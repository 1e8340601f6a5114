/** Numbered messages of a subscription: the upstream's end, and a reader that finds every one that is missing. */
import type { Peer } from "../faults/peer.ts";
import { type Request, replyTo } from "../faults/replies.ts";
import type { Item } from "../support/messages.ts";
import type { Product } from "../support/product.ts";
import { delay } from "../support/until.ts";

type Value = Readonly<Record<string, unknown>>;

/**
 * Numbers the ticks over all connections and subscriptions. Its ids for subscriptions count up from 1, so they equal
 * the ids of requests. Some ticks come before the confirmation, and now and then it ends a subscription.
 */
export class Ticks {
  readonly #random: () => number;
  readonly #ids = new Map<Peer, number>();
  #lastId = 0;
  sent = 0;
  ended = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The frames that answer a request to subscribe. */
  subscribe(peer: Peer, request: Request): readonly Value[] {
    const id = ++this.#lastId;
    this.#ids.set(peer, id);
    const early = Array.from({ length: Math.floor(this.#random() * 3) }, () => this.#tick(id));
    return [...early, replyTo(request, id), this.#tick(id)];
  }

  /** The frames beside a reply: mostly none. */
  beside(peer: Peer): readonly Value[] {
    const id = this.#ids.get(peer);
    if (id === undefined || this.#random() > 0.05) return [];
    if (this.#random() > 0.02) return [this.#tick(id)];
    this.#ids.delete(peer);
    this.ended += 1;
    return [{ jsonrpc: "2.0", method: "ended", params: { subscription: id } }];
  }

  #tick(id: number): Value {
    this.sent += 1;
    return { jsonrpc: "2.0", method: "tick", params: { subscription: id, n: this.sent } };
  }
}

export interface TickOptions {
  readonly upstream: string;
  /** True where no connection breaks: then only a gap for want of room excuses a missing message. */
  readonly lossless: boolean;
  readonly problem: (text: string) => void;
}

/** Follows the subscription `ticks` from its beginning. Ticks must come in order, once, and be missing only in gaps. */
export class TickReader {
  readonly #product: Product;
  readonly #options: TickOptions;
  readonly #done: Promise<void>;
  #going = true;
  /** True if a gap since the last tick excuses missing ones. */
  #excused = false;
  last = 0;
  gaps = 0;

  constructor(product: Product, options: TickOptions) {
    this.#product = product;
    this.#options = options;
    this.#done = this.#read();
  }

  /** Reads what is left, which ends with the tick of this number if none was lost. */
  async finish(sent: number, within = 5_000): Promise<void> {
    const until = performance.now() + within;
    while (this.#options.lossless && this.last < sent && performance.now() < until) await delay(20);
    this.#going = false;
    await this.#done;
    if (!this.#options.lossless || this.last === sent) return;
    this.#options.problem(`${this.#options.upstream}: the last tick read is ${this.last} of ${sent}`);
  }

  async #read(): Promise<void> {
    const path = `/v1/upstreams/${this.#options.upstream}/subscriptions/ticks/messages`;
    let after = "earliest";
    while (this.#going) {
      try {
        const response = await this.#product.fetch(`${path}?limit=1000&wait=500ms&after=${after}`);
        const text = await response.text();
        if (response.status !== 200) throw new Error(`${response.status} ${text}`);
        const { messages, next } = JSON.parse(text) as { messages: readonly Item[]; next: string };
        for (const item of messages) this.#take(item);
        after = next;
      } catch (error) {
        this.#options.problem(`${this.#options.upstream}: its ticks cannot be read: ${error}`);
        return;
      }
    }
  }

  #take({ gap, data }: Item): void {
    const { problem, upstream, lossless } = this.#options;
    if (gap) {
      this.#excused ||= !lossless || gap.reason === "overflow";
      this.gaps += 1;
      return;
    }
    const { n } = (data as { readonly params: { readonly n?: number } }).params;
    if (n === undefined) return; // The message that ended the subscription.
    if (n <= this.last) problem(`${upstream}: tick ${n} came after ${this.last}`);
    else if (n > this.last + 1 && !this.#excused) problem(`${upstream}: no tick from ${this.last} to ${n}`);
    this.#excused = false;
    this.last = Math.max(this.last, n);
  }
}
