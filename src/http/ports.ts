/** Interfaces through which the HTTP side sees the rest: the smallest ones, so that a fake is ten lines. */

import type { UpstreamSettings } from "../config/schema.ts";
import type { CallerOutcome } from "../core/outcome.ts";
import type { Budget } from "../core/util/budget.ts";
import type { Histogram } from "../core/util/histogram.ts";
import type { Failure } from "../errors.ts";
import type { ProtocolTraits, UpstreamDetails } from "../sidecar/contract.ts";
import type { CallStats } from "../sidecar/host/call-stats.ts";
import type { ExitReport } from "../sidecar/host/exit.ts";
import type { HeldThings } from "../sidecar/host/held-things.ts";
import type { JournalPulls } from "../sidecar/host/journal-pulls.ts";
import type { OpenStream, StreamedRequest, StreamReader } from "../sidecar/host/streamed-replies.ts";
import type { UpstreamSubscriptions } from "../sidecar/host/subscriptions.ts";
import type { OutgoingReply, OutgoingRequest } from "../sidecar/host/upstream-client.ts";
import type { KnownState } from "../sidecar/reports.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Caller, Tokens } from "./callers.ts";
import type { Quotas } from "./quotas.ts";
import type { ReplyKeeper } from "./reply-keeper.ts";
import type { StopSignal } from "./stop-signal.ts";

export interface UpstreamPort {
  /** The name in the configuration, which an instance has from its upstream. */
  readonly name: string;
  /** Set on instances. */
  readonly instance?: InstanceFacts | undefined;
  readonly settings: Pick<
    UpstreamSettings,
    "url" | "required" | "limits" | "messages" | "failover" | "template" | "instances"
  >;
  /** True if the replicas of a cluster share it. */
  readonly isShared: boolean;
  /** The way to what other replicas hold, and they to what this one does; undefined unless replicas share it. */
  readonly held?: Pick<HeldThings, "address" | "ask"> | undefined;
  /** Undefined until the thread has opened the upstream. */
  readonly protocol: ProtocolTraits | undefined;
  /** Waits for `protocol` on behalf of a request with this timeout. */
  openedWithin(timeoutMs: number): Promise<ProtocolTraits>;
  readonly state: KnownState;
  readonly inFlight: number;
  /** The failure of everything that needs the sidecar's thread, while there is none. */
  readonly down?: Failure | undefined;
  /** Unsolicited messages. */
  readonly journals: JournalPulls;
  readonly subscriptions: UpstreamSubscriptions;
  request(request: OutgoingRequest): Promise<CallerOutcome>;
  reply(reply: OutgoingReply): Promise<CallerOutcome>;
  stream(request: StreamedRequest, reader: StreamReader): OpenStream | Failure;
  inspect(withinMs: number): Promise<UpstreamDetails | undefined>;
  /** The calls so far, as they ended. */
  readonly calls: Pick<CallStats, "durations" | "failures">;
  /** The thread that serves it at present. */
  readonly thread: { readonly name: string; readonly crashes: number; readonly lag: Histogram };
}

/** The facts of an instance, beside those of any upstream. */
export interface InstanceFacts {
  readonly id: string;
  readonly openedAt: Date;
  /** The time without use after which it ends, in milliseconds. */
  readonly idleMs: number;
  /** The time at which it ends, however it is used. */
  readonly endsAt: Date;
}

export interface OpenInstance extends UpstreamPort {
  readonly instance: InstanceFacts;
}

/** An order of a caller for an instance. */
export interface InstanceOrder {
  readonly params: Readonly<Record<string, string>>;
  /** By default that of the configuration, which is the longest. */
  readonly idleMs?: number | undefined;
  /** The value of the header that the configuration names. */
  readonly credential?: string | undefined;
}

/** The reasons why instances end. */
export const INSTANCE_ENDS = ["deleted", "idle", "life", "reload", "failed"] as const;

export type InstanceEnd = (typeof INSTANCE_ENDS)[number];

/** The instances of one upstream so far. */
export interface InstanceCounts {
  readonly open: number;
  readonly opened: number;
  readonly ended: Readonly<Record<InstanceEnd, number>>;
}

/** The connections that callers have opened for themselves. */
export interface InstancesPort {
  /** @param onEnd called once it is gone @throws SidesocketError, and leaves nothing behind, if it cannot be opened */
  open(upstream: string, order: InstanceOrder, caller: Caller, onEnd: () => void): Promise<OpenInstance>;
  /** @throws SidesocketError `not_found`, also for an instance of another caller; `gone` if it has ended */
  find(upstream: string, id: string, caller: Caller): OpenInstance;
  /** Lists the instances of one caller. */
  list(upstream: string, caller: Caller): readonly OpenInstance[];
  /** Resolves once it has run its exit steps. */
  end(instance: OpenInstance): Promise<void>;
  counts(upstream: string): InstanceCounts;
}

/** Progress of one webhook receiver. */
export interface WebhookState {
  /** Scheme and host. */
  readonly url: string;
  /** The cursor after the last acknowledged batch. */
  readonly acknowledged: string | null;
  /** Delivered messages and gaps. */
  readonly delivered: number;
  /** Failed attempts since the last acknowledgement, and why the last one failed. */
  readonly failures: number;
  readonly lastError: string | null;
  /** Messages that the receiver refused, and got as gaps. */
  readonly givenUp: number;
  /** True if nothing more is sent. */
  readonly stopped: boolean;
  /** True if another replica pushes, the one that owns the upstream; undefined unless replicas share it. */
  readonly elsewhere?: boolean | undefined;
}

/** How far the exit has come, and how to request it. */
export interface Lifecycle {
  /** False once the exit has begun. */
  readonly ready: boolean;
  /** False once new requests are refused. */
  readonly accepting: boolean;
  /** Fires when callers that wait for anything but a reply must be released. */
  readonly stopping: StopSignal;
  exit(options: {
    readonly cause: string;
    readonly force: boolean;
    readonly connection: CallerConnection | undefined;
  }): Promise<ExitReport>;
}

/** The last reload of the configuration. */
export interface ReloadState {
  readonly lastAt: Date;
  readonly lastSuccess: boolean;
  /** The mistake or fault; null after a success. */
  readonly lastError: string | null;
  readonly lastSuccessAt: Date | null;
  readonly successes: number;
  readonly failures: number;
}

/** The changes that a reload has made. */
export interface ReloadReport {
  /** The upstreams that changed, by name. */
  readonly changed: Record<string, "in_place" | "rotated" | "replaced" | "added" | "removed">;
  readonly unchanged: string[];
  /** Keys outside of upstreams that are in force now. */
  readonly applied: string[];
  /** Keys that have changed and are not in force. */
  readonly needs_restart: string[];
  /** The files that were read. */
  readonly files: string[];
  readonly ms: number;
}

/** Reloads the configuration. */
export interface ReloadPort {
  /** Undefined before the first reload. */
  readonly state: ReloadState | undefined;
  /** Rejects with a SidesocketError if nothing has changed because something is wrong. */
  run(cause: string): Promise<ReloadReport>;
}

/** Rules by which callers are admitted. */
export interface Access {
  /** Bearer tokens of the API; if there are none, no token is required. */
  readonly tokens: Tokens;
  /** Bearer tokens of `/shutdown`. */
  readonly shutdownTokens: Tokens;
  /** True if `/shutdown` is served even without a token. */
  readonly openShutdown: boolean;
  /** Values of `Host` that are served, in lower case, with or without a port; undefined serves any. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Origins of web pages that may call the API. */
  readonly origins: readonly string[];
  /** Rules for browsers about them: the headers that they may send besides ours, and for how long that holds. */
  readonly cors: { readonly allowHeaders: readonly string[]; readonly maxAgeMs: number };
}

export interface MetricsPort {
  /** Reads everything that is counted. */
  scrape(parts: AppParts, isOpenMetrics: boolean): Promise<{ readonly type: string; readonly text: string }>;
}

export interface AppParts {
  readonly upstreams: ReadonlyMap<string, UpstreamPort>;
  readonly lifecycle: Lifecycle;
  readonly access: Access;
  /** True to serve the pages for people, at `/` and `/docs`. */
  readonly page: boolean;
  /** Webhook receivers by upstream name. */
  readonly webhooks: ReadonlyMap<string, readonly { readonly state: WebhookState }[]>;
  readonly budget: Budget;
  /** Undefined where all callers are one. */
  readonly quotas: Quotas | undefined;
  readonly keeper: ReplyKeeper;
  readonly telemetry: Telemetry;
  readonly metrics: MetricsPort;
  /** Undefined in an app of the library, whose program opens the connections that it needs. */
  readonly instances?: InstancesPort | undefined;
  /** Undefined where there is nothing to reload from: in an app of the library. */
  readonly reload?: ReloadPort | undefined;
  readonly about: { readonly version: string; readonly runtime: string };
  /** Receives internal errors; the caller sees only that one occurred. */
  onFault(error: unknown, requestId: string): void;
}

/** A caller's connection, which the listener recognizes by object identity. */
export interface CallerConnection {
  readonly remoteAddress?: string | undefined;
}

/** A response that is being written; `close` follows once it is complete, or once the caller has left. */
export interface ResponseStream {
  readonly destroyed: boolean;
  /** Bytes written but not yet taken by the operating system; `drain` follows when it reaches 0. */
  readonly writableLength: number;
  /** Null while the response waits for another one on its connection. */
  readonly socket: ResponseSocket | null;
  /**
   * One listener to `close`, null without one: in a field it costs a request less than in the emitter's list.
   * Undefined on responses of other listeners than ours.
   */
  onClose?: (() => void) | null;
  /** True if writes are framed as chunks and `end` adds the last chunk. */
  chunkedEncoding: boolean;
  on(event: "close" | "drain" | "error", listener: () => void): void;
  off(event: "close", listener: () => void): void;
  writeHead(status: number, headers: Record<string, string>): void;
  flushHeaders(): void;
  write(bytes: Uint8Array): void;
  end(): void;
  destroy(): void;
}

/** The connection that a response is written to. */
export interface ResponseSocket {
  readonly writable: boolean;
  once(event: "drain", listener: () => void): void;
  /** False if the bytes wait: `drain` follows once all are taken. */
  write(bytes: Uint8Array): boolean;
}

/** The body of an HTTP request as it arrives. */
export interface IncomingBody {
  readonly destroyed: boolean;
  on(event: "data", listener: (chunk: Uint8Array) => void): IncomingBody;
  on(event: "end" | "close", listener: () => void): IncomingBody;
  on(event: "error", listener: (error: Error) => void): IncomingBody;
  off(event: "data", listener: (chunk: Uint8Array) => void): IncomingBody;
  pause(): void;
  resume(): void;
}
