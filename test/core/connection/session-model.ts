import assert from "node:assert/strict";
import {
  newSession,
  type Phase,
  type Session,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
  step,
} from "../../../src/core/connection/session.ts";

/** Settings whose numbers are all different, so that a test sees which one was taken. */
export const settings: SessionContext["settings"] = {
  connect_within: 10_000,
  greeting: [
    { send: "HELLO" },
    { expect: { match: { "/type": "challenge" }, within: 3_000 } },
    { send: { type: "auth" } },
    { expect: { match: { "/type": "ok" }, reject: { "/type": "no" }, within: 4_000 } },
    { send: { type: "thanks" } },
  ],
  keepalive: { ping: 15_000, pong_within: 5_000, heartbeat: null, silence: null },
  reconnect: { from: 200, to: 30_000, refused: 60_000, codes: {}, statuses: {}, rotate: null },
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
    case "destroy":
      return `destroy ${effect.connection}`;
    case "timer":
      return effect.ms === undefined ? "no timer" : `timer ${effect.ms}`;
    case "lost":
      return `lost ${effect.connection} ${effect.why.reason}`;
    case "proven":
      return `proven ${effect.proof}`;
    case "message":
    case "frame":
      return `${effect.type} ${String(effect.frame)}`;
  }
}

type SocketState = "connecting" | "open" | "closing";

/** The phases that wait for something, and only these, have a timer. */
const TIMED: ReadonlySet<Phase["phase"]> = new Set(["greeting", "ready", "waiting", "refused"]);

/**
 * Carries out effects as the sidecar's thread does, on sockets that are only names, and checks with every step what
 * must hold in each of them. A socket that was told to go stays until `over`: real ones take their time too.
 */
export class SessionModel {
  session: Session = newSession;
  now = 0;
  heardAt = 0;
  random = 0.5;
  settings = settings;
  /** When the one timer fires. */
  timer: number | undefined;
  readonly sockets = new Map<number, SocketState>();
  /** Sockets that we broke, and that have not told yet that they are over. */
  readonly broken = new Set<number>();
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

  /** Of the newest attempt, whether or not it still lives. */
  get connection(): number {
    return this.session.connection;
  }

  give(input: SessionInput): readonly SessionEffect[] {
    const { now, random, settings, heardAt } = this;
    const proof = `proof${++this.#proofs}`;
    if (input.type === "close") this.#ending = true;
    const before = this.session;
    const { session, effects } = step(before, input, { now, random, proof, heardAt, settings });
    this.session = session;
    for (const effect of effects) this.#perform(effect);
    this.#check(before);
    return effects;
  }

  opened(): void {
    this.sockets.set(this.connection, "open");
    this.give({ type: "opened", connection: this.connection });
  }

  /** The last that is heard of a socket. */
  over(connection: number, drop: Extract<SessionInput, { type: "dropped" }>["drop"]): void {
    this.sockets.delete(connection);
    this.broken.delete(connection);
    this.give({ type: "dropped", connection, drop });
  }

  frame(frame: string): readonly SessionEffect[] {
    this.heardAt = this.now;
    return this.give({ type: "frame", connection: this.connection, frame });
  }

  /** Lets the time pass until the timer fires. */
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
        assert.ok(!this.#ending, "an attempt after the end has begun");
        assert.ok(effect.connection > this.#newest, `connection ${effect.connection} is used twice`);
        assert.equal(effect.withinMs, this.settings.connect_within);
        const alive = [...this.sockets].filter(
          ([connection, state]) => state !== "closing" && !this.broken.has(connection),
        );
        assert.deepEqual(alive, [], "two sockets at a time");
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
        if (effect.withinMs === 0) this.broken.add(effect.connection);
        break;
      case "destroy":
        assert.ok(this.sockets.has(effect.connection), "a socket is broken that is gone already");
        this.broken.add(effect.connection);
        break;
      case "timer":
        if (effect.ms !== undefined) assert.ok(effect.ms >= 0 && effect.ms < 2 ** 31, `a timer for ${effect.ms} ms`);
        this.timer = effect.ms === undefined ? undefined : this.now + effect.ms;
        break;
      case "lost":
        assert.ok(!this.lost.has(effect.connection), `connection ${effect.connection} is lost twice`);
        this.lost.add(effect.connection);
        break;
      case "proven":
        assert.equal(effect.proof, this.pinged, "a proof that was not asked for");
        this.proven.push(effect.proof);
        break;
      case "message":
      case "frame":
        break;
    }
  }

  #check(before: Session): void {
    const { at, connection, failures } = this.session;
    assert.equal(this.timer !== undefined, TIMED.has(at.phase), `in ${at.phase} the timer is ${this.timer}`);
    if ("connection" in at)
      assert.equal(at.connection, connection, "the phase speaks of a socket that is not the newest");
    if ("until" in at) assert.equal(at.until, this.timer, "the timer fires at another moment than is told");
    if (at.phase === "connecting") assert.equal(this.sockets.get(connection), "connecting");
    if (at.phase === "greeting" || at.phase === "ready") assert.equal(this.sockets.get(connection), "open");
    if (at.phase === "closed") {
      for (const [left, state] of this.sockets)
        assert.ok(state === "closing" || this.broken.has(left), `${left} stays`);
    }
    assert.ok(failures === before.failures || failures === 0 || failures === before.failures + 1);
    for (let old = 1; old < connection; old++)
      assert.ok(this.lost.has(old), `nobody was told that connection ${old} is over`);
  }
}
