/** One replica of the cluster's chaos: its process, which comes and goes, and its own way to each message server. */
import process from "node:process";
import type { Runtime } from "../cluster/scene.ts";
import { type FaultProxy, startProxy } from "../faults/proxy.ts";
import { assertQuiet } from "../faults/scene.ts";
import { descriptors, residentBytes } from "../support/proc.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import type { ExitReport } from "../support/report.ts";
import { type Cleanup, until } from "../support/until.ts";

export interface ReplicaOptions {
  readonly t: Cleanup;
  readonly index: number;
  readonly on: Runtime;
  /** The ports of the message servers. */
  readonly ports: readonly number[];
  readonly config: (servers: readonly string[], index: number) => Config;
  readonly problem: (text: string) => void;
}

/** An exit may take the sum of its bounds. */
const EXIT_WITHIN_MS = 12_000;
/** A start on a machine that is busy, while the message server may be away. */
const START_WITHIN_MS = 30_000;

export class Replica {
  readonly index: number;
  readonly on: Runtime;
  /** Its way to each message server. */
  readonly proxies: readonly FaultProxy[];
  readonly #options: ReplicaOptions;
  #product: Product | undefined;
  /** True while it serves, stopped or not. */
  isUp = false;
  /** Counts the processes, and the last of them that was killed. */
  generation = 0;
  killed = 0;
  #stoppedMs = 0;
  #stoppedAt: number | undefined;
  /** The reports of its exits in order. */
  readonly reports: ExitReport[] = [];

  private constructor(options: ReplicaOptions, proxies: readonly FaultProxy[]) {
    this.index = options.index;
    this.on = options.on;
    this.#options = options;
    this.proxies = proxies;
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const { t, ports } = options;
    const replica = new Replica(options, await Promise.all(ports.map((to) => startProxy({ to, t }))));
    await replica.begin();
    return replica;
  }

  get name(): string {
    return `replica ${this.index} (${this.on})`;
  }

  /** The process. */
  get product(): Product {
    if (!this.#product) throw new Error(`${this.name} was never started`);
    return this.#product;
  }

  get holdings(): { readonly descriptors: number; readonly rss: number } {
    return { descriptors: descriptors(this.product.pid), rss: residentBytes(this.product.pid) };
  }

  /** How long its processes have been stopped in all. */
  get stoppedMs(): number {
    return this.#stoppedMs + (this.#stoppedAt === undefined ? 0 : performance.now() - this.#stoppedAt);
  }

  /** Starts a process. */
  async begin(): Promise<void> {
    const { t, config, on, index } = this.#options;
    const servers = this.proxies.map(({ port }) => `nats://127.0.0.1:${port}`);
    this.#product = await startProduct({ t, on, config: config(servers, index), within: START_WITHIN_MS });
    this.generation++;
    this.isUp = true;
  }

  async kill(): Promise<void> {
    this.isUp = false;
    this.killed = this.generation;
    await this.product.kill();
    this.#judgeOutput();
  }

  stop(): void {
    process.kill(this.product.pid, "SIGSTOP");
    this.#stoppedAt = performance.now();
  }

  resume(): void {
    this.#stoppedMs = this.stoppedMs;
    this.#stoppedAt = undefined;
    process.kill(this.product.pid, "SIGCONT");
  }

  /** Ends it in order, and judges how it did. */
  async exit(): Promise<void> {
    this.isUp = false;
    const { problem } = this.#options;
    try {
      const { code } = await this.product.stop("SIGTERM", EXIT_WITHIN_MS);
      const reports = this.product.reports();
      this.reports.push(...reports);
      if (code !== 0 || reports.length !== 1 || reports[0]?.exit_code !== code)
        problem(`${this.name} ended with ${code} and ${reports.length} reports: ${JSON.stringify(reports)}`);
    } catch (error) {
      problem(`${this.name} did not end in order: ${tail((error as Error).message)}`);
    }
    this.#judgeOutput();
  }

  /** True if a request to this process may have got no response: it was killed, or did not take it any more. */
  mayBreak(generation: number, why: string): boolean {
    if (this.killed === generation) return true;
    const hasEnded = !this.isUp || this.generation !== generation;
    return hasEnded && /refused/i.test(why);
  }

  async isReady(): Promise<boolean> {
    const response = await this.product.fetch("/readyz", { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  }

  /** Waits until its descriptors are as many as given, at most. */
  async settled(most: number, within: number): Promise<void> {
    await until(() => this.holdings.descriptors <= most, { within, every: 100 }).catch(() => {});
  }

  /** A process that ended by itself was not to end. */
  assertAlive(): void {
    if (this.isUp && this.product.child.exit !== undefined) {
      this.isUp = false;
      this.#options.problem(`${this.name} ended by itself: ${tail(this.product.child.output())}`);
    }
  }

  #judgeOutput(): void {
    try {
      assertQuiet(this.product);
    } catch (error) {
      this.#options.problem(`${this.name}: ${tail((error as Error).message)}`);
    }
  }
}

function tail(text: string): string {
  return text.slice(-3_000);
}
