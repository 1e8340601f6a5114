/** Readers of the product's messages: pages, and streams of lines or events. */
import assert from "node:assert/strict";
import type { Product } from "./product.ts";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "./until.ts";

export interface GapFacts {
  readonly after: string | null;
  readonly before: string;
  readonly dropped: number | null;
  readonly reason: string;
  readonly filled?: boolean;
  readonly why?: string;
}

export interface Item {
  readonly cursor: string;
  readonly at: string;
  readonly data?: unknown;
  readonly encoding?: string;
  readonly reply?: string;
  readonly gap?: GapFacts;
}

export interface PageBody {
  readonly messages: readonly Item[];
  readonly next: string;
}

export const MESSAGES = "/v1/upstreams/default/messages";

export async function page(product: Product, query = "", path = MESSAGES): Promise<PageBody> {
  const response = await product.fetch(`${path}${query}`);
  assert.equal(response.status, 200, `${query} ${response.status === 200 ? "" : await response.text()}`);
  return (await response.json()) as PageBody;
}

/** One event of a stream, as an EventSource would see it; `data` is undefined for one without data. */
export interface StreamEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/** Parses the complete events in the text of a stream. */
export function eventsIn(text: string): StreamEvent[] {
  const blocks = text.split("\n\n").slice(0, -1);
  return blocks.map((block) => {
    const fields = block.split("\n").map((line): [string, string] => {
      const at = line.indexOf(": ");
      return [line.slice(0, at), line.slice(at + 2)];
    });
    const of = (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value);
    const data = of("data");
    return {
      name: of("event")[0] ?? "message",
      id: of("id")[0],
      data: data.length > 0 ? data.join("\n") : undefined,
    };
  });
}

/** A stream that is being read. */
export class Stream {
  readonly response: Response;
  text = "";
  ended = false;
  /** Each line is parsed once: a wait for the twenty thousandth message checks at every chunk. */
  #unparsed = "";
  readonly #lines: Item[] = [];
  readonly #watch = new Watch();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(response: Response) {
    assert.ok(response.body);
    this.response = response;
    this.#reader = response.body.getReader();
  }

  /** Opens a stream; with a `body`, by POST. */
  static async open(
    product: Product,
    path: string,
    headers: Record<string, string>,
    t: Cleanup,
    body?: object,
  ): Promise<Stream> {
    const post = {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    };
    const response = await fetch(new URL(path, product.url), body ? post : { headers });
    assert.equal(response.status, 200);
    const stream = new Stream(response);
    t.after(() => stream.leave());
    stream.#readOn();
    return stream;
  }

  /** The complete events. */
  get events(): StreamEvent[] {
    return eventsIn(this.text);
  }

  /** The events with data. */
  get dataEvents(): StreamEvent[] {
    return this.events.filter(({ data }) => data !== undefined);
  }

  /** The complete lines. */
  get lines(): readonly Item[] {
    const lines = this.#unparsed.split("\n");
    this.#unparsed = lines.pop() ?? "";
    for (const line of lines) this.#lines.push(JSON.parse(line) as Item);
    return this.#lines;
  }

  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, {
      ...options,
      what: () => `${typeof options.what === "string" ? options.what : "the stream"}; it has: ${this.text.slice(-500)}`,
    });
  }

  async leave(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #readOn(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        const text = decoder.decode(value, { stream: true });
        this.text += text;
        this.#unparsed += text;
        this.#watch.changed();
      }
    } catch {
      // A cut shows in `ended`.
    }
    this.ended = true;
    this.#watch.changed();
  }
}
