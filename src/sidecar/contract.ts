import type { SubscriptionSettings, UpstreamSettings } from "../config/schema.ts";
import type { Rung } from "../core/connection/liveness.ts";
import type { Phase } from "../core/connection/session.ts";
import type { Page, Start } from "../core/messages/journal.ts";
import type { SubscriptionState } from "../core/messages/subscriptions.ts";
import type { CancelCounts, Counters, Outcome, RequestKind } from "../core/outcome.ts";
import type { Rule } from "../protocols/condition.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";

/**
 * The thread contract: everything that crosses between the host and the sidecar's thread, in either direction.
 * Bodies are text or bytes, never parsed values: deeply nested JSON makes postMessage throw on both runtimes.
 * Messages of one turn of the event loop cross together (batching.ts). Every message names its upstream.
 * docs/thread-messages.md says the same for people.
 */

export type ToThread =
  /** First of all for an upstream: make it, load its protocol, begin to connect. Answered by `opened` or `unusable`. */
  | {
      readonly type: "open";
      readonly upstream: string;
      readonly settings: UpstreamSettings;
      readonly life: JournalLife;
    }
  | {
      readonly type: "request";
      readonly upstream: string;
      /** The host's number of the request. Answered by exactly one `settled`, unless abandoned. */
      readonly seq: number;
      readonly kind: RequestKind;
      readonly body: Body;
      /** When the caller gives up, in milliseconds of the host's monotonic clock. */
      readonly deadline: number;
    }
  /** The caller has left: forget the request, settle nothing. */
  | { readonly type: "abandon"; readonly upstream: string; readonly seq: number }
  /** The reader of a stream has taken parts of so much weight (`weightOf`): as much more may be posted. */
  | { readonly type: "taken"; readonly upstream: string; readonly seq: number; readonly weight: number }
  /** Answered by one `page`, unless taken back by `unread`. */
  | {
      readonly type: "read";
      readonly upstream: string;
      readonly seq: number;
      readonly journal: string;
      readonly after: Start;
      readonly limit: number;
      /** What the wanted messages have; all must hold. */
      readonly where: readonly Rule[];
      /** Whether the answer waits until there is something. */
      readonly wait: boolean;
    }
  | { readonly type: "unread"; readonly upstream: string; readonly seq: number }
  /** A standing subscription, with a journal of its own. Told of by `subscription`, now and whenever it changes. */
  | {
      readonly type: "subscribe";
      readonly upstream: string;
      readonly name: string;
      readonly settings: SubscriptionSettings;
      readonly life: JournalLife;
    }
  | { readonly type: "unsubscribe"; readonly upstream: string; readonly name: string }
  /** Answered by `inspected`. */
  | { readonly type: "inspect"; readonly upstream: string; readonly seq: number }
  /** A sign of life is wanted: answered by `beat`. */
  | { readonly type: "beat"; readonly upstream: "*" }
  /** Exit, step 0: fail what is not on the socket, take nothing new. `drained` when no reply is waited for any more. */
  | { readonly type: "drain"; readonly upstream: string }
  /** Exit, step 1: what the upstream says from here on is not kept, but counted. */
  | { readonly type: "stop"; readonly upstream: string }
  /** Exit, step 2: close what is open. Answered by `closed` once every socket is really gone. Again with 0: break it. */
  | { readonly type: "close"; readonly upstream: string; readonly withinMs: number }
  /** Exit, step 3: fail what is pending, stop all timers. Answered by `cancelled`. */
  | { readonly type: "cancel"; readonly upstream: string }
  /** Exit, step 4: say `stopped` and end the thread. */
  | { readonly type: "end"; readonly upstream: "*" };

/** Asks for a page of a journal. */
export type ReadCommand = Extract<ToThread, { type: "read" }>;

export type FromThread =
  /** The first message of every thread: it listens now. */
  | { readonly type: "ready"; readonly upstream: "*" }
  | { readonly type: "beat"; readonly upstream: "*" }
  | { readonly type: "opened"; readonly upstream: string; readonly dialect: ProtocolTraits }
  | { readonly type: "unusable"; readonly upstream: string; readonly detail: string }
  | { readonly type: "settled"; readonly upstream: string; readonly seq: number; readonly outcome: Outcome }
  /** Of a request of kind `stream` that subscribes: it was handed to the socket, and has no deadline any more. */
  | { readonly type: "begun"; readonly upstream: string; readonly seq: number }
  /**
   * Of a request of kind `stream`: a frame of its reply. The last comes as `settled`. What was posted and not `taken`
   * is bounded by `limits.reply_bytes`; beyond that the stream has failed.
   */
  | { readonly type: "part"; readonly upstream: string; readonly seq: number; readonly body: Body }
  | { readonly type: "page"; readonly upstream: string; readonly seq: number; readonly page: Page | NoPage }
  /** After a `settled` that was `reply_timeout`: how the request ended after all. */
  | { readonly type: "late"; readonly upstream: string; readonly seq: number; readonly outcome: Outcome }
  | { readonly type: "state"; readonly upstream: string; readonly state: UpstreamState }
  | {
      readonly type: "subscription";
      readonly upstream: string;
      readonly name: string;
      readonly state: SubscriptionState;
    }
  | { readonly type: "inspected"; readonly upstream: string; readonly seq: number; readonly details: UpstreamDetails }
  | { readonly type: "drained"; readonly upstream: string }
  | { readonly type: "closed"; readonly upstream: string; readonly close: CloseCounts }
  | { readonly type: "cancelled"; readonly upstream: string; readonly counts: CancelCounts; readonly unkept: number }
  | { readonly type: "stopped"; readonly upstream: "*" };

/** The life of a journal: its epoch, and those of the threads before, which died with what they kept. */
export interface JournalLife {
  readonly epoch: string;
  readonly former: readonly string[];
}

/** `ahead`: the cursor is of this life, but beyond all that there has been. `nowhere`: there is no such journal. */
export type NoPage = "ahead" | "nowhere";

/** What the host needs to know of a protocol, which may be a module that only the thread has loaded. */
export type ProtocolTraits = Pick<Protocol, "name" | "accepts" | "streams">;

/** The phase of an upstream, as the host may show it at any moment without asking. */
export interface UpstreamState {
  readonly phase: Phase["phase"];
  /** Attempts that failed since the last success. */
  readonly attempts: number;
  /** Why the last connection or attempt ended; undefined when none has yet. */
  readonly lastError?: string | undefined;
  /** The rung of the liveness ladder that last found a connection dead. */
  readonly foundDeadBy?: Rung | undefined;
  /** Milliseconds until the next attempt, in `waiting` and `refused`. */
  readonly retryInMs?: number | undefined;
}

/** What is asked for when somebody looks at an upstream. */
export interface UpstreamDetails {
  readonly inFlight: number;
  /** Milliseconds since the last frame came in; undefined before the first. */
  readonly lastFrameAgeMs?: number | undefined;
  /** Milliseconds from the last ping to its pong; undefined before the first. */
  readonly roundTripMs?: number | undefined;
  /** Bytes handed to the socket and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** What is kept of what the upstream said unasked. */
  readonly kept: { readonly messages: number; readonly bytes: number };
  readonly counters: Counters;
}

export interface CloseCounts {
  /** The close code that ended the connection: the peer's, 1006 without a close frame, null when nothing was open. */
  readonly code: number | null;
  /** Who began the close handshake; null when nobody did. */
  readonly by: "us" | "peer" | null;
  /** The bound passed and the socket was broken. */
  readonly forced: boolean;
}
