import { pathToFileURL } from "node:url";
import { type Checked, check, dotted } from "./config/problems.ts";
import { isModulePath } from "./config/protocol-settings.ts";
import {
  configSchema,
  type ShutdownBounds,
  type UpstreamInput,
  type UpstreamSettings,
  upstreamSchema,
} from "./config/schema.ts";
import { batchFailure, type Replied } from "./core/outcome.ts";
import { refused, SidesocketError } from "./errors.ts";
import { buildApp } from "./http/app.ts";
import { DEFAULT_TIMEOUT_MS } from "./http/call/timeout.ts";
import type { UpstreamPort } from "./http/ports.ts";
import { ReplyKeeper } from "./http/reply-keeper.ts";
import { StopSignal } from "./http/stop-signal.ts";
import type { Body } from "./protocols/protocol.ts";
import { runtime } from "./runtime/pick-runtime.ts";
import type { UpstreamState } from "./sidecar/contract.ts";
import type { ExitReport } from "./sidecar/host/exit.ts";
import { readMessages, type UpstreamMessage } from "./sidecar/host/message-iterator.ts";
import { noFront, Sidecars } from "./sidecar/host/sidecars.ts";
import type { UpstreamClient } from "./sidecar/host/upstream-client.ts";
import { version } from "./version.ts";

/** The library: the same sidecar in a program of your own, and the same HTTP app as a fetch handler. */

export type { ErrorCode, Failure, Sent } from "./errors.ts";
export { SidesocketError } from "./errors.ts";
export type { ProtocolModule } from "./protocols/module.ts";
export type { Body, Decoded, Encoded, Mode, Protocol } from "./protocols/protocol.ts";
export { InvalidMessage } from "./protocols/protocol.ts";
export type { UpstreamState } from "./sidecar/contract.ts";
export type { ExitReport, StepReport } from "./sidecar/host/exit.ts";
export type { UpstreamMessage } from "./sidecar/host/message-iterator.ts";

/** The settings of an upstream as the configuration file has them, but for webhooks, and the bounds of its exit. */
export interface SidecarOptions extends Omit<UpstreamInput, "webhooks"> {
  readonly shutdown?: Partial<Record<keyof ShutdownBounds, string>>;
}

export interface RequestOptions {
  /** How long to wait for the reply, in milliseconds; 25,000 unless given, at most 2^31 - 1. */
  readonly timeoutMs?: number;
  /** Gives the request up: its promise rejects with the signal's reason, and a reply that still comes is dropped. */
  readonly signal?: AbortSignal;
}

export interface SendOptions extends RequestOptions {
  /** Whether to wait for the peer's pong to a ping behind the message, which proves that it has the message. */
  readonly confirm?: boolean;
}

export interface MessagesOptions {
  /** Where to begin: behind the cursor of a message, or at an end of what is kept; `earliest` unless given. */
  readonly after?: string;
  /** Only messages with these values, by JSON pointer; all must hold. */
  readonly where?: Readonly<Record<string, string | number | boolean | null>>;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** How far the exit has come, for an app in front of the sidecar. */
interface AppFront {
  refusing: boolean;
  readonly stopping: StopSignal;
}

/** One upstream WebSocket on a thread of its own. */
export class Sidecar {
  readonly #sidecars: Sidecars;
  readonly #client: UpstreamClient;
  readonly #front: AppFront;

  private constructor(sidecars: Sidecars, client: UpstreamClient, front: AppFront) {
    this.#sidecars = sidecars;
    this.#client = client;
    this.#front = front;
  }

  /**
   * Starts the thread, which begins to connect. Resolves when the thread serves; the upstream may still be connecting,
   * and requests wait up to 5 s for it.
   * @throws SidesocketError `invalid_config`: an option is wrong, or the protocol cannot be loaded;
   *   `sidecar_crashed`: the thread does not live
   */
  static async start({ shutdown, ...options }: SidecarOptions): Promise<Sidecar> {
    const settings = withModuleFound(demand(check(upstreamSchema, options)));
    if (settings.webhooks.length > 0) {
      throw refused("invalid_config", "webhooks: only the service pushes messages; here they are read with messages()");
    }
    const { shutdown: bounds } = demand(check(configSchema, { shutdown }));
    const front: AppFront = { refusing: false, stopping: new StopSignal() };
    const sidecars = new Sidecars(new Map([["default", settings]]), bounds, runtime.startThread, {
      ...noFront,
      refuse: () => {
        front.refusing = true;
      },
      stop: () => front.stopping.now(),
    });
    const [client] = sidecars.upstreams.values();
    if (!client) throw new RangeError("unreachable: one upstream was given");
    try {
      await sidecars.opened();
    } catch (error) {
      await sidecars.exit({ cause: "start failed" });
      throw error;
    }
    return new Sidecar(sidecars, client, front);
  }

  /**
   * Sends one message up and gives its reply: text for text, bytes for bytes. For a message that gets no reply by the
   * protocol's rules it resolves with an empty text once it was handed to the socket; a batch gives an array's text.
   * @throws SidesocketError with `code` and `sent`, as the HTTP API has them
   */
  async request(message: Body, { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: RequestOptions = {}): Promise<Body> {
    const outcome = await this.#client.request({
      kind: "request",
      body: owned(message),
      timeoutMs: valid(timeoutMs),
      signal,
    });
    switch (outcome.type) {
      case "reply":
        return outcome.isText ? textOf(outcome) : outcome.body;
      case "done":
        return "";
      case "batch": {
        const failure = batchFailure(outcome);
        if (failure) throw new SidesocketError(failure);
        return `[${outcome.items.map((item) => (item.type === "reply" ? textOf(item) : "")).join(",")}]`;
      }
      case "failed":
        throw new SidesocketError(outcome.failure);
    }
  }

  /**
   * Sends one message without waiting for a reply. Resolves when it was handed to the socket, which proves nothing of
   * the peer; with `confirm` once the peer certainly has it.
   * @throws SidesocketError `reply_timeout` with `sent: maybe`: no pong came in time
   */
  async send(message: Body, options: SendOptions = {}): Promise<void> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, confirm = false } = options;
    const kind = confirm ? "confirm" : "send";
    const outcome = await this.#client.request({ kind, body: owned(message), timeoutMs: valid(timeoutMs), signal });
    const failure = outcome.type === "batch" ? batchFailure(outcome) : "failure" in outcome && outcome.failure;
    if (failure) throw new SidesocketError(failure);
  }

  /**
   * What the upstream says unasked, in its order, for as long as one reads; it ends with the exit. What was missed is a
   * gap in its place. A reader that takes its time holds up nobody.
   * @throws SidesocketError `invalid_request`: the cursor or a pointer is none; `sidecar_crashed`: the thread is given up
   */
  messages(options: MessagesOptions = {}): AsyncGenerator<UpstreamMessage, void> {
    return readMessages(this.#client.journals, options);
  }

  /** The phase of the connection, as of now. */
  get state(): UpstreamState & { readonly since: Date } {
    return this.#client.state;
  }

  /** Tells of every change of phase. @returns how to stop listening */
  on(_event: "state", listener: (state: UpstreamState) => void): () => void {
    return this.#client.onState(listener);
  }

  /** Runs the exit protocol. However often it is called, it runs once; `force` makes the rest of it quick. */
  exit({ cause = "exit()", force = false }: { cause?: string; force?: boolean } = {}): Promise<ExitReport> {
    return this.#sidecars.exit({ cause, force });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exit({ cause: "dispose" });
  }

  /** What the HTTP app needs of a sidecar. */
  get port(): UpstreamClient {
    return this.#client;
  }

  /** Comes with the exit's second step, whoever has asked for it. */
  get stopping(): StopSignal {
    return this.#front.stopping;
  }

  get exiting(): boolean {
    return this.#sidecars.exiting;
  }

  /** Whether new work is refused: not from the exit's beginning on, where `shutdown.delay` comes first. */
  get refusing(): boolean {
    return this.#front.refusing;
  }
}

export interface AppOptions {
  /** Bearer tokens; none: no token is asked for. */
  readonly tokens?: readonly string[];
  /** Values of `Host` that are served; any, unless given. */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call. */
  readonly origins?: readonly string[];
  /** Told of errors that are sidesocket's own fault. */
  readonly onFault?: (error: unknown, requestId: string) => void;
}

/**
 * The HTTP API over your own sidecars: a Hono app, and so a fetch handler anywhere. `/shutdown` ends the sidecars and
 * leaves the process alone.
 */
export function createApp(sidecars: Readonly<Record<string, Sidecar>>, options: AppOptions = {}) {
  const { tokens = [], hosts, origins = [], onFault = (error) => console.error(error) } = options;
  const all = Object.entries(sidecars);
  const stopping = new StopSignal();
  for (const [, sidecar] of all) sidecar.stopping.on(() => stopping.now());
  return buildApp({
    upstreams: new Map(all.map(([name, sidecar]) => [name, named(name, sidecar.port)])),
    access: {
      tokens,
      shutdownTokens: tokens,
      hosts: hosts && new Set(hosts.map((host) => host.toLowerCase())),
      origins,
    },
    webhooks: new Map(),
    keeper: new ReplyKeeper(configSchema.parse({}).replies),
    about: { version, runtime: `${runtime.name} ${runtime.version}` },
    onFault,
    lifecycle: {
      get ready() {
        return !all.some(([, sidecar]) => sidecar.exiting);
      },
      get accepting() {
        return !all.some(([, sidecar]) => sidecar.refusing);
      },
      stopping,
      async exit({ cause, force }) {
        const reports = await Promise.all(all.map(([, sidecar]) => sidecar.exit({ cause, force })));
        return worstOf(reports);
      },
    },
  });
}

/** By itself each sidecar is called `default`; in an app it has the name that it was given there. */
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
    openedWithin: (timeoutMs) => client.openedWithin(timeoutMs),
    request: (ask) => client.request(ask),
    stream: (ask, reader) => client.stream(ask, reader),
    inspect: (withinMs) => client.inspect(withinMs),
  };
}

/** The relative path of a module starts in the current folder: the thread would look beside its own file. */
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

function demand<Output>(checked: Checked<Output>): Output {
  if ("value" in checked) return checked.value;
  throw refused("invalid_config", checked.problems.map(({ path, what }) => `${dotted(path)} ${what}`).join("; "));
}

/**
 * Bytes cross to the thread in a later turn: the caller may have changed them by then, or given them away, which nobody
 * could catch. Throws a TypeError for bytes that are gone already. Not its own `slice`: a Buffer's does not copy.
 */
function owned(message: Body): Body {
  return typeof message === "string" ? message : Uint8Array.prototype.slice.call(message);
}

function textOf({ body }: Replied): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}

function valid(timeoutMs: number): number {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs < 2 ** 31) return timeoutMs;
  throw refused("invalid_request", "timeoutMs must be from 1 to 2147483647");
}
