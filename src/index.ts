/** The library: the sidecar inside your own program, and the HTTP API as a fetch handler. */

import { pathToFileURL } from "node:url";
import { BlockingSidecar } from "./blocking-sidecar.ts";
import { type Checked, check, dotted } from "./config/problems.ts";
import { isModulePath } from "./config/protocol-settings.ts";
import { configSchema, type UpstreamSettings, upstreamSchema } from "./config/schema.ts";
import { BEARER_TOKEN } from "./config/wire.ts";
import { DEFAULT_TIMEOUT_MS } from "./core/outcome.ts";
import { Budget, memoryOf } from "./core/util/budget.ts";
import { refused } from "./errors.ts";
import { buildApp } from "./http/app.ts";
import { partsOf, Tokens } from "./http/callers.ts";
import type { UpstreamPort } from "./http/ports.ts";
import { Quotas } from "./http/quotas.ts";
import { ReplyKeeper } from "./http/reply-keeper.ts";
import { StopSignal } from "./http/stop-signal.ts";
import type { KeptOptions } from "./keeper.ts";
import { preparePatterns } from "./protocols/lazy-pattern.ts";
import type { Body } from "./protocols/protocol.ts";
import { demandSent, replyValue, validTimeout } from "./reply-value.ts";
import { runtime } from "./runtime/pick-runtime.ts";
import { besideThread } from "./runtime/thread.ts";
import type { ThreadReport, UpstreamState } from "./sidecar/contract.ts";
import type { ExitReport } from "./sidecar/host/exit.ts";
import { readMessages } from "./sidecar/host/message-iterator.ts";
import { noHttpSide, Sidecars } from "./sidecar/host/sidecars.ts";
import type { UpstreamClient } from "./sidecar/host/upstream-client.ts";
import type { Line } from "./sidecar/line.ts";
import type { ReadSelection, UpstreamMessage } from "./sidecar/upstream-message.ts";
import type { SidecarOptions } from "./sidecar-options.ts";
import {
  type BlockingMessagesOptions,
  type BlockingRequestOptions,
  type BlockingSendOptions,
  LineUpstream,
} from "./sync.ts";
import { findThreadFile } from "./thread-files.ts";
import { version } from "./version.ts";

export type { BlockingSidecar } from "./blocking-sidecar.ts";
export type { ErrorCode, Failure, Retry, Sent } from "./errors.ts";
export { SidesocketError } from "./errors.ts";
export type { ProtocolModule } from "./protocols/module.ts";
export type { Body, Decoded, Encoded, Mode, Protocol } from "./protocols/protocol.ts";
export { InvalidMessage } from "./protocols/protocol.ts";
export type { ThreadReport, UpstreamState } from "./sidecar/contract.ts";
export type { ExitReport, StepReport } from "./sidecar/host/exit.ts";
export type { Line } from "./sidecar/line.ts";
export type { UpstreamMessage } from "./sidecar/upstream-message.ts";
export type { SidecarOptions } from "./sidecar-options.ts";

export interface RequestOptions {
  /** Time to wait for the reply, in milliseconds: from 1 to 2^31 - 1, by default 25,000. */
  readonly timeoutMs?: number;
  /** Abandons the request: its promise rejects with the signal's reason, and a reply that still arrives is dropped. */
  readonly signal?: AbortSignal;
}

export interface SendOptions extends RequestOptions {
  /** Waits for the peer's pong to a ping that follows the message, which proves that the peer received it. */
  readonly confirm?: boolean;
}

export interface MessagesOptions extends ReadSelection {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/** The progress of the exit, for an app in front of the sidecar. */
interface AppFront {
  refusing: boolean;
  /** True once an app serves the sidecar from its thread. */
  serving: boolean;
  readonly stopping: StopSignal;
}

/** The parts of a sidecar that an app needs, and its user does not. */
interface Inner {
  readonly sidecars: Sidecars;
  readonly client: UpstreamClient;
  readonly front: AppFront;
}

const innerOf = new WeakMap<Sidecar, Inner>();

/** One upstream WebSocket on a thread of its own. */
export class Sidecar {
  readonly #sidecars: Sidecars;
  readonly #client: UpstreamClient;
  readonly #front: AppFront;
  #own: LineUpstream | undefined;

  private constructor(inner: Inner) {
    innerOf.set(this, inner);
    this.#sidecars = inner.sidecars;
    this.#client = inner.client;
    this.#front = inner.front;
  }

  /**
   * Starts the thread, which begins to connect. Resolves when the thread is ready; the upstream may still be
   * connecting, and requests wait up to 5 s for it. End it with `exit()`, or declare it with `await using`.
   * @throws SidesocketError with the code `invalid_config` if an option is invalid or the protocol cannot be loaded, or
   *   `sidecar_crashed` if the thread cannot be kept alive
   */
  static async start({ shutdown, onReport = printReport, threadFile, ...options }: SidecarOptions): Promise<Sidecar> {
    await preparePatterns(options);
    const settings = withModuleFound(demand(check(upstreamSchema, options)));
    if (settings.webhooks.length > 0) {
      throw refused("invalid_config", "webhooks: only the service pushes messages; read them with messages()");
    }
    const { shutdown: bounds } = demand(check(configSchema, { shutdown }));
    const file = findThreadFile("threadFile", threadFile, besideThread);
    const front: AppFront = { refusing: false, serving: false, stopping: new StopSignal() };
    const sidecars = new Sidecars(
      new Map([["default", settings]]),
      bounds,
      () => runtime.startThread(file),
      {
        ...noHttpSide,
        refuse: () => {
          front.refusing = true;
        },
        stop: () => front.stopping.now(),
      },
      memoryOf({ memory: "auto" }, runtime.memoryLimit),
    );
    const [client] = sidecars.upstreams.values();
    if (!client) throw new RangeError("unreachable: one upstream was given");
    client.onReport(onReport);
    try {
      await sidecars.opened();
    } catch (error) {
      await sidecars.exit({ cause: "start failed" });
      throw error;
    }
    return new Sidecar({ sidecars, client, front });
  }

  /**
   * Starts a sidecar for a program that blocks all the time, and returns when it is ready. A thread of its own, the
   * keeper, runs what `start` runs beside its caller. End it with `exitSync()`, or declare it with `using`; at the end
   * of the program it exits by itself.
   * @throws SidesocketError as `start` does
   */
  static startSync(options: KeptOptions): BlockingSidecar {
    return new BlockingSidecar(options);
  }

  /**
   * Sends one message and resolves with its reply: a string for a text frame, bytes for a binary one. A batch resolves
   * with the text of a JSON array. A message that gets no reply by the rules of the protocol resolves with an empty
   * string as soon as it was handed to the socket.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  async request(message: Body, { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: RequestOptions = {}): Promise<Body> {
    const outcome = await this.#client.request({
      kind: "request",
      body: owned(message),
      timeoutMs: validTimeout(timeoutMs),
      signal,
    });
    return replyValue(outcome);
  }

  /**
   * Sends one message without waiting for a reply. Resolves when it was handed to the socket, which does not prove that
   * the peer received it; with `confirm`, resolves when that is proved.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API; with `confirm` also `reply_timeout` and
   *   `sent: maybe` if no pong arrived in time
   */
  async send(message: Body, options: SendOptions = {}): Promise<void> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, confirm = false } = options;
    const kind = confirm ? "confirm" : "send";
    const outcome = await this.#client.request({
      kind,
      body: owned(message),
      timeoutMs: validTimeout(timeoutMs),
      signal,
    });
    demandSent(outcome);
  }

  /**
   * Iterates over the unsolicited messages of the upstream, in order, until the exit. Missed messages are reported as a
   * gap in their place. A slow reader delays nobody else.
   * @throws SidesocketError with the code `invalid_request` if the cursor or a pointer is invalid, or `sidecar_crashed`
   *   if the thread cannot be kept alive
   */
  messages(options: MessagesOptions = {}): AsyncGenerator<UpstreamMessage, void> {
    return readMessages(this.#client.journals, options);
  }

  /**
   * Like `request`, but returns when the reply is there; the thread of the caller sleeps meanwhile.
   * @throws SidesocketError also with the code `would_block` if `createApp` serves this sidecar from this thread
   */
  requestSync(message: Body, options?: BlockingRequestOptions): Body {
    return this.#blocking().requestSync(message, options);
  }

  /** Like `send`, but returns when it is done; the thread of the caller sleeps meanwhile. */
  sendSync(message: Body, options?: BlockingSendOptions): void {
    this.#blocking().sendSync(message, options);
  }

  /** Like `messages`, but sleeps until the next one is there. */
  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void> {
    return this.#blocking().messagesSync(options);
  }

  /**
   * Makes a line for another thread, to be posted there with `postMessage(line, [line.supply])`, or as `workerData`;
   * `attach` of `sidesocket/sync` takes it up. All lines and this sidecar share one connection and its limits.
   */
  line(): Line {
    return this.#client.lines.create();
  }

  #blocking(): LineUpstream {
    if (this.#front.serving) {
      throw refused("would_block", "this thread serves HTTP: call it from another thread, by a line()");
    }
    this.#own ??= new LineUpstream(this.#client.lines.create(), this.#client.lines);
    return this.#own;
  }

  /** The current state of the connection. */
  get state(): UpstreamState & { readonly since: Date } {
    return this.#client.state;
  }

  /** Calls `listener` at every change of phase. @returns a function that removes the listener */
  on(_event: "state", listener: (state: UpstreamState) => void): () => void {
    return this.#client.onState(listener);
  }

  /**
   * Runs the exit protocol, once however often it is called: every caller gets the same report. `force` sets the time
   * limits of the remaining steps to zero.
   */
  exit({ cause = "exit()", force = false }: { cause?: string; force?: boolean } = {}): Promise<ExitReport> {
    return this.#sidecars.exit({ cause, force });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exit({ cause: "dispose" });
  }
}

export interface AppOptions {
  /** Bearer tokens of the API, each `NAME:TOKEN` or only the token. By default it requires none. */
  readonly tokens?: readonly string[];
  /** Serves `/shutdown` even without tokens, to anyone who can reach the app. By default it is 403 then. */
  readonly openShutdown?: boolean;
  /** Allowed values of `Host`. By default any. */
  readonly hosts?: readonly string[];
  /** Web origins that may call from a browser. By default none. */
  readonly origins?: readonly string[];
  /** Called with errors that are sidesocket's own fault. By default they are printed with `console.error`. */
  readonly onFault?: (error: unknown, requestId: string) => void;
}

/**
 * Creates the HTTP API for your own sidecars: a Hono app, whose `fetch` works on any server. `/shutdown` runs the exit
 * of the sidecars and does not end the process; it needs a token, unless `openShutdown` is set.
 * @param sidecars the sidecars by the names that the API uses for them
 */
export function createApp(sidecars: Readonly<Record<string, Sidecar>>, options: AppOptions = {}) {
  const { tokens = [], openShutdown = false, hosts, origins = [] } = options;
  const { onFault = (error) => console.error(error) } = options;
  if (!tokens.every((token) => BEARER_TOKEN.test(partsOf(token).text)))
    throw refused("invalid_config", "tokens: a token may have only letters, digits and - . _ ~ + / =");
  const all = Object.entries(sidecars).map(([name, sidecar]) => {
    const inner = innerOf.get(sidecar);
    if (!inner) throw new TypeError(`${name} is not a Sidecar of this copy of sidesocket`);
    inner.front.serving = true;
    return { name, ...inner };
  });
  const known = new Tokens(tokens);
  const upstreams = new Map(all.map(({ name, client }) => [name, named(name, client)]));
  const budget = Budget.alone(memoryOf({ memory: "auto" }, runtime.memoryLimit));
  const stopping = new StopSignal();
  for (const { front } of all) front.stopping.on(() => stopping.now());
  return buildApp({
    upstreams,
    access: {
      tokens: known,
      shutdownTokens: known,
      openShutdown,
      hosts: hosts && new Set(hosts.map((host) => host.toLowerCase())),
      origins,
    },
    webhooks: new Map(),
    budget,
    quotas: Quotas.of({}, known.shares > 1, upstreams, budget),
    keeper: new ReplyKeeper(configSchema.parse({}).replies, budget, { keys: undefined, shared: known.identities > 1 }),
    about: { version, runtime: `${runtime.name} ${runtime.version}` },
    onFault,
    lifecycle: {
      get ready() {
        return !all.some((each) => each.sidecars.exiting);
      },
      get accepting() {
        return !all.some(({ front }) => front.refusing);
      },
      stopping,
      async exit({ cause, force }) {
        return worstOf(await Promise.all(all.map((each) => each.sidecars.exit({ cause, force }))));
      },
    },
  });
}

/** Gives a sidecar its name in the app: by itself each is called `default`. */
function named(name: string, client: UpstreamClient): UpstreamPort {
  return {
    name,
    settings: client.settings,
    journals: client.journals,
    subscriptions: client.subscriptions,
    get protocol() {
      return client.protocol;
    },
    get state() {
      return client.state;
    },
    get inFlight() {
      return client.inFlight;
    },
    get down() {
      return client.down;
    },
    openedWithin: (timeoutMs) => client.openedWithin(timeoutMs),
    request: (request) => client.request(request),
    stream: (request, reader) => client.stream(request, reader),
    inspect: (withinMs) => client.inspect(withinMs),
  };
}

/** Resolves relative paths of modules against the current folder: the thread would use that of its own file. */
function withModuleFound(settings: UpstreamSettings): UpstreamSettings {
  const { protocol, credentials } = settings;
  const found = (path: string) => (isModulePath(path) && !path.startsWith("file:") ? pathToFileURL(path).href : path);
  return {
    ...settings,
    ...(typeof protocol === "string" && { protocol: found(protocol) }),
    ...(credentials !== undefined && { credentials: found(credentials) }),
  };
}

function worstOf(reports: readonly ExitReport[]): ExitReport {
  const [worst] = [...reports].sort((a, b) => b.exit_code - a.exit_code || b.ms - a.ms);
  if (!worst) return { cause: "/shutdown", forced: false, exit_code: 0, ms: 0, steps: [] };
  return worst;
}

function printReport({ event, text }: ThreadReport): void {
  console.error(`sidesocket: a module on the thread ${event === "dying" ? "ended it with" : event}: ${text}`);
}

function demand<Output>(checked: Checked<Output>): Output {
  if ("value" in checked) return checked.value;
  throw refused("invalid_config", checked.problems.map(({ path, what }) => `${dotted(path)} ${what}`).join("; "));
}

/**
 * Copies bytes: they cross to the thread in a later turn, and until then the caller may change or transfer them. Throws
 * a TypeError for bytes that were transferred before. The message's own `slice` would not do: a Buffer's does not copy.
 */
function owned(message: Body): Body {
  return typeof message === "string" ? message : Uint8Array.prototype.slice.call(message);
}
