import type { UpstreamSettings } from "../config/schema.ts";
import type { CallerOutcome } from "../core/outcome.ts";
import type { Failure } from "../errors.ts";
import type { ProtocolTraits, UpstreamDetails, UpstreamState } from "../sidecar/contract.ts";
import type { ExitReport } from "../sidecar/host/exit.ts";
import type { JournalPulls } from "../sidecar/host/journal-pulls.ts";
import type { OpenStream, StreamReader } from "../sidecar/host/streamed-replies.ts";
import type { UpstreamSubscriptions } from "../sidecar/host/subscriptions.ts";
import type { UpstreamRequest } from "../sidecar/host/upstream-client.ts";
import type { ReplyKeeper } from "./reply-keeper.ts";
import type { StopSignal } from "./stop-signal.ts";

/** What the HTTP side needs to know of the world: the smallest interfaces, so that a fake is ten lines. */

export interface UpstreamPort {
  readonly name: string;
  readonly settings: Pick<UpstreamSettings, "url" | "required" | "limits" | "messages" | "failover">;
  /** Undefined until its thread has made the upstream. */
  readonly protocol: ProtocolTraits | undefined;
  /** Waits for it, for a request that has so much time. */
  openedWithin(timeoutMs: number): Promise<ProtocolTraits>;
  readonly state: UpstreamState & { readonly since: Date };
  readonly inFlight: number;
  /** What the upstream says unasked. */
  readonly journals: JournalPulls;
  readonly subscriptions: UpstreamSubscriptions;
  request(ask: UpstreamRequest): Promise<CallerOutcome>;
  stream(ask: Pick<UpstreamRequest, "body" | "timeoutMs">, reader: StreamReader): OpenStream | Failure;
  inspect(withinMs: number): Promise<UpstreamDetails | undefined>;
}

/** What is known of one receiver of pushed messages. */
export interface WebhookState {
  /** Scheme and host. */
  readonly url: string;
  /** Behind the last batch that was acknowledged. */
  readonly acknowledged: string | null;
  /** Messages and gaps. */
  readonly delivered: number;
  /** Attempts that failed since the last acknowledgement, and why the last one did. */
  readonly failures: number;
  readonly lastError: string | null;
}

/** Whether new work is taken, and how the end is asked for. */
export interface Lifecycle {
  /** False from the moment when the exit begins. */
  readonly ready: boolean;
  /** False from the moment when new work is refused. */
  readonly accepting: boolean;
  /** Aborts when whoever still waits for something other than a reply must be let go. */
  readonly stopping: StopSignal;
  exit(options: {
    readonly cause: string;
    readonly force: boolean;
    readonly connection: CallerConnection | undefined;
  }): Promise<ExitReport>;
}

/** Who may come in. */
export interface Access {
  /** Bearer tokens of the API; none: no token is asked for. */
  readonly tokens: readonly string[];
  /** Bearer tokens of `/shutdown`. */
  readonly shutdownTokens: readonly string[];
  /** Values of `Host` that are ours, in lower case, with or without a port; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Origins of web pages that may call us. */
  readonly origins: readonly string[];
}

export interface AppParts {
  readonly upstreams: ReadonlyMap<string, UpstreamPort>;
  readonly lifecycle: Lifecycle;
  readonly access: Access;
  /** Who gets messages pushed, by the upstream's name. */
  readonly webhooks: ReadonlyMap<string, readonly { readonly state: WebhookState }[]>;
  readonly keeper: ReplyKeeper;
  readonly about: { readonly version: string; readonly runtime: string };
  /** Told of errors that are our own fault; the caller sees only that there was one. */
  onFault(error: unknown, requestId: string): void;
}

/** A caller's connection; the listener knows it by its identity. */
export interface CallerConnection {
  readonly remoteAddress?: string | undefined;
}

/** An answer that is being written; `close` comes when it was written, or when nobody is there to read it. */
export interface ResponseStream {
  readonly destroyed: boolean;
  /** Bytes that were written and have not been taken by the operating system. `drain` comes when there are none. */
  readonly writableLength: number;
  /** Whether it makes chunks of what is written, and ends with the last one. */
  chunkedEncoding: boolean;
  on(event: "close" | "drain" | "error", listener: () => void): void;
  off(event: "close", listener: () => void): void;
  writeHead(status: number, headers: Record<string, string>): void;
  flushHeaders(): void;
  write(bytes: Uint8Array): void;
  end(): void;
  destroy(): void;
}

/** A request's body as it comes in. */
export interface IncomingBody {
  readonly destroyed: boolean;
  on(event: "data", listener: (chunk: Uint8Array) => void): IncomingBody;
  on(event: "end" | "close", listener: () => void): IncomingBody;
  on(event: "error", listener: (error: Error) => void): IncomingBody;
  off(event: "data", listener: (chunk: Uint8Array) => void): IncomingBody;
  pause(): void;
}

/** What a listener on Node's own server knows of a request. */
interface OnNode {
  /** `errored`: what the reading of its body ended with. */
  readonly incoming: IncomingBody & { readonly socket?: CallerConnection; readonly errored?: Error | null };
  readonly outgoing: ResponseStream;
}

/**
 * The bindings of a listener, as far as we use them. `exclusive`: it is our own, so that nobody else reads the one and
 * writes the other, as a middleware of somebody else's app might.
 */
export interface Env {
  Bindings: (OnNode & { readonly exclusive?: boolean }) | { readonly [Name in keyof OnNode | "exclusive"]?: undefined };
  Variables: {
    requestId: string;
    /** By `performance.now()`. */
    began: number;
    /** The upstream that the path names; set on routes that are registered with `withUpstream`. */
    upstream?: UpstreamPort;
    /** How long after `began` the upstream's protocol was loaded, if the request had to wait for it. */
    openedAfterMs?: number;
  };
}
