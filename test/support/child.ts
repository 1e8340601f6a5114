/** A child process with all of its output, whose end is bounded and never left to chance. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { bounded, type Cleanup, type Truthy, type WaitOptions, Watch } from "./until.ts";

export interface ChildOptions {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to the child's stdin, which is then closed. */
  readonly input?: string;
  readonly t?: Cleanup | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Stopped extends Exit {
  /** From the signal to the end of the process. */
  readonly ms: number;
}

export interface Ran extends Exit {
  readonly stdout: string;
  readonly stderr: string;
  /** From start to end. */
  readonly ms: number;
}

/** After the process has ended, its pipes may still hold output, or be held open by a grandchild. */
const PIPES_WITHIN_MS = 1_000;

const running = new Set<Child>();

function killAll(): void {
  for (const child of running) child.signal("SIGKILL");
}
// A test file that ends early must not leave its children behind. Deno's test runner emits only `unload`.
process.on("exit", killAll);
(globalThis as Partial<Pick<EventTarget, "addEventListener">>).addEventListener?.("unload", killAll);

export class Child {
  readonly pid: number;
  readonly startedAt = performance.now();
  /** Resolves when the process ends; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #closed: Promise<void>;
  readonly #watch = new Watch();
  readonly #name: string;
  #stdout = "";
  #stderr = "";
  #exit: Exit | undefined;

  private constructor(child: ChildProcess, pid: number, name: string) {
    this.pid = pid;
    this.#process = child;
    this.#name = name;
    running.add(this);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#exit = { code, signal };
        running.delete(this);
        resolve(this.#exit);
        this.#watch.changed();
      });
    });
    this.#closed = new Promise((resolve) => child.once("close", () => resolve()));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#watch.changed();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#watch.changed();
    });
  }

  /** Starts the program. Throws if it cannot be started at all. */
  static async start(options: ChildOptions): Promise<Child> {
    const child = spawn(options.command, options.args ?? [], {
      cwd: options.cwd,
      env: options.env as NodeJS.ProcessEnv | undefined,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    if (child.pid === undefined) {
      throw await new Promise<Error>((resolve) => child.once("error", resolve));
    }
    child.on("error", () => {}); // Only a failed start matters, and that is handled above.
    child.stdin?.on("error", () => {}); // A child that does not read its input is no failure of the test.
    child.stdin?.end(options.input);
    const started = new Child(child, child.pid, options.command);
    options.t?.after(() => started.kill());
    return started;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Set once the process has ended. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The child's own pipes, for tests that close or stop reading them. */
  get pipes(): { readonly stdout: ChildProcess["stdout"]; readonly stderr: ChildProcess["stderr"] } {
    return { stdout: this.#process.stdout, stderr: this.#process.stderr };
  }

  /** Waits for a condition, which is checked after all output and at the end. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    const what = (): string => {
      const what = typeof options.what === "function" ? options.what() : options.what;
      return `${what ?? "a condition"} of ${this.#name}\n${this.output()}`;
    };
    return this.#watch.until(condition, { ...options, what });
  }

  /** All of the output, for failure messages. */
  output(): string {
    const end = this.#exit === undefined ? "still running" : `exit ${this.#exit.code ?? this.#exit.signal}`;
    return `(${end})\n--- stdout\n${this.#stdout}\n--- stderr\n${this.#stderr}`;
  }

  /**
   * Sends a signal; false if the process has already ended.
   *
   * Signals go by process id: Deno's `ChildProcess.kill` reports the signal as the cause of the end even if the child
   * handled it and ended with its own code (measured on 2.9.6).
   */
  signal(signal: NodeJS.Signals): boolean {
    if (this.#exit !== undefined) return false;
    try {
      return process.kill(this.pid, signal);
    } catch {
      return false;
    }
  }

  /** Waits for the end and for all output. If the bound passes, kills the process and fails. */
  async ended(within: number, what = "the end"): Promise<Exit> {
    try {
      const exit = await bounded(this.exited, { within, what });
      await bounded(this.#closed, { within: PIPES_WITHIN_MS }).catch(() => {});
      return exit;
    } catch (error) {
      const output = this.output();
      await this.kill();
      throw new Error(`${(error as Error).message} of ${this.#name}, then killed it ${output}`);
    }
  }

  /** Sends the signal and waits for the end. Fails, after a SIGKILL, if the end takes longer than `within`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", within = 15_000): Promise<Stopped> {
    const start = performance.now();
    const sent = this.signal(signal);
    const ended = this.exited.then(() => performance.now() - start);
    const exit = await this.ended(within, `the end after ${signal}`);
    return { ...exit, ms: sent ? await ended : 0 };
  }

  /** Ends it now, stopped (SIGSTOP) or not. For clean-up: does nothing if it has ended. */
  async kill(): Promise<void> {
    if (!this.signal("SIGKILL")) return;
    await bounded(this.exited, { within: 5_000, what: `the end of ${this.#name} after SIGKILL` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Runs a program to its end. */
export async function run(options: ChildOptions & { readonly within?: number }): Promise<Ran> {
  const child = await Child.start(options);
  const exit = await child.ended(options.within ?? 15_000);
  return { ...exit, stdout: child.stdout, stderr: child.stderr, ms: performance.now() - child.startedAt };
}
