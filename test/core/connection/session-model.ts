/** A model of the sidecar around the session, with invariants that hold after every step. */
import assert from "node:assert/strict";
import { MAX_DURATION_MS } from "../../../src/config/units.ts";
import { nothingCaptured } from "../../../src/core/connection/captured-values.ts";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { NO_TRAFFIC } from "../../../src/core/connection/liveness.ts";
import { step } from "../../../src/core/connection/session.ts";
import {
  newSession,
  type Phase,
  type Session,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
} from "../../../src/core/connection/session-state.ts";
import type { Signs } from "../../../src/core/connection/signs-of-life.ts";

/** Settings with distinct numbers, so that a test shows which one was used. */
export const settings: SessionContext["settings"] = {
  connect_within: 10_000,
  greeting: [
    { send: "HELLO" },
    { expect: { match: { "/type": "challenge" }, within: 3_000 } },
    { send: { type: "auth" } },
    { expect: { match: { "/type": "ok" }, reject: { match: { "/type": "no" } }, within: 4_000 } },
    { send: { type: "thanks" } },
  ],
  keepalive: { ping: 15_000, pong_within: 5_000, heartbeat: null, silence: null },
  reconnect: { from: 200, to: 30_000, refused: 60_000, codes: {}, statuses: {}, rotate: null, to_address: null },
  close_code: 1001,
};

export const CHALLENGE = '{"type":"challenge"}';
export const OK = '{"type":"ok"}';
export const NO = '{"type":"no"}';
export const OTHER = '{"type":"tick"}';

/** One line for each effect, short enough for a table. */
export function briefly(effect: SessionEffect): string {
  switch (effect.type) {
    case "connect":
      return `connect ${effect.connection}`;
    case "send":
      return `send ${effect.connection} ${effect.frame}`;
    case "ping":
      return `ping ${effect.connection} ${effect.proof}`;
    case "close":
      return `close ${effect.connection} ${effect.code} in ${effect.withinMs}`;
    case "forget":
      return "forget";
    case "destroy":
      return `destroy ${effect.connection}`;
    case "timer":
      return effect.ms === undefined ? "no timer" : `timer ${effect.ms}`;
    case "lost":
      return `lost ${effect.connection} ${effect.cause.reason}`;
    case "answered":
      return `answered ${effect.connection} ${effect.id}`;
    case "proven":
      return `proven ${effect.proof}`;
    case "message":
    case "frame":
      return `${effect.type} ${String(effect.frame)}`;
  }
}

type SocketState = "connecting" | "open" | "closing";

/** The phases that have a timer. */
const TIMED: ReadonlySet<Phase["phase"]> = new Set(["greeting", "ready", "waiting", "refused"]);

/**
 * Carries out effects as the sidecar's thread does, on simulated sockets, and checks the invariants after every step.
 * A socket that is closed or destroyed stays until `over`, since real sockets take their time too.
 */
export class SessionModel {
  session: Session = newSession;
  now = 0;
  lastActivityAt = 0;
  traffic = NO_TRAFFIC;
  signs: Signs = {};
  random = 0.5;
  settings = settings;
  /** When the timer fires. */
  timer: number | undefined;
  readonly sockets = new Map<number, SocketState>();
  /** Sockets that were destroyed and have not reported their end yet. */
  readonly destroyed = new Set<number>();
  readonly lost = new Set<number>();
  readonly proven: string[] = [];
  readonly sent: string[] = [];
  pinged: string | undefined;
  #proofs = 0;
  #newest = 0;
  #ending = false;

  get phase(): Phase["phase"] {
    return this.session.at.phase;
  }

  /** The newest attempt's connection, whether or not it is still alive. */
  get connection(): number {
    return this.session.connection;
  }

  give(input: SessionInput): readonly SessionEffect[] {
    const { now, random, settings, lastActivityAt, traffic, signs } = this;
    const proof = `proof${++this.#proofs}`;
    if (input.type === "close") this.#ending = true;
    const before = this.session;
    const { session, effects } = step(before, input, {
      now,
      random,
      proof,
      lastActivityAt,
      traffic,
      signs,
      secrets: [],
      captured: nothingCaptured,
      canResume: false,
      settings,
    });
    this.session = session;
    for (const effect of effects) this.#perform(effect);
    this.#check(before, input);
    return effects;
  }

  opened(): void {
    this.sockets.set(this.connection, "open");
    this.give({ type: "opened", connection: this.connection });
  }

  /** Reports the end of a socket. */
  over(connection: number, disconnect: Disconnect): void {
    this.sockets.delete(connection);
    this.destroyed.delete(connection);
    this.give({ type: "dropped", connection, disconnect });
  }

  frame(frame: string): readonly SessionEffect[] {
    this.lastActivityAt = this.now;
    return this.give({ type: "frame", connection: this.connection, frame });
  }

  /** Advances the clock to the timer and fires it. */
  fire(): readonly SessionEffect[] {
    assert.ok(this.timer !== undefined, "no timer is set");
    this.now = this.timer;
    this.timer = undefined;
    return this.give({ type: "timer" });
  }

  /** From idle through connecting and the greeting to ready. */
  becomeReady(): void {
    if (this.phase === "idle") this.give({ type: "start" });
    if (this.phase === "waiting" || this.phase === "refused") this.fire();
    this.opened();
    this.frame(CHALLENGE);
    this.frame(OK);
    assert.equal(this.phase, "ready");
  }

  #perform(effect: SessionEffect): void {
    switch (effect.type) {
      case "connect": {
        assert.ok(!this.#ending, "an attempt after the close");
        assert.ok(effect.connection > this.#newest, `connection ${effect.connection} is used twice`);
        assert.equal(effect.withinMs, this.settings.connect_within);
        const alive = [...this.sockets].filter(
          ([connection, state]) => state !== "closing" && !this.destroyed.has(connection),
        );
        assert.deepEqual(alive, [], "two live sockets at a time");
        this.#newest = effect.connection;
        this.sockets.set(effect.connection, "connecting");
        break;
      }
      case "send":
      case "ping":
        assert.equal(this.sockets.get(effect.connection), "open", `${effect.type} on a socket that is not open`);
        if (effect.type === "send") this.sent.push(effect.frame);
        else this.pinged = effect.proof;
        break;
      case "close":
        assert.ok(this.sockets.get(effect.connection) !== "connecting", "a close frame before the socket is open");
        if (this.sockets.has(effect.connection)) this.sockets.set(effect.connection, "closing");
        if (effect.withinMs === 0) this.destroyed.add(effect.connection);
        break;
      case "destroy":
        assert.ok(this.sockets.has(effect.connection), "a socket is destroyed that is already gone");
        this.destroyed.add(effect.connection);
        break;
      case "timer":
        if (effect.ms !== undefined)
          assert.ok(effect.ms >= 0 && effect.ms <= MAX_DURATION_MS, `a timer for ${effect.ms} ms`);
        this.timer = effect.ms === undefined ? undefined : this.now + effect.ms;
        break;
      case "lost":
        assert.ok(!this.lost.has(effect.connection), `connection ${effect.connection} is lost twice`);
        this.lost.add(effect.connection);
        break;
      case "proven":
        assert.equal(effect.proof, this.pinged, "a proof that no ping carried");
        this.proven.push(effect.proof);
        break;
      case "answered":
      case "message":
      case "frame":
        break;
    }
  }

  #check(before: Session, input: SessionInput): void {
    const { at, connection, failures } = this.session;
    assert.equal(this.timer !== undefined, TIMED.has(at.phase), `in ${at.phase} the timer is ${this.timer}`);
    if ("connection" in at)
      assert.equal(at.connection, connection, "the phase refers to a connection that is not the newest");
    if ("until" in at) assert.equal(at.until, this.timer, "the timer does not fire at `until`");
    if (at.phase === "connecting") assert.equal(this.sockets.get(connection), "connecting");
    if (at.phase === "greeting" || at.phase === "ready") assert.equal(this.sockets.get(connection), "open");
    if (at.phase === "closed") {
      for (const [left, state] of this.sockets)
        assert.ok(state === "closing" || this.destroyed.has(left), `socket ${left} is never closed`);
    }
    const forgiven = input.type === "settings" ? [0] : [];
    assert.ok([before.failures, before.failures + 1, before.flaps + 1, 1, ...forgiven].includes(failures));
    for (let old = 1; old < connection; old++)
      assert.ok(this.lost.has(old), `the loss of connection ${old} was never reported`);
  }
}
