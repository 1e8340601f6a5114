/** A writer of lines to a descriptor whose reader may be slow. */

/** The most bytes that wait for a slow reader. Lines beyond it are dropped and counted. */
const WAITING_MAX_BYTES = 1024 * 1024;

/** Writes lines to a descriptor whose reader may be slow, stopped or gone, without ever blocking the caller. */
export class Lines {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #pump: Promise<void> | undefined;

  /** @param write resolves when all bytes were taken; rejects if nobody reads any more */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Queues a text that ends with a newline. */
  push(text: string): void {
    const bytes = this.#encoder.encode(text);
    if (this.#waitingBytes + bytes.byteLength > WAITING_MAX_BYTES) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    this.#pump ??= this.#run();
  }

  /** Resolves when all lines were taken, or after `withinMs`. */
  async flushed(withinMs: number): Promise<void> {
    if (!this.#pump) return;
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([this.#pump, bound]);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    try {
      for (let bytes = this.#waiting.shift(); bytes !== undefined; bytes = this.#waiting.shift()) {
        await this.#write(bytes);
        this.#waitingBytes -= bytes.byteLength;
        if (this.#dropped > 0 && this.#waiting.length === 0) this.#reportDropped();
      }
    } catch {
      // Nobody reads: the waiting lines are lost, and later ones are tried again.
      this.#dropped += this.#waiting.length;
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.#pump = undefined;
  }

  #reportDropped(): void {
    const bytes = this.#encoder.encode(`${JSON.stringify({ message: "log lines dropped", count: this.#dropped })}\n`);
    this.#dropped = 0;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
  }
}
