/** The surroundings of an exchange in tests: callers, alarm, session and socket. */
import assert from "node:assert/strict";
import type { UpstreamSettings } from "../../../src/config/schema.ts";
import type { Availability } from "../../../src/core/connection/availability.ts";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import type { Signs } from "../../../src/core/connection/signs-of-life.ts";
import { Exchange, type ExchangeEffect } from "../../../src/core/exchange/exchange.ts";
import type { Owner } from "../../../src/core/exchange/request-table.ts";
import type { Failed, Outcome, RequestKind } from "../../../src/core/outcome.ts";
import { Budget } from "../../../src/core/util/budget.ts";
import type { ErrorCode, Sent } from "../../../src/errors.ts";
import type { Body, Protocol } from "../../../src/protocols/protocol.ts";

export const cut: Disconnect = { reason: "closed", code: 1006, text: "" };
/** The rest of `limits.pace`, for turns that come exactly `per` after each other. */
export const exact = { jitter: 0, counts: "messages" } as const;

/** A frame that the socket took: an entry of the ledger by which `sent` is judged. */
export interface Taken {
  readonly owner: Owner;
  readonly seq: number;
  readonly index: number;
  readonly connection: number;
  readonly frame: Body;
  readonly expectsReply: boolean;
  /** True once the pong of a later ping, or a frame about it, proves that it arrived. */
  proven: boolean;
}

interface Ping {
  readonly connection: number;
  /** How many of `taken` were taken before this ping. */
  readonly handedOver: number;
  /** All frames that its connection took, before the ping and since. */
  readonly taken: readonly Taken[];
}

/**
 * Carries out effects in the order of the sidecar's thread and checks the invariants with each of them: a request ends
 * once, its `sent` agrees with the ledger, and nothing is written to a connection after its end.
 */
export class ExchangeModel {
  readonly exchange: Exchange;
  now = 1_000;
  /** The number of the newest connection; 0 before the first. */
  connection = 0;
  /** True if the socket takes the frames that it is handed. */
  takes = true;
  /** Bytes that the socket could not pass on yet. */
  buffered = 0;
  /** How late the alarm rings, in milliseconds. */
  lateness = 0;
  readonly taken: Taken[] = [];
  readonly outcomes = new Map<number, Outcome>();
  /** The late outcomes of requests that had timed out. */
  readonly lates = new Map<number, Outcome>();
  readonly abandoned = new Set<number>();
  /** The outcomes of the subscriptions' requests, by their own numbers. */
  readonly subscriptionOutcomes = new Map<number, Outcome>();
  readonly subscriptionLates = new Map<number, Outcome>();
  readonly messages: Body[] = [];
  /** Streams that subscribe and are on a socket. */
  readonly begun: number[] = [];
  /** The frames of all streams, without the last one of each. */
  readonly parts: string[] = [];
  /** Replies to the upstream's own requests, and cancellations of streams. */
  readonly ownFrames: Body[] = [];
  readonly pings: Ping[] = [];
  readonly #signs = new Map<number, Signs>();
  renewals = 0;
  onTaken: (taken: Taken) => void = () => {};
  /** Called when a renewal has closed the old connection. The listener makes the new one. */
  onRenew: () => void = () => {};
  readonly #lost = new Set<number>();
  /** The part of `taken` that the newest connection took. */
  #takenHere: Taken[] = [];
  readonly #takenBySeq = new Map<number, Taken>();
  readonly #plans: { readonly at: number; run(): unknown }[] = [];
  #seq = 0;

  constructor(protocol: Protocol, limits: Partial<UpstreamSettings["limits"]> = {}, configured: readonly Body[] = []) {
    const all = {
      in_flight: 1_024,
      batch_items: 1_000,
      request_bytes: 2 ** 24,
      buffered_bytes: 2 ** 24,
      reply_bytes: 2 ** 24,
      reply_pause: 60_000,
      pace: null,
      ...limits,
    };
    const mask = (text: string) => text.replaceAll("secret", "***");
    const signs = { of: (connection: number) => this.#signs.get(connection) };
    this.exchange = new Exchange(protocol, all, mask, configured, Budget.alone(), {}, signs);
  }

  // Callers.

  call(body: Body, kind: RequestKind = "request", within = 25_000): number {
    const call = { seq: ++this.#seq, kind, body, deadline: this.now + within };
    this.carryOut(this.exchange.request("caller", call, this.now, this.buffered));
    return call.seq;
  }

  /** Makes a request of the subscriptions, which number their own. */
  subscribe(seq: number, body: Body, within = 25_000): void {
    const call = { seq, kind: "request", body, deadline: this.now + within } as const;
    this.carryOut(this.exchange.request("subscriptions", call, this.now, this.buffered));
  }

  abandon(seq: number): void {
    if (this.outcomes.has(seq)) return;
    this.abandoned.add(seq);
    this.carryOut(this.exchange.abandon(seq, this.now));
  }

  outcome(seq: number): Outcome {
    return this.outcomes.get(seq) ?? assert.fail(`request ${seq} has not ended`);
  }

  /** The body of a reply, as text. */
  reply(seq: number): string {
    const outcome = this.outcome(seq);
    assert.ok(outcome.type === "reply", JSON.stringify(outcome));
    return typeof outcome.body === "string" ? outcome.body : new TextDecoder().decode(outcome.body);
  }

  /** Asserts how a request failed. */
  fails(seq: number, code: ErrorCode, sent: Sent, retryAfterMs?: number): Failed {
    const outcome = this.outcome(seq);
    assert.ok(outcome.type === "failed", JSON.stringify(outcome));
    const { failure } = outcome;
    assert.deepEqual([failure.code, failure.sent, failure.retryAfterMs], [code, sent, retryAfterMs], failure.detail);
    return outcome;
  }

  /** The requests of callers that have not ended yet. */
  get open(): number[] {
    return Array.from({ length: this.#seq }, (_, at) => at + 1).filter(
      (seq) => !this.outcomes.has(seq) && !this.abandoned.has(seq),
    );
  }

  // Connections.

  availability(availability: Availability): void {
    this.carryOut(this.exchange.onAvailability(availability, this.now));
  }

  get connected(): boolean {
    return this.connection > 0 && !this.#lost.has(this.connection);
  }

  /** Makes a new connection, after losing the current one. */
  connect(): void {
    if (this.connected) this.#reportLoss(cut);
    this.takes = true;
    this.succeed();
  }

  /** Makes a new connection before breaking the current one. */
  succeed(): void {
    this.connection++;
    this.#signs.set(this.connection, { openedAt: this.now });
    this.#takenHere = [];
    this.availability({ type: "ready", connection: this.connection });
  }

  /** Ends the connection; the next attempt is due in a second. */
  lose(why: Disconnect = cut): void {
    this.takes = false;
    if (this.connected) this.#reportLoss(why);
    this.down();
  }

  down(code: ErrorCode = "upstream_down"): void {
    this.availability({ type: "down", failure: { code, detail: "down" }, until: this.now + 1_000 });
  }

  /** Reports the loss while the old socket is still open, and only then closes it, as the session does. */
  #renew(detail: string): void {
    this.renewals++;
    this.#reportLoss({ reason: "renewed", detail });
    this.availability({ type: "hold" });
    this.onRenew();
  }

  #reportLoss(why: Disconnect): void {
    this.#lost.add(this.connection);
    this.pings.length = 0;
    this.carryOut(this.exchange.onLost(this.connection, why, this.now));
  }

  frame(frame: Body, connection = this.connection): void {
    const signs = this.#signs.get(connection);
    if (signs) signs.frameAt = this.now;
    this.carryOut(this.exchange.onFrame(connection, frame, this.now, this.buffered));
  }

  ping(): void {
    this.pings.push({ connection: this.connection, handedOver: this.#takenHere.length, taken: this.#takenHere });
  }

  /** Delivers the pong of the oldest ping on its way. */
  pong(): void {
    const ping = this.pings.shift();
    if (ping === undefined) return;
    const signs = this.#signs.get(ping.connection);
    if (signs) signs.pongAt = this.now;
    for (const taken of ping.taken.slice(0, ping.handedOver)) taken.proven = true;
    this.carryOut(this.exchange.onProven(ping.connection, ping.handedOver, this.now));
  }

  // Time.

  at(at: number, run: () => unknown): void {
    this.#plans.push({ at, run });
    this.#plans.sort((a, b) => a.at - b.at);
  }

  /** Lets time pass, and runs plans and deadlines on the way, in their order. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = (this.exchange.nextDeadline ?? Number.POSITIVE_INFINITY) + this.lateness;
      const planned = this.#plans[0]?.at ?? Number.POSITIVE_INFINITY;
      if (Math.min(due, planned) > end) break;
      this.now = Math.max(this.now, Math.min(due, planned));
      if (planned <= due) {
        this.#plans.shift()?.run();
      } else {
        this.carryOut(this.exchange.expire(this.now));
        const next = this.exchange.nextDeadline;
        assert.ok(next === undefined || next > this.now, "the alarm would ring again at once");
      }
    }
    this.now = end;
  }

  // Effects.

  carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write":
          this.#write(effect);
          break;
        case "settle":
          if (effect.owner === "caller") this.#settle(effect.seq, effect.outcome);
          else this.#settleSubscription(effect.seq, effect.outcome);
          break;
        case "begun":
          if (!this.outcomes.has(effect.seq)) this.begun.push(effect.seq);
          break;
        case "part":
          assert.ok(!this.outcomes.has(effect.seq) && !this.abandoned.has(effect.seq), "a part after the end");
          this.parts.push(String(effect.body));
          break;
        case "late":
          if (effect.owner === "caller") this.#endLate(effect.seq, effect.outcome);
          else this.subscriptionLates.set(effect.seq, effect.outcome);
          break;
        case "send":
          this.ownFrames.push(effect.frame);
          break;
        case "message":
          this.messages.push(effect.frame);
          break;
        case "probe":
          this.ping();
          break;
        case "renew":
          this.#renew(effect.detail);
      }
    }
    assert.ok(this.exchange.onTheWire >= 0 && this.exchange.onTheWire <= this.exchange.inFlight);
  }

  #write({ entry, frame }: Extract<ExchangeEffect, { type: "write" }>): void {
    const { index, expectsReply } = entry;
    const { owner, seq } = entry.request;
    const { connection } = entry.phase;
    assert.ok(!this.#lost.has(connection), `request ${seq} is written to connection ${connection}, which is lost`);
    assert.equal(connection, this.connection);
    const ended = owner === "caller" ? this.outcomes.has(seq) || this.abandoned.has(seq) : false;
    assert.ok(!ended, `request ${seq} is written after its end`);
    const { takes } = this;
    if (takes) {
      const taken = { owner, seq, index, connection, frame, expectsReply, proven: false };
      this.taken.push(taken);
      this.#takenHere.push(taken);
      if (owner === "caller") this.#takenBySeq.set(seq, taken);
      this.onTaken(taken);
    }
    if (takes && expectsReply) return;
    this.carryOut(this.exchange.onWritten(entry, takes, this.now));
  }

  /** Checks that a late outcome comes once, and only for a request that timed out. */
  #endLate(seq: number, outcome: Outcome): void {
    assert.ok(!this.lates.has(seq), `request ${seq} is late twice`);
    const before = this.outcome(seq);
    const items = before.type === "batch" ? before.items : [before];
    const timedOut = items.some(
      ({ type, ...item }) => "failure" in item && item.failure.code === "reply_timeout" && type,
    );
    assert.ok(timedOut, `request ${seq} is late, and had not timed out: ${JSON.stringify(before)}`);
    this.lates.set(seq, outcome);
  }

  #settleSubscription(seq: number, outcome: Outcome): void {
    assert.ok(!this.subscriptionOutcomes.has(seq), `request ${seq} of the subscriptions ends twice`);
    this.subscriptionOutcomes.set(seq, outcome);
  }

  #settle(seq: number, outcome: Outcome): void {
    assert.ok(!this.outcomes.has(seq), `request ${seq} ends twice`);
    assert.ok(!this.abandoned.has(seq), `request ${seq} ends after its caller left`);
    this.outcomes.set(seq, outcome);
    const taken = this.#takenBySeq.get(seq);
    if (outcome.type === "reply" || outcome.type === "done") assert.ok(taken, `request ${seq} was never sent`);
    if (outcome.type !== "failed") return;
    const { code, sent, retryAfterMs, detail } = outcome.failure;
    const replied = code === "invalid_reply" && !detail.includes("names no request");
    const known = taken === undefined ? "no" : taken.proven || replied ? "yes" : "maybe";
    assert.equal(sent, known, `request ${seq}: ${code}, ${detail}`);
    if (retryAfterMs !== undefined) assert.ok(sent === "no" && retryAfterMs >= 0, `${code} invites to send it again`);
  }
}
