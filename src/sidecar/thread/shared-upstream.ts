/** An upstream that replicas of a cluster share: the one place that decides which of them handles a command. */

import { ClaimRecords, type KeyedEnd } from "../../cluster/claim-records.ts";
import type { AskEvents, OpenAsk, TakeRequest } from "../../cluster/engine.ts";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type MemberAnswer,
  type MemberRequest,
} from "../../cluster/member-messages.ts";
import type { UpstreamSettings } from "../../config/schema.ts";
import { type AskEnd, Forwarding, type ForwardingEffect, mayFollow } from "../../core/cluster/forwarding.ts";
import { PastTerms } from "../../core/cluster/past-terms.ts";
import type { OwnerView } from "../../core/cluster/upstream-ownership.ts";
import { anotherConnection, failed, ownedElsewhere, unread } from "../../core/exchange/failures.ts";
import { countedBytes, isUnsent, type Outcome, weightOf } from "../../core/outcome.ts";
import type { ClusterCounts } from "../../core/tally.ts";
import type { Budget } from "../../core/util/budget.ts";
import { deferred } from "../../core/util/deferred.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { ErrorCode, Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import { Alarm } from "../alarm.ts";
import type { CloseCounts, CommandOf, FromThread, Handover, OwnerState, UpstreamState } from "../contract.ts";
import { PHASES } from "../reports.ts";
import { HolderQuestions } from "./holder-questions.ts";
import { type HostMessage, KeyedRequests } from "./keyed-requests.ts";
import type { Work } from "./mark.ts";
import type { ClusterMember, MemberUpstream } from "./member.ts";
import { SharedLog } from "./shared-log.ts";
import { SharedPush } from "./shared-push.ts";
import type { Upstream, UpstreamCommand } from "./upstream.ts";

export interface SharedEnvironment {
  now(): number;
  post(message: FromThread, alone?: boolean): void;
  readonly work: Work;
  readonly budget: Budget;
  readonly tally: ClusterCounts;
  /** The address at which other replicas ask for what this one holds. */
  readonly holder?: string | undefined;
}

/** The part of an upstream of this thread that is told of commands and of the ownership. */
type SharedPart = Pick<Upstream, "handle" | "own" | "resign">;

/** A request of ours that another member has. */
interface Asked {
  readonly ask: OpenAsk;
  /** The owner that was asked; undefined if it was none any more. */
  readonly member: string | undefined;
  /** When, on the thread's clock. */
  readonly at: number;
  /** The weight of the parts that the host has not taken yet. */
  unread: number;
}

type SendAnswer = (answer: Uint8Array, isLast: boolean) => void;

/** A request of another member that this one has. */
interface Taken {
  readonly from: string;
  /** When it came, on the thread's clock. */
  readonly at: number;
  readonly send: SendAnswer;
}

/** The askers with a key that may always wait, however few requests may be in flight. */
const ASKERS_AT_LEAST = 1_024;
/** The time that a handover may take within the close step, in milliseconds. */
const HANDOVER_MS = 1_000;
/** The time within it for the log to take the last messages, in milliseconds. */
const FLUSH_MS = 500;
/** The time of the pushes that are under way before an early handover, in milliseconds. */
const PUSH_MS = 1_000;
/** The rest of the close step's time for its report to cross to the host, in milliseconds. */
const REPORT_MS = 30;
/** Readiness outlasts an owner, or contact, by the lease and this time: a restart of NATS must not empty a balancer. */
const READY_GRACE_MS = 5_000;
/** Phases of an upstream that nobody can reach. */
const DOWN: readonly UpstreamState["phase"][] = ["waiting", "refused", "closing", "closed"];
/** Failures of messages that were not sent, which may be those of an owner that is not the owner any more. */
const UNOWNED: readonly ErrorCode[] = ["connection_lost", "upstream_down", "shutting_down"];
/** Numbers of connections differ between owners, so each is given out with its term; both are less than this. */
const CONNECTIONS = 2 ** 20;

/**
 * Commands go to the upstream of this thread while this member owns it, and requests to the owner otherwise. The host
 * gets the same messages either way.
 */
export class SharedUpstream implements MemberUpstream {
  readonly #name: string;
  #settings: UpstreamSettings;
  readonly #member: ClusterMember;
  readonly #env: SharedEnvironment;
  readonly #leaseMs: number;
  readonly #forwarding = new Forwarding<HostMessage>();
  readonly #alarm: Alarm;
  readonly #asked = new TransientMap<number, Asked>();
  /** Requests of other members in our own exchange, by the numbers that we gave them: below zero, unlike the host's. */
  readonly #taken = new TransientMap<number, Taken>();
  #lastTaken = 0;
  readonly #keyed: KeyedRequests;
  readonly #terms = new PastTerms();
  #lastTerm = 0;
  readonly log: SharedLog;
  readonly #push: SharedPush;
  readonly #held: HolderQuestions;
  /** The address of our newest term. */
  #address: string | undefined;
  #upstream: SharedPart | undefined;
  /** The state of our own connection. */
  #own: UpstreamState = { phase: "idle", attempts: 0 };
  #posted = "";
  /** Known to the log as the owner. */
  #isOwner = false;
  #isDraining = false;
  #isDrained = false;
  #closesBy: number | undefined;
  #handover: ReturnType<typeof newHandover> | undefined;
  #readyAt = Number.NEGATIVE_INFINITY;

  constructor(
    name: string,
    settings: UpstreamSettings,
    leaseMs: number,
    keepMs: number,
    member: ClusterMember,
    env: SharedEnvironment,
  ) {
    this.#name = name;
    this.#settings = settings;
    this.#leaseMs = leaseMs;
    this.#member = member;
    this.#env = env;
    this.#alarm = new Alarm(env.now, () => env.work(() => this.#expire(), undefined));
    this.#keyed = this.#keyedRequests(keepMs);
    this.log = new SharedLog(name, settings, member.engine, {
      now: env.now,
      work: env.work,
      tally: env.tally,
      readPlaces: member.readPlaces,
      report: (text) => env.post({ type: "report", upstream: name, report: { event: "clustered", text } }),
      read: (command) => this.#upstream?.handle(command),
      unread: (seq) => env.post({ type: "unread", upstream: name, seq, failure: unreadable }),
      onRead: () => this.#postState(),
    });
    this.#held = new HolderQuestions(name, member.engine, {
      work: env.work,
      post: env.post,
      tally: env.tally,
      now: env.now,
      isHostGone: (host) => member.isHostGone(host),
      goneAfterMs: member.goneAfterMs,
    });
    this.#push = new SharedPush(name, member.uniqueName(), member.engine, {
      now: env.now,
      work: env.work,
      post: env.post,
      report: (text) => env.post({ type: "report", upstream: name, report: { event: "clustered", text } }),
      onRest: () => this.#reportDrained(),
    });
  }

  /** Begins to take part, once the upstream is there that is to be shared. */
  start(upstream: SharedPart): void {
    this.#upstream = upstream;
    this.#member.add(this.#name, this);
    this.log.start();
    if (this.#env.holder !== undefined) this.#held.start(this.#env.holder);
  }

  get isExclusive(): boolean {
    return this.#settings.handover !== "overlap";
  }

  get servesAlone(): boolean {
    return this.#settings.when_alone === "serve";
  }

  /** Counts what it refuses. */
  readonly fence = (): boolean => {
    const mayWrite = this.#mayWrite;
    if (!mayWrite) this.#env.tally.fenced++;
    return mayWrite;
  };

  get #mayWrite(): boolean {
    return this.#member.mayWrite(this.#name);
  }

  // Commands of the host.

  handle(command: UpstreamCommand): void {
    switch (command.type) {
      case "request":
      case "send":
        this.#follow();
        this.#carryOut(this.#forwarding.request(command.seq, command, command.deadline, this.#env.now()));
        break;
      case "abandon":
        this.#carryOut(this.#forwarding.abandon(command.seq));
        this.#keyed.abandon(command.seq);
        this.#upstream?.handle(command);
        break;
      case "taken": {
        const asked = this.#asked.get(command.seq);
        if (asked) asked.unread -= command.weight;
        else this.#upstream?.handle(command);
        break;
      }
      case "read":
        this.log.read(command);
        break;
      case "cancelRead":
        this.log.cancelRead(command.seq);
        this.#upstream?.handle(command);
        break;
      case "reply":
      case "acknowledge":
        if (this.#mayWrite) this.#upstream?.handle(command);
        else this.#refuse(command);
        break;
      case "pushed":
      case "rested":
        this.#push.handle(command);
        break;
      case "askHolder":
      case "leaveHolder":
      case "answerHeld":
        this.#held.handle(command);
        break;
      case "cancel":
        this.#held.end();
        this.#upstream?.handle(command);
        this.log.end();
        this.#push.end();
        break;
      case "drain":
        this.#drain(command);
        break;
      case "close":
        this.#closesBy = this.#env.now() + command.withinMs;
        this.#upstream?.handle(command);
        break;
      case "reconfigure":
        this.#settings = command.settings;
        this.#upstream?.handle(command);
        this.#permitPush();
        break;
      case "remove":
        this.#held.end();
        this.#alarm.clear();
        this.#member.remove(this.#name);
        this.log.end();
        this.#push.end();
        this.#keyed.end(removed);
        for (const seq of [...this.#taken.keys()])
          this.#answer(seq, { type: "settled", outcome: failed(removed, undefined) });
        this.#upstream?.handle(command);
        break;
      default:
        this.#upstream?.handle(command);
    }
  }

  /** Another replica has the connection. */
  #refuse({ type, seq }: CommandOf<"reply" | "acknowledge">): void {
    const common = { upstream: this.#name, seq };
    if (type === "acknowledge") this.#env.post({ ...common, type: "acknowledged", answered: "elsewhere" });
    else this.#env.post({ ...common, type: "settled", outcome: failed(ownedElsewhere, undefined) });
  }

  #drain(command: CommandOf<"drain">): void {
    this.#isDraining = true;
    this.#carryOut(this.#forwarding.drain());
    this.#push.leave();
    // A member that leaves must not become the owner; and the next owner may begin now, beside our connection.
    if (!this.#owns) this.#release();
    else if (!this.isExclusive && this.#member.isInContact) void this.#releaseEarly();
    this.#upstream?.handle(command);
  }

  /** The next owner must not push what is under way, and writes no messages that came before it. */
  async #releaseEarly(): Promise<void> {
    const settled = this.#push.settled(PUSH_MS);
    if (settled) await settled;
    if (this.log.unstored > 0) await this.log.flush(PUSH_MS);
    this.#env.work(() => this.#release(), undefined);
  }

  // Messages of the upstream.

  /** Takes the messages of the upstream to the host. */
  readonly post = (message: FromThread, alone?: boolean): void => {
    switch (message.type) {
      case "settled":
        // The outcomes of replies to the upstream, and of agreements, are none of a forwarded request.
        if (this.#keyed.has(message.seq)) this.#onKeyedEnd(message.seq, message.outcome);
        else if (this.#taken.has(message.seq)) this.#onTakenEnd(message.seq, message.outcome);
        else if (this.#forwarding.has(message.seq)) this.#onOwnEnd(message.seq, message.outcome);
        else this.#env.post(message, alone);
        break;
      case "begun":
      case "part":
        if (this.#taken.has(message.seq)) this.#answer(message.seq, message);
        else this.#env.post(message, alone);
        break;
      case "late":
        if (this.#keyed.has(message.seq)) this.#keyed.ended(message.seq, this.#outcomeFor(message.outcome));
        else if (this.#taken.has(message.seq)) this.#answer(message.seq, { type: "settled", outcome: message.outcome });
        else this.#env.post(message, alone);
        break;
      case "state":
        this.#own = message.state;
        this.#member.setPhase(this.#name, message.state.phase);
        this.#postState();
        break;
      case "drained":
        this.#isDrained = true;
        this.#reportDrained();
        break;
      case "closed":
        void this.#handOver(message.close);
        break;
      case "cancelled": {
        const { effects, count } = this.#forwarding.cancel();
        this.#carryOut(effects);
        this.#keyed.cancel(stopped);
        const counts = { ...message.counts, maybe: message.counts.maybe + count };
        this.#env.post({ ...message, counts }, alone);
        break;
      }
      case "inspected": {
        const details = { ...message.details, cluster: this.#details };
        this.#env.post({ ...message, details }, alone);
        break;
      }
      default:
        this.#env.post(message, alone);
    }
  };

  #onTakenEnd(seq: number, outcome: Outcome): void {
    this.#answer(
      seq,
      this.#isUnowned(outcome) ? { type: "not_owner" } : { type: "settled", outcome: this.#outcomeFor(outcome) },
    );
    // It counted until somebody took it: the asker counts what it has by itself.
    this.#env.budget.give("answers", countedBytes(outcome));
  }

  #onOwnEnd(seq: number, outcome: Outcome): void {
    const isOthers = this.#isUnowned(outcome);
    // It must not come back to an exchange that has just given it up.
    if (isOthers) this.#follow();
    this.#carryOut(this.#forwarding.onEnd(seq, isOthers ? "not_owner" : this.#withTerm(outcome), this.#env.now()));
  }

  /** The end of a message with a key, from our own exchange. Its bytes count again for each caller of ours. */
  #onKeyedEnd(number: number, outcome: Outcome): void {
    this.#env.budget.give("answers", countedBytes(outcome));
    this.#keyed.ended(number, this.#isUnowned(outcome) ? "not_owner" : this.#outcomeFor(outcome));
  }

  /** The end of an asker's request. */
  #onKeyEnd(seq: number, end: KeyedEnd, isReplayed: boolean): void {
    if (this.#taken.has(seq)) {
      const outcome = end === "not_owner" ? end : asOwnerLost(end);
      this.#answer(seq, outcome === "not_owner" ? { type: outcome } : { type: "settled", outcome, isReplayed });
      return;
    }
    if (!this.#forwarding.has(seq)) return;
    if (end === "not_owner") this.#follow();
    else {
      this.#env.budget.take("answers", countedBytes(end));
      if (isReplayed) this.#env.post({ type: "replayed", upstream: this.#name, seq });
    }
    this.#carryOut(this.#forwarding.onEnd(seq, end, this.#env.now()));
  }

  #keyedRequests(keepMs: number): KeyedRequests {
    const { now, work } = this.#env;
    const termOf = () => {
      const owner = this.#member.ownerOf(this.#name);
      if (owner?.isSelf) this.#lastTerm = owner.term;
      return this.#lastTerm;
    };
    const claimant = {
      get term() {
        return termOf();
      },
      wasReleased: (term: number) => this.#wasReleased(term),
      attempt: () => this.#member.uniqueName(),
    };
    return new KeyedRequests(new ClaimRecords(this.#member.engine, this.#name), keepMs, {
      now,
      work,
      claimant,
      draw: () => --this.#lastTaken,
      mayWrite: () => this.#mayWrite,
      send: (message) => this.#handOn(message.seq, message),
      settle: (seq, end, isReplayed) => this.#onKeyEnd(seq, end, isReplayed),
      late: (seq, outcome) => {
        if (this.#taken.has(seq)) this.#answer(seq, { type: "settled", outcome: asOwnerLost(outcome) });
        else this.#env.post({ type: "late", upstream: this.#name, seq, outcome });
      },
      hold: (write) => this.#member.hold(write),
      onLess: () => this.#reportDrained(),
    });
  }

  /** True if the owner of an older term has given it up by itself, and is there to receive what it had sent. */
  #wasReleased(term: number): boolean {
    const release = this.#terms.releaseOf(term);
    return release !== undefined && !this.#member.isSilent(release.member, release.at);
  }

  #settle(seq: number, outcome: Outcome): void {
    const alone = this.#forwarding.size === 0;
    this.#env.post({ type: "settled", upstream: this.#name, seq, outcome }, alone);
  }

  /** True if another member may send the message that this one has not sent. */
  #isUnowned(outcome: Outcome): boolean {
    if ((!this.#isDraining && this.#mayWrite) || !isUnsent(outcome)) return false;
    const failures = outcome.type === "batch" ? outcome.items : [outcome];
    return failures.every((each) => each.type === "failed" && UNOWNED.includes(each.failure.code));
  }

  // Requests of other members.

  readonly take: TakeRequest = (bytes, send) => {
    const seq = --this.#lastTaken;
    this.#env.work(() => this.#take(seq, bytes, send), undefined);
    return {
      more() {},
      end: () => this.#env.work(() => this.#leave(seq), undefined),
    };
  };

  #take(seq: number, bytes: Uint8Array, send: SendAnswer): void {
    let request: MemberRequest;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      const failure: Failure = { code: "upstream_down", sent: "no", detail: (error as Error).message };
      send(encodeAnswer({ type: "settled", outcome: failed(failure, undefined) }), true);
      return;
    }
    this.#taken.set(seq, { from: request.from, at: this.#env.now(), send });
    // It may have waited while this process stood still: alone, it serves its own callers only.
    if (!this.#member.isSole(this.#name)) this.#answer(seq, { type: "not_owner" });
    else this.#handOn(seq, commandOf(this.#name, seq, request, this.#env.now()));
  }

  /** The caller of another member has left. */
  #leave(seq: number): void {
    if (!this.#taken.delete(seq)) return;
    this.#keyed.abandon(seq);
    this.#upstream?.handle({ type: "abandon", upstream: this.#name, seq });
  }

  #answer(seq: number, answer: MemberAnswer): void {
    const send = this.#taken.get(seq)?.send;
    if (!send) return;
    const isLast = answer.type === "not_owner" || (answer.type === "settled" && !mayFollow(answer.outcome));
    if (isLast) this.#taken.delete(seq);
    try {
      send(encodeAnswer(answer), isLast);
    } catch (error) {
      const failure: Failure = { code: "invalid_reply", sent: "yes", detail: (error as Error).message };
      this.#taken.delete(seq);
      send(encodeAnswer({ type: "settled", outcome: failed(failure, undefined) }), true);
    }
    if (answer.type === "part")
      this.#upstream?.handle({ type: "taken", upstream: this.#name, seq, weight: weightOf(answer.body) });
    this.#reportDrained();
  }

  // Requests of this member's own callers.

  #carryOut(effects: readonly ForwardingEffect<HostMessage>[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "own":
          this.#handOn(effect.seq, effect.request);
          break;
        case "ask":
          this.#ask(effect.seq, effect.request, effect.address);
          break;
        case "leave":
          this.#asked.get(effect.seq)?.ask.end();
          this.#asked.delete(effect.seq);
          break;
        case "settle":
          this.#settle(effect.seq, effect.outcome);
          break;
        case "late":
          this.#env.post({ type: "late", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
      }
    }
    this.#alarm.set(this.#forwarding.nextDeadline);
    this.#reportDrained();
  }

  /** Hands a message to our own exchange. One of a series may have come from an earlier owner's connection. */
  #handOn(seq: number, command: HostMessage): void {
    if (command.key) {
      const most = Math.max(this.#settings.limits.in_flight, ASKERS_AT_LEAST);
      this.#keyed.ask(seq, command.key, command, most);
      return;
    }
    if (command.type === "request" || command.over === 0) {
      this.#upstream?.handle({ ...command, seq });
      return;
    }
    const owner = this.#member.ownerOf(this.#name);
    const isSameTerm = owner?.isSelf === true && Math.floor(command.over / CONNECTIONS) === owner.term;
    if (isSameTerm) this.#upstream?.handle({ ...command, seq, over: command.over % CONNECTIONS });
    else this.post({ type: "settled", upstream: this.#name, seq, outcome: failed(anotherConnection, undefined) });
  }

  /** The outcome for another member's caller. */
  #outcomeFor(outcome: Outcome): Outcome {
    return this.#withTerm(asOwnerLost(outcome));
  }

  #withTerm(outcome: Outcome): Outcome {
    if (outcome.type !== "done" || outcome.connection === undefined) return outcome;
    const term = this.#member.ownerOf(this.#name)?.term ?? 0;
    return { ...outcome, connection: term * CONNECTIONS + outcome.connection };
  }

  #ask(seq: number, command: HostMessage, address: string): void {
    const { work } = this.#env;
    const request = encodeRequest({
      from: this.#member.id,
      kind: command.kind,
      body: command.body,
      leftMs: command.deadline - this.#env.now(),
      unanswered: command.type === "send",
      over: command.type === "send" && command.inSeries ? command.over : undefined,
      key: command.key,
    });
    this.#env.tally.forwarded++;
    const onEnd = (end: AskEnd) => {
      if (this.#asked.get(seq) !== asked) return;
      this.#asked.delete(seq);
      this.#carryOut(this.#forwarding.onEnd(seq, end, this.#env.now()));
    };
    const events: AskEvents = {
      answer: (bytes, isLast) =>
        work(() => this.#asked.get(seq) === asked && this.#onAnswer(seq, asked, bytes, isLast), undefined),
      nobody: () => work(onEnd, "nobody" as const),
      lost: () => work(onEnd, "lost" as const),
    };
    let asked: Asked;
    try {
      const owner = this.#member.ownerOf(this.#name);
      const member = owner && !owner.isSelf ? owner.member : undefined;
      asked = { ask: this.#member.engine.ask(address, request, events), member, at: this.#env.now(), unread: 0 };
    } catch (error) {
      const failure: Failure = { code: "payload_too_large", sent: "no", detail: (error as Error).message };
      this.#carryOut(this.#forwarding.onEnd(seq, failed(failure, undefined), this.#env.now()));
      return;
    }
    this.#asked.set(seq, asked);
  }

  #onAnswer(seq: number, asked: Asked, bytes: Uint8Array, isLast: boolean): void {
    const answer = readAnswer(bytes);
    if (isLast) this.#asked.delete(seq);
    switch (answer.type) {
      case "begun":
        if (this.#forwarding.onBegun(seq)) this.#env.post({ type: "begun", upstream: this.#name, seq });
        break;
      case "part":
        if (this.#forwarding.onBegun(seq)) this.#onPart(seq, asked, answer.body);
        break;
      case "not_owner":
        this.#carryOut(this.#forwarding.onEnd(seq, "not_owner", this.#env.now()));
        break;
      case "settled":
        // It counts here until the host has it.
        if (!this.#forwarding.isLate(seq)) {
          this.#env.budget.take("answers", countedBytes(answer.outcome));
          if (answer.isReplayed && this.#forwarding.has(seq))
            this.#env.post({ type: "replayed", upstream: this.#name, seq });
        }
        this.#carryOut(this.#forwarding.onEnd(seq, answer.outcome, this.#env.now()));
    }
    if (isLast || this.#forwarding.has(seq) || this.#asked.get(seq) !== asked) return;
    // An answer that cannot be read, or that ends the request though more follow.
    this.#asked.delete(seq);
    asked.ask.end();
  }

  #onPart(seq: number, asked: Asked, body: Body): void {
    const { reply_bytes: max } = this.#settings.limits;
    asked.unread += weightOf(body);
    if (asked.unread <= max) {
      this.#env.post({ type: "part", upstream: this.#name, seq, body });
      return;
    }
    asked.ask.end();
    this.#asked.delete(seq);
    const outcome = failed(unread(`more than limits.reply_bytes (${max} bytes)`), undefined);
    this.#carryOut(this.#forwarding.onEnd(seq, outcome, this.#env.now()));
  }

  #expire(): void {
    this.#follow();
    this.#carryOut(this.#forwarding.expire(this.#env.now()));
  }

  // Ownership.

  own(): void {
    this.#env.work(() => {
      this.#env.tally.takeovers++;
      const owner = this.#member.ownerOf(this.#name);
      if (owner?.isSelf) {
        this.#address = owner.address;
        this.log.own(owner.term);
        this.#tellOwner(true, `this replica owns it, in term ${owner.term}`);
      }
      this.#upstream?.own();
    }, undefined);
  }

  resign(why: string): void {
    this.#env.work(() => {
      this.#tellOwner(false, `this replica does not own it any more: ${why}`);
      this.#upstream?.resign(why);
      this.log.resign();
    }, undefined);
  }

  /** Logs a change once: each term that renews an ownership comes here, too. */
  #tellOwner(isOwner: boolean, text: string): void {
    if (isOwner === this.#isOwner) return;
    this.#isOwner = isOwner;
    this.#env.post({ type: "report", upstream: this.#name, report: { event: "clustered", text } });
  }

  released(address: string, member: string): void {
    this.#forwarding.onReleased(address);
    this.#terms.released(address, { member, at: this.#env.now() });
    if (address === this.#address) this.log.resign();
  }

  contactLost(): void {
    this.#env.work(() => this.#carryOut(this.#forwarding.onContactLost()), undefined);
  }

  look(): void {
    this.#env.work(() => {
      this.#endSilent();
      this.#follow();
      this.#permitPush();
      this.#postState();
      const owner = this.#member.ownerOf(this.#name);
      if (!owner) return;
      this.#terms.heard(owner.term, owner.address);
      if (!owner.isSelf) this.#handover?.done(owner.member);
      this.#noteHeard(owner);
    }, undefined);
  }

  /** Ends the requests of members that are gone, and those that an owner had which is gone. */
  #endSilent(): void {
    for (const [seq, { from, at }] of this.#taken) if (this.#member.isSilent(from, at)) this.#leave(seq);
    for (const [seq, { ask, member, at }] of this.#asked) {
      if (member === undefined || !this.#member.isSilent(member, at)) continue;
      this.#asked.delete(seq);
      ask.end();
      this.#carryOut(this.#forwarding.onEnd(seq, "lost", this.#env.now()));
    }
  }

  #permitPush(): void {
    this.#push.permit(this.#settings.webhooks.length > 0 && this.#mayWrite);
  }

  fail(detail: string): void {
    this.#env.post({ type: "unusable", upstream: this.#name, detail: `the cluster: ${detail}` });
  }

  /** The owner has said that it hears the upstream. */
  #noteHeard(owner: OwnerView): void {
    const phase = owner.isSelf ? this.#own.phase : owner.phase;
    if (phase === "ready") this.log.heard(Date.now() - (owner.isSelf ? 0 : owner.heardMs));
  }

  #follow(): void {
    const to = this.#member.destinationOf(this.#name);
    this.#carryOut(this.#forwarding.onOwner(to, this.#env.now()));
  }

  get #owns(): boolean {
    return this.#member.ownerOf(this.#name)?.isSelf === true;
  }

  // The exit.

  #release(): void {
    if (this.#owns) this.#handover ??= newHandover(this.#env.now);
    this.#tellOwner(false, "this replica gives it up");
    this.#member.release(this.#name);
  }

  /** Reports the close once the next owner is known, or the time of the step has passed. */
  async #handOver(close: CloseCounts): Promise<void> {
    if (this.#owns) {
      const leftMs = (this.#closesBy ?? 0) - this.#env.now();
      const withinMs = Math.max(0, Math.min(leftMs / 2, FLUSH_MS));
      await Promise.all([this.log.flush(withinMs), this.#push.settled(withinMs)]);
    }
    this.#release();
    const handover = this.#handover;
    const left = (this.#closesBy ?? 0) - this.#env.now() - REPORT_MS;
    const waitMs = this.#member.hasOthers ? Math.max(0, Math.min(left, HANDOVER_MS)) : 0;
    const result = handover && (await handover.within(waitMs));
    this.#env.post({ type: "closed", upstream: this.#name, close: { ...close, ...(result && { handover: result }) } });
  }

  #reportDrained(): void {
    if (!this.#isDrained || this.#forwarding.owesCallers || this.#keyed.isOwing || !this.#push.isAtRest) return;
    this.#isDrained = false;
    this.#env.post({ type: "drained", upstream: this.#name });
  }

  // The state.

  #postState(): void {
    const state = this.#state;
    const text = JSON.stringify(state);
    if (text === this.#posted) return;
    this.#posted = text;
    this.#env.post({ type: "state", upstream: this.#name, state });
  }

  get #state(): UpstreamState {
    const owner = this.#member.ownerOf(this.#name);
    const to = this.#member.destinationOf(this.#name);
    const isSelf = owner?.isSelf === true;
    const isLeaving = this.#own.phase === "closing" || this.#own.phase === "closed";
    const state: UpstreamState =
      isSelf || isLeaving
        ? this.#own
        : to.type === "none" || !owner || owner.isSelf
          ? { phase: "connecting", attempts: 0, lastError: to.type === "none" ? to.why : undefined }
          : { phase: phaseOf(owner.phase), attempts: 0 };
    const facts: OwnerState = {
      member: owner && (owner.isSelf ? this.#member.id : owner.member),
      self: isSelf,
      term: owner?.term,
      serving: this.#serves(state.phase) && this.log.hasRead,
    };
    return { ...state, owner: facts };
  }

  /** Stays true for a while if the upstream was ready, and neither its owner nor anybody else says that it is down. */
  #serves(phase: UpstreamState["phase"]): boolean {
    const now = this.#env.now();
    if (phase === "ready") this.#readyAt = now;
    return !DOWN.includes(phase) && now - this.#readyAt < this.#leaseMs + READY_GRACE_MS;
  }

  get #details() {
    const owner = this.#member.ownerOf(this.#name);
    return {
      contactAgeMs: Math.round(this.#member.contactAgeMs),
      heardMs: owner === undefined ? null : owner.isSelf ? 0 : Math.round(owner.heardMs),
      logLag: this.log.lag,
    };
  }
}

const unreadable: Failure = {
  code: "upstream_down",
  sent: "no",
  detail: "this replica cannot read the messages that the cluster keeps at present",
};

const stopped: Failure = {
  code: "cancelled",
  sent: "maybe",
  detail: "the service stopped before the end of the request was stored for the other replicas",
};

const removed: Failure = {
  code: "connection_lost",
  sent: "maybe",
  detail: "the upstream was removed from the replica that owned it before the reply came",
  cause: "owner_lost",
};

/** The outcome for another member's caller, whose own service has not stopped. */
function asOwnerLost(outcome: Outcome): Outcome {
  if (outcome.type !== "failed" || outcome.failure.code !== "cancelled") return outcome;
  const detail = "the replica that owned the upstream stopped before the reply came";
  return { ...outcome, failure: { ...outcome.failure, code: "connection_lost", cause: "owner_lost", detail } };
}

function newHandover(now: () => number) {
  const began = now();
  const { promise, resolve } = deferred<Handover>();
  const done = (to: string | null) => resolve({ to, ms: Math.round(now() - began) });
  return {
    done,
    async within(ms: number): Promise<Handover> {
      const timer = setTimeout(done, ms, null);
      const handover = await promise;
      clearTimeout(timer);
      return handover;
    },
  };
}

function commandOf(upstream: string, seq: number, request: MemberRequest, now: number): HostMessage {
  const { kind, body, leftMs, unanswered, over, key } = request;
  const common = { upstream, seq, body, deadline: now + leftMs, key };
  if (!unanswered) return { ...common, type: "request", kind };
  return {
    ...common,
    type: "send",
    kind: kind === "confirm" ? kind : "send",
    inSeries: over !== undefined,
    over: over ?? 0,
  };
}

/** An answer that cannot be read says nothing about what was sent. */
function readAnswer(bytes: Uint8Array): MemberAnswer {
  try {
    return decodeAnswer(bytes);
  } catch (error) {
    const failure: Failure = { code: "connection_lost", sent: "maybe", detail: (error as Error).message };
    return { type: "settled", outcome: failed(failure, undefined) };
  }
}

/** A phase of another version is one that we do not know. */
function phaseOf(text: string): UpstreamState["phase"] {
  return PHASES.find((phase) => phase === text) ?? "connecting";
}
