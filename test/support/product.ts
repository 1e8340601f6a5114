/** The product as a real process, on the runtime that runs the test. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child, type Exit, type Ran, run, type Stopped } from "./child.ts";
import { type ExitReport, type LogLine, logLines, reportsIn } from "./report.ts";
import { denoPath, nodePath, root, runtime } from "./root.ts";
import { type Cleanup, type Truthy, until, type WaitOptions } from "./until.ts";

/** Deno permissions of the product under test. Addresses and files differ per test; nothing may be run or written. */
export const DENO_PERMISSIONS: readonly string[] = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"];

const LISTENING = /^listening on ((?:https?:\/\/|unix:)\S+)$/m;

/** Plain data in the shape of the configuration file. */
export type Config = Readonly<Record<string, unknown>>;

export interface ProductOptions {
  /** Appended to all other arguments. `--port 0` is always given. */
  readonly args?: readonly string[];
  /** Added to this process's environment, from which the product's own variables are removed. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Becomes `--upstream`; any object with a `url` will do. Without it: the demo upstream, or the configuration's. */
  readonly upstream?: string | { readonly url: string };
  /** Written to a file that is passed as `--config`. A string is written verbatim (YAML). */
  readonly config?: Config | string;
  /** The time until it must listen. */
  readonly within?: number;
  readonly denoPermissions?: readonly string[];
  /** Flags of the runtime itself, before the program. */
  readonly runtimeArgs?: readonly string[];
  /** A command that execs the one it is given (`exec "$@"`): for limits, namespaces and other standard streams. */
  readonly wrapper?: readonly string[];
  /** The runtime of the product, where that is not the one that runs the test. */
  readonly on?: "node" | "deno";
  /** Ends the product with the test. Without it, use `await using`. */
  readonly t?: Cleanup;
}

/** The product ended, or stayed silent, before it listened. */
export class StartFailed extends Error {
  override readonly name = "StartFailed";
  readonly exit: Exit | undefined;
  readonly stdout: string;
  readonly stderr: string;

  constructor(why: string, child: Child) {
    super(`${why} ${child.output()}`);
    this.exit = child.exit;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
  }
}

/** Builds the command line that starts the product on this runtime. */
export function productCommand(
  args: readonly string[],
  options: Pick<ProductOptions, "on" | "denoPermissions" | "runtimeArgs" | "wrapper"> = {},
): { readonly command: string; readonly args: readonly string[] } {
  const [command = "", ...rest] = [...(options.wrapper ?? []), ...runtimeCommand(options), ...args];
  return { command, args: rest };
}

function runtimeCommand(options: Pick<ProductOptions, "on" | "denoPermissions" | "runtimeArgs">): string[] {
  const flags = options.runtimeArgs ?? [];
  if ((options.on ?? runtime) === "node") return [nodePath(), ...flags, join(root, "dist", "main.js")];
  const permissions = options.denoPermissions ?? DENO_PERMISSIONS;
  return [denoPath(), "run", "--quiet", "--no-prompt", ...permissions, ...flags, join(root, "src", "main.ts")];
}

/** Copies this process's environment without variables that would configure the product behind the test's back. */
function environment(added: ProductOptions["env"]): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(SIDESOCKET_|OTEL_|PORT$|HOST$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/.test(name)) env[name] = value;
  }
  return { ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...added };
}

/** Runs the command line to its end: `call`, `check-config`, and starts that must fail. */
export function runProduct(
  args: readonly string[],
  options: Pick<ProductOptions, "env" | "within" | "denoPermissions" | "runtimeArgs" | "wrapper" | "t"> & {
    readonly input?: string;
  } = {},
): Promise<Ran> {
  const { within, t, input } = options;
  return run({
    ...productCommand(args, options),
    cwd: root,
    env: environment(options.env),
    ...(within === undefined ? {} : { within }),
    ...(input === undefined ? {} : { input }),
    t,
  });
}

/** Starts the service on a free port and waits until it listens. Throws {@link StartFailed}. */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const args = ["--port", "0"];
  const { upstream, config } = options;
  if (upstream !== undefined) args.push("--upstream", typeof upstream === "string" ? upstream : upstream.url);
  let folder: string | undefined;
  if (config !== undefined) {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-test-"));
    const file = join(folder, "config.yaml");
    await writeFile(file, typeof config === "string" ? config : JSON.stringify(config, undefined, 2)); // JSON is YAML
    args.push("--config", file);
  }
  const tidy = async (): Promise<void> => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  args.push(...(options.args ?? []));
  const child = await Child.start({
    ...productCommand(args, options),
    cwd: root,
    env: environment(options.env),
  });
  try {
    const listening = (): string | undefined => LISTENING.exec(child.stdout)?.[1];
    await child.until(() => child.exit !== undefined || listening() !== undefined, {
      within: options.within ?? 15_000,
      what: "`listening on` on stdout",
    });
    if (child.exit !== undefined) await child.ended(1_000);
    const url = listening();
    if (url === undefined) throw new StartFailed("the product ended before it listened", child);
    const product = new Product(child, url, tidy);
    options.t?.after(() => product.kill());
    return product;
  } catch (error) {
    await child.kill();
    await tidy();
    throw error instanceof StartFailed ? error : new StartFailed((error as Error).message, child);
  }
}

export class Product {
  /** The address as printed: `http://host:port`, `https://host:port`, or `unix:` and a path. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the process ends; never rejects. */
  readonly exited: Promise<Exit>;
  /** For signals, pipes, and waits on its output. */
  readonly child: Child;
  readonly #tidy: () => Promise<void>;

  constructor(child: Child, url: string, tidy: () => Promise<void>) {
    this.child = child;
    this.url = url;
    this.pid = child.pid;
    this.exited = child.exited;
    this.#tidy = tidy;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Calls global `fetch` on a path of the product, with a timeout of 30 s. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { signal: AbortSignal.timeout(30_000), ...init });
  }

  /** POSTs a value as JSON; a string or bytes go as they are. */
  post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const headers = new Headers(init.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return this.fetch(path, {
      ...init,
      method: "POST",
      headers,
      body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body),
    });
  }

  /** Makes one request to the only upstream. */
  request(body: unknown, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/upstreams/default/request", body, init);
  }

  rpc(body: unknown, init: RequestInit = {}): Promise<Response> {
    return this.post("/rpc", body, init);
  }

  /** Reads the service's state of an upstream. */
  async state(upstream = "default"): Promise<Readonly<Record<string, unknown>>> {
    const response = await this.fetch(`/v1/upstreams/${upstream}`);
    return (await response.json()) as Readonly<Record<string, unknown>>;
  }

  /** Waits until every required upstream is connected and greeted. */
  async ready(within = 10_000): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      const response = await this.fetch("/readyz");
      await response.body?.cancel();
      return response.status === 200;
    };
    // A start takes a hundred milliseconds and more; polling more often would only slow it down.
    await until(isReady, { within, every: 20, what: () => `/readyz to be 200 ${this.child.output()}` });
  }

  stdout(): string {
    return this.child.stdout;
  }

  stderr(): string {
    return this.child.stderr;
  }

  /** Waits for a condition on the output or the end. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.child.until(condition, options);
  }

  /** Parses every line of stderr that is a JSON object. */
  log(): LogLine[] {
    return logLines(this.stderr());
  }

  /** Waits until stderr matches: a line may come after the response that it is about. */
  async said(pattern: RegExp): Promise<void> {
    await this.child.until(() => pattern.test(this.stderr()), {
      what: () => `${pattern} on stderr ${this.child.output()}`,
    });
  }

  /** Waits for the first line of the log that is wanted, for the reason of {@link said}. */
  line(wanted: (line: LogLine) => boolean, what = "a line of the log"): Promise<LogLine> {
    return this.child.until(() => this.log().find(wanted), { what: () => `${what} ${this.child.output()}` });
  }

  /** Returns the last exit report on stderr. Throws if there is none. */
  report(): ExitReport {
    const last = this.reports().at(-1);
    if (last === undefined) throw new Error(`no exit report on stderr ${this.child.output()}`);
    return last;
  }

  /** Returns every exit report on stderr: there must never be two. */
  reports(): ExitReport[] {
    return reportsIn(this.log());
  }

  /** Sends the signal and waits for the end; fails, after a SIGKILL, if that takes longer than `within`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", within = 15_000): Promise<Stopped> {
    try {
      return await this.child.stop(signal, within);
    } finally {
      await this.#tidy();
    }
  }

  /** Waits for the end and all output, for an exit begun by something else. */
  async ended(within = 15_000): Promise<Exit> {
    return await this.child.ended(within, "the end");
  }

  /** Ends the process now, whatever its state. */
  async kill(): Promise<void> {
    await this.child.kill();
    await this.#tidy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
