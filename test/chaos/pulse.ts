/** The pulse of the machine: its current slowness, which must not look like a fault of the product. */
import type { Product } from "../support/product.ts";
import { delay } from "../support/until.ts";

const EVERY_MS = 50;
/** The number of recent measurements considered. */
const KEPT = 40;
/** A service that does not respond for this long has failed, however busy the machine is. */
const DEAD_AFTER_MS = 10_000;

export class Pulse {
  readonly #recent: number[] = [];
  #sentAt = performance.now();
  #going = true;
  readonly #done: Promise<void>;

  constructor(product: Product, dead: (why: string) => void) {
    this.#done = this.#beat(product, dead);
  }

  /** The time that a response may take at present, in milliseconds: the worst of the last seconds. */
  get slackMs(): number {
    return Math.max(0, ...this.#recent, performance.now() - this.#sentAt);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #beat(product: Product, dead: (why: string) => void): Promise<void> {
    while (this.#going) {
      this.#sentAt = performance.now();
      try {
        const response = await product.fetch("/livez", { signal: AbortSignal.timeout(DEAD_AFTER_MS) });
        if (response.status !== 200) dead(`/livez answered ${response.status}`);
        await response.body?.cancel();
      } catch (error) {
        dead(`/livez: ${error}`);
      }
      // The pause itself takes longer on a busy machine, too.
      const respondedAt = performance.now();
      await delay(EVERY_MS);
      this.#recent.push(performance.now() - this.#sentAt - EVERY_MS + Math.max(0, respondedAt - this.#sentAt));
      if (this.#recent.length > KEPT) this.#recent.shift();
    }
  }
}
