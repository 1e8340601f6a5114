/**
 * The ledger: every request, its end, and a check of that end against the truth.
 *
 * Each request carries its own number, the upstream counts how often each one arrived, and in the end the two are
 * compared.
 */
import type { Product } from "../support/product.ts";
import { type Dialect, dialects, type Outcome } from "./dialects.ts";

export interface LedgerRequest {
  readonly timeoutMs: number;
  /** The number of requests in one HTTP request, all with the same id. A single one without a list by default. */
  readonly batch?: number | undefined;
  /** Leaves after this long, with or without a response. */
  readonly leaveAfterMs?: number | undefined;
  /** How far this response may exceed its deadline, in place of the ledger's own bound; asked when it is there. */
  readonly graceMs?: () => number;
  /** True if the service was ended meanwhile, so that there may be no response. */
  readonly mayBreak?: (why: string) => boolean;
  /** The service, for problems. */
  readonly by?: string;
}

/** A request's end for its caller. `left`: the caller did not wait for it. */
type End = "reply" | "no" | "maybe" | "yes" | "left";

export interface Verdict {
  readonly ends: Readonly<Record<End, number>>;
  /** The number of failures, by code. */
  readonly codes: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** Further ones are only counted. */
const PROBLEMS_AT_MOST = 20;

export class Ledger {
  /** Ends by the request's number. */
  readonly #ends: (End | undefined)[] = [];
  readonly #codes = new Map<string, number>();
  readonly #problems: string[] = [];
  #problemCount = 0;
  /** How far a response may exceed its deadline, in milliseconds. */
  readonly #graceMs: () => number;
  readonly #dialect: Dialect;
  readonly #upstream: string;
  /** The largest excess of a response over its deadline. */
  latestMs = 0;

  constructor(graceMs: () => number, dialect: Dialect = dialects.rpc, upstream = "default") {
    this.#graceMs = graceMs;
    this.#dialect = dialect;
    this.#upstream = upstream;
  }

  /** The number of requests that got a reply. */
  get replies(): number {
    return this.#ends.filter((end) => end === "reply").length;
  }

  get requested(): number {
    return this.#ends.length;
  }

  problem(text: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_AT_MOST) this.#problems.push(text);
  }

  /** Makes a request, waits for its end, and records it. Never rejects. */
  async request(product: Pick<Product, "post">, request: LedgerRequest): Promise<void> {
    const { timeoutMs, batch, leaveAfterMs, graceMs = this.#graceMs, mayBreak, by } = request;
    const numbers = Array.from({ length: batch ?? 1 }, () => this.#ends.push(undefined) - 1);
    const isBatch = batch !== undefined;
    const what = `request ${numbers.join()}${by === undefined ? "" : ` at ${by}`}`;
    // A missing response is a fault to find, not to wait for.
    const signal = AbortSignal.timeout(leaveAfterMs ?? timeoutMs + 30_000);
    const headers = { "content-type": this.#dialect.contentType };
    const body = this.#dialect.body(numbers, isBatch);
    const began = performance.now();
    let outcomes: readonly Outcome[];
    try {
      const path = `${this.#dialect.path(this.#upstream)}?timeout=${timeoutMs}ms`;
      const response = await product.post(path, body, { signal, headers });
      outcomes = await this.#dialect.read(response, numbers, isBatch);
    } catch (error) {
      for (const n of numbers) this.#ends[n] = "left";
      const { cause } = error as Error;
      const why = `${error}, because of ${cause ?? "nothing"}`;
      if (leaveAfterMs === undefined && !mayBreak?.(why)) {
        this.problem(`${what} got no response: ${why}`);
      }
      return;
    }
    const lateMs = performance.now() - began - timeoutMs;
    this.latestMs = Math.max(this.latestMs, lateMs);
    if (lateMs > graceMs()) {
      this.problem(`${what} ended ${Math.round(lateMs)} ms after its deadline`);
    }
    if (outcomes.length !== numbers.length) {
      this.problem(`${numbers.length} requests got ${outcomes.length} replies`);
    }
    for (const [at, n] of numbers.entries()) this.#end(n, outcomes[at]);
  }

  #end(n: number, outcome: Outcome | undefined): void {
    if (outcome === undefined) return;
    if (outcome.type === "reply") {
      this.#ends[n] = "reply";
      if (!outcome.own) this.problem(`request ${n} got a reply that is not its own: ${outcome.shown}`);
      return;
    }
    const { code, sent } = outcome;
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
    if (sent === "no" || sent === "maybe" || sent === "yes") this.#ends[n] = sent;
    else this.problem(`request ${n} failed with ${code} and without a valid sent: ${sent}`);
  }

  /** Compares the ends with the number of times that each request reached the upstream. */
  judge(received: Uint8Array): Verdict {
    const ends = { reply: 0, no: 0, maybe: 0, yes: 0, left: 0 };
    for (const [n, end] of this.#ends.entries()) {
      const times = received[n] ?? 0;
      if (times > 1) this.problem(`request ${n} was delivered ${times} times`);
      if (end === undefined) {
        this.problem(`request ${n} has not ended`);
        continue;
      }
      ends[end] += 1;
      if (end === "no" && times > 0) this.problem(`request ${n} failed with sent: no, but was received`);
      if ((end === "yes" || end === "reply") && times === 0) this.problem(`request ${n}: ${end}, but never received`);
    }
    const hidden = this.#problemCount - this.#problems.length;
    const problems = hidden > 0 ? [...this.#problems, `and ${hidden} more`] : this.#problems;
    return { ends, codes: Object.fromEntries(this.#codes), problems };
  }
}
