/** The farewells of an upstream's connections, each said before the close frame, in a part of the time for closing. */

import type { CapturedScalars } from "../../core/connection/captured-values.ts";
import { farewellFrom } from "../../core/connection/farewell-steps.ts";
import { matchesFrame } from "../../protocols/condition.ts";
import type { FarewellStep } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";

/** The part of the time for closing in which the farewell is said: the close handshake has the rest. */
const SHARE = 1 / 2;

interface FarewellEnvironment {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Runs what a timer begins. */
  work(due: (connection: number) => void, connection: number): void;
  valuesOf(connection: number): CapturedScalars;
  say(connection: number, frame: string): void;
  close(connection: number, code: number, withinMs: number): void;
}

interface Leaving {
  readonly steps: readonly FarewellStep[];
  readonly code: number;
  /** The step whose frame is awaited, and until when. */
  step: number;
  stepDueAt: number;
  /** The end of the farewell, and of the close handshake after it. */
  until: number;
  closedBy: number;
  timer: NodeJS.Timeout | undefined;
}

export class Farewells {
  readonly #env: FarewellEnvironment;
  readonly #leaving = new Map<number, Leaving>();

  constructor(env: FarewellEnvironment) {
    this.#env = env;
  }

  has(connection: number): boolean {
    return this.#leaving.has(connection);
  }

  /** Says the farewell and closes the connection, all within this time. Again with less time: closes it sooner. */
  begin(connection: number, steps: readonly FarewellStep[], code: number, withinMs: number): void {
    const now = this.#env.now();
    const until = now + withinMs * SHARE;
    const closedBy = now + withinMs;
    const known = this.#leaving.get(connection);
    if (known) {
      known.until = Math.min(known.until, until);
      known.closedBy = Math.min(known.closedBy, closedBy);
      if (known.until <= now) this.#close(connection, known);
      else this.#await(connection, known);
    } else if (steps.length === 0 || withinMs <= 0) {
      this.#env.close(connection, code, withinMs);
    } else {
      const leaving: Leaving = { steps, code, step: 0, stepDueAt: until, until, closedBy, timer: undefined };
      this.#leaving.set(connection, leaving);
      this.#sayFrom(0, connection, leaving);
    }
  }

  /** @param body a frame as conditions see it @returns true if the farewell has waited for it */
  take(connection: number, body: Body): boolean {
    const leaving = this.#leaving.get(connection);
    const expect = leaving?.steps[leaving.step]?.expect;
    if (!leaving || !expect || !matchesFrame(body, expect)) return false;
    this.#sayFrom(leaving.step + 1, connection, leaving);
    return true;
  }

  /** Forgets a connection that is gone. */
  end(connection: number): void {
    clearTimeout(this.#leaving.get(connection)?.timer);
    this.#leaving.delete(connection);
  }

  #sayFrom(step: number, connection: number, leaving: Leaving): void {
    const now = this.#env.now();
    const part = farewellFrom(leaving.steps, step, this.#env.valuesOf(connection), leaving.until - now);
    for (const frame of part.frames) this.#env.say(connection, frame);
    if (!part.awaits) {
      this.#close(connection, leaving);
      return;
    }
    leaving.step = part.awaits.step;
    leaving.stepDueAt = now + part.awaits.ms;
    this.#await(connection, leaving);
  }

  #await(connection: number, leaving: Leaving): void {
    clearTimeout(leaving.timer);
    const due = () => this.#env.work((one) => this.#onOverdue(one), connection);
    const ms = Math.min(leaving.stepDueAt, leaving.until) - this.#env.now();
    leaving.timer = setTimeout(due, Math.max(0, Math.ceil(ms)));
  }

  /** Goes on without the frame: what follows may be worth saying all the same. */
  #onOverdue(connection: number): void {
    const leaving = this.#leaving.get(connection);
    if (leaving) this.#sayFrom(leaving.step + 1, connection, leaving);
  }

  #close(connection: number, { code, closedBy }: Leaving): void {
    this.end(connection);
    this.#env.close(connection, code, Math.max(0, Math.ceil(closedBy - this.#env.now())));
  }
}
