/** The thread contract: every message that crosses between the host and the sidecar's thread. */

import type { MessagePort } from "node:worker_threads";
import type { ClusterSettings, ReplySettings, SubscriptionSettings, UpstreamSettings } from "../config/schema.ts";
import type { RequestKey } from "../core/cluster/claims.ts";
import type { Cursor, JournalLosses, Page, Start } from "../core/messages/journal.ts";
import type { SubscriptionState } from "../core/messages/subscriptions.ts";
import type { CancelCounts, Counters, Outcome, RequestKind } from "../core/outcome.ts";
import type { ClusterCounts } from "../core/tally.ts";
import type { BudgetMemory } from "../core/util/budget.ts";
import type { Failure } from "../errors.ts";
import type { Condition, Rule } from "../protocols/condition.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import type { CapturedValue, ThreadReport, UpstreamState } from "./reports.ts";

export type { OwnerState, ThreadReport, UpstreamState } from "./reports.ts";

/**
 * A message from the host to the thread. Every message, in either direction, names its upstream; `*` is the thread
 * itself. Bodies are text or bytes, never parsed values: deeply nested JSON makes postMessage throw on both runtimes.
 * docs/thread-messages.md describes the contract for people.
 */
export type ToThread =
  /**
   * The first message to an upstream: loads its protocol and begins to connect, unless it is a template of instances.
   * Reply: `opened` or `unusable`.
   */
  | {
      readonly type: "open";
      readonly upstream: string;
      /** Its number on this thread, from 1: it is in the thread's mark while that works for it. */
      readonly number: number;
      readonly settings: UpstreamSettings;
      readonly epochs: JournalEpochs;
      readonly memory: ThreadMemory;
      /** The memory of the upstream's tally, which the thread writes from here on. */
      readonly tally: Float64Array;
      /** The cluster whose replicas share it; undefined for an upstream of this replica alone. */
      readonly cluster?: ThreadCluster | undefined;
      /** The address at which other replicas ask for what this one holds; set with `cluster`. */
      readonly holder?: string | undefined;
      /** True to have every frame that goes out or comes in reported as `traced`. */
      readonly traces?: boolean | undefined;
      /** The most bytes to report as `taped`, of all that connections exchange; undefined for none. */
      readonly tapeBytes?: number | undefined;
    }
  | {
      readonly type: "request";
      readonly upstream: string;
      /** The host's number for the request. Exactly one `settled` follows, unless the request is abandoned. */
      readonly seq: number;
      readonly kind: RequestKind;
      readonly body: Body;
      /** The caller's deadline, in milliseconds of the host's monotonic clock. */
      readonly deadline: number;
      /** Its Idempotency-Key, for an upstream that replicas share: the message is sent once, whichever of them asks. */
      readonly key?: RequestKey | undefined;
    }
  /** A message that certainly nothing answers. Otherwise as `request`. */
  | {
      readonly type: "send";
      readonly upstream: string;
      readonly seq: number;
      readonly kind: "send" | "confirm";
      readonly body: Body;
      readonly deadline: number;
      /** True for one of several that must go over one connection: done once the operating system has taken it. */
      readonly inSeries: boolean;
      /** The connection that those of the series before it went over; 0 for the first, and outside of a series. */
      readonly over: number;
      /** As of a `request`. */
      readonly key?: RequestKey | undefined;
    }
  /** Forgets a request without settling it: its caller has left. */
  | { readonly type: "abandon"; readonly upstream: string; readonly seq: number }
  /** The reader of a stream has taken parts of this total weight (`weightOf`): as much more may be posted. */
  | { readonly type: "taken"; readonly upstream: string; readonly seq: number; readonly weight: number }
  /** Reply: one `page`, unless the read is cancelled. */
  | {
      readonly type: "read";
      readonly upstream: string;
      readonly seq: number;
      readonly journal: string;
      readonly after: Start;
      readonly limit: number;
      /** Rules that all hold for the messages to return. */
      readonly where: readonly Rule[];
      /** A condition that holds for them, too. */
      readonly when?: Condition | undefined;
      /** True to reply only once there is a message to return. */
      readonly wait: boolean;
    }
  | { readonly type: "cancelRead"; readonly upstream: string; readonly seq: number }
  /** Reports that a webhook has delivered messages of a journal: answers may wait for them. */
  | {
      readonly type: "delivered";
      readonly upstream: string;
      readonly journal: string;
      readonly epoch: string;
      readonly seqs: readonly number[];
    }
  /**
   * The receiver of a webhook has everything up to a place, which the replicas of the upstream keep. Reply: `kept`, for
   * those before it, too; none if another replica pushes by now.
   */
  | {
      readonly type: "pushed";
      readonly upstream: string;
      readonly seq: number;
      readonly webhook: string;
      readonly place: Cursor;
    }
  /** No push is under way any more, of a turn that `pushing` has ended. */
  | { readonly type: "rested"; readonly upstream: string; readonly turn: number }
  /** A reader has the messages of a journal up to a place: answers may wait for them. Reply: `acknowledged`. */
  | {
      readonly type: "acknowledge";
      readonly upstream: string;
      readonly seq: number;
      readonly journal: string;
      readonly through: Cursor;
    }
  /** A caller's reply to a request of the upstream's, which is the message in this place. Reply: one `settled`. */
  | {
      readonly type: "reply";
      readonly upstream: string;
      readonly seq: number;
      readonly to: Cursor;
      readonly body: string;
    }
  /** Adds a subscription with a journal of its own. A `subscription` follows, and another on every change. */
  | {
      readonly type: "subscribe";
      readonly upstream: string;
      readonly name: string;
      readonly settings: SubscriptionSettings;
      readonly epochs: JournalEpochs;
      /** Why it was lost with a former thread, if it must not be requested again. */
      readonly lost?: Failure | undefined;
    }
  /** Reply: `unsubscribed`, once the upstream has agreed or failed to, or the connection has ended. */
  | { readonly type: "unsubscribe"; readonly upstream: string; readonly name: string; readonly seq: number }
  /**
   * Asks whether the upstream has agreed to a subscription. Reply: one `settled`, `done` or with the failure, once that
   * is known; without `wait` at once, as a failure if it has not agreed so far.
   */
  | {
      readonly type: "agree";
      readonly upstream: string;
      readonly seq: number;
      readonly name: string;
      readonly wait: boolean;
    }
  /** Opens a blocking caller's line, which carries requests and reads of its own, and their outcomes. */
  | {
      readonly type: "line";
      readonly upstream: string;
      readonly line: number;
      /** The number of this thread among those that the line has had. */
      readonly thread: number;
      readonly words: SharedArrayBuffer;
      readonly port: MessagePort;
    }
  /** The line's caller is gone: forgets its request. */
  | { readonly type: "unline"; readonly upstream: string; readonly line: number }
  /**
   * Follows other settings of the same protocol. `anew`: only a new connection does, which replaces the present one;
   * the present one stays until then.
   */
  | {
      readonly type: "reconfigure";
      readonly upstream: string;
      readonly settings: UpstreamSettings;
      readonly anew: boolean;
    }
  /** Forgets the upstream. Comes after `cancel`, if the thread has others. */
  | { readonly type: "remove"; readonly upstream: string }
  /** Reply: `inspected`. */
  | { readonly type: "inspect"; readonly upstream: string; readonly seq: number }
  /**
   * Asks another replica for a thing that it holds, at the address that the thing's id names. Reply: one `held`, unless
   * the host leaves.
   */
  | {
      readonly type: "askHolder";
      readonly upstream: string;
      readonly seq: number;
      readonly address: string;
      readonly question: ArrayBuffer;
    }
  | { readonly type: "leaveHolder"; readonly upstream: string; readonly seq: number }
  /** The answer to a `heldAsked`. */
  | { readonly type: "answerHeld"; readonly upstream: string; readonly seq: number; readonly answer: ArrayBuffer }
  /** Asks for a sign of life. Reply: `heartbeat`. */
  | { readonly type: "heartbeat"; readonly upstream: "*" }
  /** Exit, step 0: fails what is unsent and takes nothing new. Reply: `drained`, once no reply is awaited any more. */
  | { readonly type: "drain"; readonly upstream: string }
  /** Exit, step 1: counts the upstream's messages from here on instead of keeping them. */
  | { readonly type: "stop"; readonly upstream: string }
  /** Exit, step 2: closes the connections. Reply: `closed`, once every socket is gone. Again with 0: breaks them. */
  | { readonly type: "close"; readonly upstream: string; readonly withinMs: number }
  /** Exit, step 3: fails what is pending and stops all timers. Reply: `cancelled`. */
  | { readonly type: "cancel"; readonly upstream: string }
  /** Exit, step 4: ends the thread. Reply: `stopped`. */
  | { readonly type: "end"; readonly upstream: "*" };

export type CommandOf<Type extends ToThread["type"]> = Extract<ToThread, { type: Type }>;
export type ReadCommand = CommandOf<"read">;

/** A message from the thread to the host. */
export type FromThread =
  /** The thread listens: the first message of every thread. */
  | { readonly type: "ready"; readonly upstream: "*" }
  /** `lagMs`: the lags of the thread's event loop that were measured since the last one. */
  | { readonly type: "heartbeat"; readonly upstream: "*"; readonly lagMs: readonly number[] }
  /** A text for the log alone. The upstream is `*` if it is not known which one's module it comes from. */
  | { readonly type: "report"; readonly upstream: string; readonly report: ThreadReport }
  | { readonly type: "traced"; readonly upstream: string; readonly frame: TracedFrame }
  | { readonly type: "taped"; readonly upstream: string; readonly entry: TapeEntry }
  | { readonly type: "opened"; readonly upstream: string; readonly protocol: ProtocolTraits }
  | { readonly type: "unusable"; readonly upstream: string; readonly detail: string }
  | { readonly type: "settled"; readonly upstream: string; readonly seq: number; readonly outcome: Outcome }
  /** The `settled` that follows is the outcome of an earlier request with the same Idempotency-Key. */
  | { readonly type: "replayed"; readonly upstream: string; readonly seq: number }
  /** A request of kind `stream` that subscribes was handed to the socket, and has no deadline from here on. */
  | { readonly type: "begun"; readonly upstream: string; readonly seq: number }
  /**
   * A frame of the reply to a request of kind `stream`, except the last, which comes as `settled`. Parts posted and not
   * yet `taken` are bounded by `limits.reply_bytes`; beyond that the stream fails.
   */
  | { readonly type: "part"; readonly upstream: string; readonly seq: number; readonly body: Body }
  | { readonly type: "page"; readonly upstream: string; readonly seq: number; readonly page: Page | NoPage }
  /** A read ends without a page: this replica cannot read the messages that the replicas share. */
  | { readonly type: "unread"; readonly upstream: string; readonly seq: number; readonly failure: Failure }
  | { readonly type: "acknowledged"; readonly upstream: string; readonly seq: number; readonly answered: Answered }
  /**
   * Only for an upstream that replicas share. With the places of the webhooks, by their ids, this replica pushes from
   * here on; without, it begins no push any more, and a `rested` follows. `why` is set if the cluster is to blame.
   */
  | {
      readonly type: "pushing";
      readonly upstream: string;
      readonly turn: number;
      readonly places?: Readonly<Record<string, Cursor>> | undefined;
      readonly why?: string | undefined;
    }
  /** The places of `pushed` up to this number are kept. */
  | { readonly type: "kept"; readonly upstream: string; readonly seq: number }
  /** The late outcome of a request that was `settled` with `reply_timeout`. */
  | { readonly type: "late"; readonly upstream: string; readonly seq: number; readonly outcome: Outcome }
  | { readonly type: "state"; readonly upstream: string; readonly state: UpstreamState }
  /** An open connection has ended, or an attempt that led to none. `code` is that of `codeOf`. */
  | { readonly type: "connectionEnded"; readonly upstream: string; readonly wasOpen: boolean; readonly code: string }
  | {
      readonly type: "subscription";
      readonly upstream: string;
      readonly name: string;
      readonly state: SubscriptionState;
    }
  /** Without a failure the upstream has ended the subscription, or there was nothing to end. */
  | {
      readonly type: "unsubscribed";
      readonly upstream: string;
      readonly seq: number;
      readonly failure?: Failure | undefined;
    }
  | { readonly type: "inspected"; readonly upstream: string; readonly seq: number; readonly details: ThreadDetails }
  | {
      readonly type: "held";
      readonly upstream: string;
      readonly seq: number;
      readonly answer: ArrayBuffer | NoHeldAnswer;
    }
  /** Another replica asks for a thing that this host holds. Reply: `answerHeld`. */
  | { readonly type: "heldAsked"; readonly upstream: string; readonly seq: number; readonly question: ArrayBuffer }
  /** It asks no more. */
  | { readonly type: "heldLeft"; readonly upstream: string; readonly seq: number }
  | { readonly type: "drained"; readonly upstream: string }
  | { readonly type: "closed"; readonly upstream: string; readonly close: CloseCounts }
  /** `discarded`: the messages that were counted instead of kept since `stop`. */
  | { readonly type: "cancelled"; readonly upstream: string; readonly counts: CancelCounts; readonly discarded: number }
  | { readonly type: "stopped"; readonly upstream: "*" };

/**
 * The number of answers that an acknowledgement has sent. `nowhere`: there is no such journal. `ahead`: the place is
 * beyond its newest message. `gone`: its messages died with a former thread, and the answers to them. `elsewhere`: the
 * replica that owns the upstream has them.
 */
export type Answered = number | "nowhere" | "ahead" | "gone" | "elsewhere";

/**
 * `nobody`: whoever answered there is gone. `apart`: nobody answered, and this replica or the other may just have no
 * contact. `lost`: the question or the answer was lost.
 */
export type NoHeldAnswer = "nobody" | "apart" | "lost";

/** A frame as the log shows it. */
export interface TracedFrame {
  readonly direction: "sent" | "received";
  /** The number of the connection. */
  readonly connection: number;
  /** The frame's text, cut and without secrets. */
  readonly text: string;
}

/** An event of a connection as a recording has it, without secrets. `at`: milliseconds of the system's clock. */
export type TapeEntry = { readonly at: number } & (
  | {
      readonly event: "open";
      readonly connection: number;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      /** The subprotocols that were offered, and the one that was agreed on: empty for none. */
      readonly offered: readonly string[];
      readonly subprotocol: string;
    }
  | { readonly event: "sent" | "received"; readonly connection: number; readonly frame: Body }
  /** `code`: null if the connection was broken; `why` says the reason. */
  | {
      readonly event: "close";
      readonly connection: number;
      readonly by: "us" | "peer" | null;
      readonly code: number | null;
      readonly reason: string;
      readonly why: string;
    }
  /** An attempt led to no open connection. */
  | { readonly event: "failed"; readonly why: string }
  /** The bytes are used up: nothing follows. */
  | { readonly event: "full" }
);

/** The thread's side of the budget of memory, which the host and all threads share. */
export interface ThreadMemory {
  readonly budget: BudgetMemory;
  readonly side: number;
}

/** The epoch of a new journal, and those of its predecessors, which died with their threads and all they kept. */
export interface JournalEpochs {
  readonly epoch: string;
  readonly former: readonly string[];
}

/** The cluster that a thread takes part in, as a member of its own. */
export interface ThreadCluster {
  readonly settings: ClusterSettings;
  readonly replies: ReplySettings;
  /** Once the service has started: a cluster that refuses us is reported, and dialled again. */
  readonly keepsTrying?: boolean | undefined;
}

/** How long a read may wait for the cluster's log, in milliseconds: the host waits longer, and for memory, too. */
export const READ_HOLD_MS = 4_000;

/** `ahead`: the cursor is of this epoch, but after its newest message. `nowhere`: there is no such journal. */
export type NoPage = "ahead" | "nowhere";

/** The part of a protocol that the host needs; the protocol itself may be a module that only the thread has loaded. */
export type ProtocolTraits = Pick<Protocol, "name" | "accepts" | "streams"> & {
  /** True if an array is a batch of messages, and no message by itself. */
  readonly batches: boolean;
  /** True if bodies of bytes are taken. */
  readonly binary?: boolean;
  /** True if frames of a reply may be bytes, or carry some. */
  readonly bytes?: boolean;
  /** The size of the frames that a long body of bytes is sent as; undefined if each body is one frame. */
  readonly frameBytes?: number | undefined;
};

/** The details of an upstream that only the thread knows. */
export interface ThreadDetails {
  readonly inFlight: number;
  /** How many may be in flight at once. */
  readonly inFlightMax: number;
  /** Milliseconds since the request came that was taken in before the others in flight; undefined without any. */
  readonly firstInFlightAgeMs?: number | undefined;
  /** Milliseconds since the last pong of the current connection; undefined before it. */
  readonly lastPongAgeMs?: number | undefined;
  /** Milliseconds since the last frame arrived; undefined before the first. */
  readonly lastFrameAgeMs?: number | undefined;
  /** Milliseconds from the last ping to its pong; undefined before the first. */
  readonly roundTripMs?: number | undefined;
  /** Bytes handed to the socket and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** The values of `capture`, by name. */
  readonly captured: Readonly<Record<string, CapturedValue>>;
  /** The owner's beats, in a cluster. */
  readonly cluster?: ClusterAges | undefined;
  /** The messages in all journals of the upstream. */
  readonly kept: { readonly messages: number; readonly bytes: number };
}

/** How far a replica is behind its cluster. Ages are in milliseconds. */
export interface ClusterAges {
  /** Since this replica was certainly heard by the others, or since its start if it never was. */
  readonly contactAgeMs: number;
  /** Since the owner was heard; null if there is none. */
  readonly heardMs: number | null;
  /** Entries of the shared log that this replica knows of and has not read yet. */
  readonly logLag: number;
}

/** The details of an upstream. What is counted includes the instances that callers have opened of it. */
export interface UpstreamDetails extends ThreadDetails {
  readonly counters: Counters;
  readonly ends: ConnectionEnds;
  readonly losses: JournalLosses;
  readonly shared: ClusterCounts;
}

/** Numbers by `codeOf`, with a bound on the names: the upstream chooses close codes. */
export interface ConnectionEnds {
  /** Open connections that ended, except those that were replaced in time, and those that the exit closes. */
  readonly disconnects: Readonly<Record<string, number>>;
  /** Attempts that led to no open connection. */
  readonly failedAttempts: Readonly<Record<string, number>>;
}

export interface CloseCounts {
  /** The close code that ended the connection: the peer's, 1006 without a close frame, null when nothing was open. */
  readonly code: number | null;
  /** The side that began the close handshake; null if neither did. */
  readonly by: "us" | "peer" | null;
  /** The bound passed and the socket was broken. */
  readonly forced: boolean;
  /** Set if this replica owned the upstream, and gave it to another. */
  readonly handover?: Handover | undefined;
}

/** The handover of an upstream at the exit of its owner. */
export interface Handover {
  /** The next owner; null if there was none within the time of the exit. */
  readonly to: string | null;
  /** Milliseconds until it was heard. */
  readonly ms: number;
}
