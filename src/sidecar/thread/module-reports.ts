/** Reports of what users' modules print and throw on the thread: for the log, and never for callers. */

import process from "node:process";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { FromThread, ThreadReport } from "../contract.ts";
import type { Mark } from "./mark.ts";
import { takePrints } from "./prints.ts";

/** The most characters of a report, and the most reports in a second: a module may print, or throw, for each frame. */
const CHARACTERS_MAX = 4_096;
const REPORTS_MAX = 100;
const WINDOW_MS = 1_000;

interface ReportEnvironment {
  now(): number;
  post(message: FromThread): void;
  /** Takes what is written to the runtime's own standard streams. */
  takePrints?: ((print: (text: string) => void) => void) | undefined;
  /** Hides the secrets of an upstream. */
  mask(upstream: string, text: string): string;
}

/** Finds the upstream behind a text by the mark of the thread or, outside marked work, by the modules in the stack. */
export class ModuleReports {
  readonly #mark: Mark;
  readonly #env: ReportEnvironment;
  /** The URLs of modules whose messages may hold a secret that nobody else knows yet. */
  readonly #secretive = new Set<string>();
  /** The upstreams that use a module, by its URL. */
  readonly #users = new Map<string, Set<string>>();
  /** The beginning of the current second, and the number of reports in it. */
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(mark: Mark, env: ReportEnvironment) {
    this.#mark = mark;
    this.#env = env;
  }

  /** Takes in the modules that an upstream's settings name. Without any, nothing on the thread prints. */
  add(upstream: string, { protocol, credentials }: Pick<UpstreamSettings, "protocol" | "credentials">): void {
    const paths = [typeof protocol === "string" ? protocol : protocol.preset, credentials];
    for (const path of paths) {
      if (!path?.startsWith("file:")) continue;
      if (this.#users.size === 0) this.#takePrints();
      this.#users.set(path, (this.#users.get(path) ?? new Set()).add(upstream));
    }
    if (credentials !== undefined) this.#secretive.add(credentials);
  }

  /** The upstream is gone; its modules stay loaded, and known to print. */
  remove(upstream: string): void {
    for (const users of this.#users.values()) users.delete(upstream);
  }

  #takePrints(): void {
    const print = (text: string) => this.#printed(text);
    takePrints(print);
    this.#env.takePrints?.(print);
  }

  /** Reports a text that a module printed. */
  #printed(text: string): void {
    const shown = text.trimEnd();
    if (shown !== "") this.#limited("printed", this.#culprit(new Error().stack), shown);
  }

  /** Reports an exception of a module that was caught. */
  threw(upstream: string, what: string, error: unknown): void {
    this.#limited("threw", upstream, `${what}: ${this.#traceOf(error)}`);
  }

  /**
   * From here on, reports an exception that nothing caught, and then ends the thread, which may have been left half
   * done; and reports a module that ends it.
   * @returns the way to end the thread without a report
   */
  endOnExceptions(flush: () => void): (code: number) => never {
    const end = process.exit.bind(process);
    const die = (trace: string, code: number): never => {
      this.#report("dying", this.#culprit(trace), trace);
      flush();
      // Deno would take its own way of ending a thread for one more exception, and hang.
      process.removeListener("uncaughtException", onException);
      return end(code);
    };
    const onException = (error: unknown) => die(this.#traceOf(error), 1);
    process.on("uncaughtException", onException);
    process.exit = (code) => die(this.#traceOf(new Error(`process.exit(${code ?? ""}) was called`)), Number(code ?? 0));
    return (code) => {
      process.removeListener("uncaughtException", onException);
      return end(code);
    };
  }

  /** The message and the place of what was thrown; of a credentials module, the place alone. */
  #traceOf(error: unknown): string {
    const trace = traceOf(error);
    if (![...this.#secretive].some((path) => trace.includes(path))) return trace;
    return stackOnly(trace);
  }

  #culprit(stack = ""): string {
    if (this.#mark.current !== undefined) return this.#mark.current;
    const found = new Set(
      [...this.#users].flatMap(([path, upstreams]) => (stack.includes(path) ? [...upstreams] : [])),
    );
    const [only = "*"] = found;
    return found.size === 1 ? only : "*";
  }

  #limited(event: ThreadReport["event"], upstream: string, text: string): void {
    const now = this.#env.now();
    if (now - this.#since >= WINDOW_MS) {
      const dropped = this.#count - REPORTS_MAX;
      if (dropped > 0) this.#report(event, "*", `(${dropped} more were dropped)`);
      this.#since = now;
      this.#count = 0;
    }
    if (++this.#count <= REPORTS_MAX) this.#report(event, upstream, text);
  }

  #report(event: ThreadReport["event"], upstream: string, text: string): void {
    const masked = this.#env.mask(upstream, text.slice(0, CHARACTERS_MAX));
    const report = { event, text: masked };
    this.#env.post({ type: "report", upstream, report });
  }
}

/** The places in a stack, without the message. */
export function stackOnly(stack: string): string {
  const places = stack.split("\n").filter((line) => /^ +at /.test(line));
  return ["(its message may hold a secret)", ...places].join("\n");
}

/** The message and the place of a thrown value, which may be anything, even a value that cannot be printed. */
function traceOf(error: unknown): string {
  try {
    const { stack, message } = Object(error) as Partial<Error>;
    const text = typeof stack === "string" ? stack : typeof message === "string" ? message : String(error);
    return text;
  } catch {
    return "a value that cannot be printed";
  }
}
