/** Property test of the session and the exchange together: callers, greetings and heartbeats under equal ids. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { availability } from "../../../src/core/connection/availability.ts";
import { nothingCaptured } from "../../../src/core/connection/captured-values.ts";
import { NO_TRAFFIC } from "../../../src/core/connection/liveness.ts";
import { looksAtFrames, step, wantsFrames } from "../../../src/core/connection/session.ts";
import {
  newSession,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
} from "../../../src/core/connection/session-state.ts";
import type { ExchangeEffect } from "../../../src/core/exchange/effects.ts";
import { Exchange } from "../../../src/core/exchange/exchange.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import { json } from "../../../src/protocols/json.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import type { Body, Protocol } from "../../../src/protocols/protocol.ts";
import { type Move, move } from "../connection/move.ts";
import { settings } from "../connection/session-model.ts";

const BEAT_MS = 1_000;
/** Longer than any run. */
const NEVER_MS = 2 ** 30;
/** The ids of the configuration, which callers use as well. */
const IDS = [1, "beat"] as const;

interface OnTheWire {
  readonly connection: number;
  readonly frame: string;
}

/** Carries out effects as the thread does, against an upstream that replies when it is told to. */
class World {
  session = newSession;
  now = 0;
  timer = NEVER_MS;
  beats = 0;
  readonly exchange: Exchange;
  readonly outcomes = new Map<number, Outcome>();
  readonly messages: Body[] = [];
  /** Frames that the upstream has received and not replied to. */
  readonly unanswered: OnTheWire[] = [];
  readonly wireIds = new Set<string>();
  readonly #settings: SessionContext["settings"];
  #calls = 0;

  constructor(protocol: Protocol, id: (typeof IDS)[number]) {
    const call = (method: string) => ({ jsonrpc: "2.0", id, method, params: method });
    this.#settings = {
      ...settings,
      greeting: [
        { send: call("login") },
        { expect: { match: { "/id": id, "/result": "login" }, within: NEVER_MS } },
        { send: call("hello") },
      ],
      keepalive: {
        ping: NEVER_MS,
        pong_within: NEVER_MS,
        silence: null,
        heartbeat: { send: call("beat"), every: BEAT_MS, expect: { match: { "/id": id } }, within: NEVER_MS },
      },
    };
    const limits = {
      in_flight: 1_000,
      batch_items: 1_000,
      request_bytes: 2 ** 24,
      buffered_bytes: 2 ** 24,
      reply_bytes: 2 ** 24,
      reply_pause: 60_000,
      pace: null,
    };
    this.exchange = new Exchange(protocol, limits, (text) => text);
    this.give({ type: "start" });
    this.connect();
  }

  get isReady(): boolean {
    return this.session.at.phase === "ready";
  }

  give(input: SessionInput): void {
    const { now } = this;
    const clock = {
      now,
      random: 0.5,
      proof: "proof",
      lastActivityAt: now,
      traffic: NO_TRAFFIC,
      secrets: [],
      captured: nothingCaptured,
      canResume: false,
    };
    const context = { ...clock, settings: this.#settings };
    const before = this.session;
    const { session, effects } = step(before, input, context);
    this.session = session;
    for (const effect of effects) this.#perform(effect);
    if (session.at.phase !== before.at.phase) {
      this.carryOut(this.exchange.onAvailability(availability(session), this.now));
    }
  }

  #perform(effect: SessionEffect): void {
    switch (effect.type) {
      case "timer":
        this.timer = effect.ms === undefined ? NEVER_MS : this.now + effect.ms;
        break;
      case "send":
        if (effect.by === "heartbeat") this.beats++;
        this.#write(effect.connection, this.exchange.adopt(effect.connection, effect.frame, effect.by));
        break;
      case "answered":
        this.exchange.onConfiguredReply(effect.connection, effect.id);
        break;
      case "frame":
        this.carryOut(this.exchange.onFrame(effect.connection, effect.frame, this.now, 0));
        break;
      case "lost":
        this.carryOut(this.exchange.onLost(effect.connection, effect.cause, this.now));
        break;
      case "message":
        this.messages.push(effect.frame);
        break;
      case "destroy":
      case "ping":
        assert.fail(`a healthy connection was blamed: ${effect.type}`);
    }
  }

  carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "write") this.#write(effect.entry.phase.connection, effect.frame);
      if (effect.type === "message") this.messages.push(effect.frame);
      if (effect.type === "settle") this.outcomes.set(effect.seq, effect.outcome);
    }
  }

  #write(connection: number, body: Body): void {
    const frame = String(body);
    const wire = `${connection} ${JSON.stringify(JSON.parse(frame).id)}`;
    assert.ok(!this.wireIds.has(wire), `id ${wire} is used twice`);
    this.wireIds.add(wire);
    this.unanswered.push({ connection, frame });
  }

  connect(): void {
    this.give({ type: "opened", connection: this.session.connection });
  }

  lose(): void {
    this.unanswered.length = 0;
    const disconnect = { reason: "closed", code: 1006, text: "" } as const;
    this.give({ type: "dropped", connection: this.session.connection, disconnect });
    this.now = this.timer;
    this.give({ type: "timer" });
    this.connect();
  }

  call(id: (typeof IDS)[number], within: number): void {
    const seq = ++this.#calls;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method: "echo", params: seq });
    const request = { seq, kind: "request", body, deadline: this.now + within } as const;
    this.carryOut(this.exchange.request("caller", request, this.now, 0));
  }

  /** Delivers the reply to one of the frames that wait, as the connection does. */
  reply(at: number): void {
    const [waiting] = this.unanswered.splice(at % Math.max(1, this.unanswered.length), 1);
    if (waiting === undefined) return;
    const { connection } = waiting;
    const { id, params } = JSON.parse(waiting.frame);
    const frame = JSON.stringify({ jsonrpc: "2.0", id, result: params });
    if (!wantsFrames(this.session, connection)) {
      this.carryOut(this.exchange.onFrame(connection, frame, this.now, 0));
      return;
    }
    const origin = looksAtFrames(this.session) ? this.exchange.originOf(connection, frame) : undefined;
    this.give({ type: "frame", connection, frame, origin });
  }

  /** Lets time pass until the next heartbeat, unless one waits for its reply. */
  beat(): void {
    if (!this.isReady || this.timer > this.now + BEAT_MS) return;
    this.now = this.timer;
    this.carryOut(this.exchange.expire(this.now));
    this.give({ type: "timer" });
  }

  /** Checks the replies that callers got, once all that was sent is replied to. */
  check(ids: readonly (typeof IDS)[number][]): void {
    while (this.unanswered.length > 0) this.reply(0);
    assert.ok(this.isReady, this.session.at.phase);
    assert.deepEqual(this.messages, []);
    assert.ok(!looksAtFrames(this.session), "a heartbeat got no reply");
    assert.equal(this.outcomes.size, this.#calls);
    for (const [seq, outcome] of this.outcomes) {
      if (outcome.type !== "reply") continue;
      const { id, result } = JSON.parse(String(outcome.body));
      assert.deepEqual([id, result], [ids[seq - 1], seq]);
    }
  }
}

const anyMove: fc.Arbitrary<Move<World> & { readonly id?: (typeof IDS)[number] }> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...IDS), fc.constantFrom(500, NEVER_MS)).map(([id, within]) =>
      Object.assign(
        move(`call ${id} within ${within}`, (world: World) => world.call(id, within)),
        { id },
      ),
    ),
  },
  { weight: 5, arbitrary: fc.nat(20).map((at) => move(`reply ${at}`, (world: World) => world.reply(at))) },
  { weight: 3, arbitrary: fc.constant(move("beat", (world: World) => world.beat())) },
  { weight: 1, arbitrary: fc.constant(move("lose", (world: World) => world.lose())) },
);

const protocols = [jsonRpc, json({ id: { kind: "increasing" } }), json({ id: { kind: "string" } })];

test("callers, greetings and heartbeats with equal ids each get their own reply, in any order", () => {
  let beats = 0;
  let replies = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...protocols),
      fc.constantFrom(...IDS),
      fc.array(anyMove, { minLength: 20, maxLength: 80 }),
      (protocol, id, moves) => {
        const world = new World(protocol, id);
        for (const each of moves) each(world);
        world.check(moves.flatMap((each) => (each.id === undefined ? [] : [each.id])));
        beats += world.beats;
        replies += world.exchange.counters.replies;
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(beats > 100 && replies > 500, `${beats} heartbeats, ${replies} replies`);
});
