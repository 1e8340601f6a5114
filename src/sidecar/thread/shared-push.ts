/** The webhooks of an upstream that replicas share, on the thread: which replica pushes, and how far they have come. */

import type { Engine } from "../../cluster/engine.ts";
import { decodePushRecord, encodePushRecord } from "../../cluster/push-records.ts";
import { type PushEffect, type PushRecord, PushRecordKeeper } from "../../core/cluster/push-record.ts";
import { Alarm } from "../alarm.ts";
import type { CommandOf, FromThread } from "../contract.ts";
import type { Work } from "./mark.ts";

export interface PushEnvironment {
  now(): number;
  readonly work: Work;
  post(message: FromThread): void;
  /** A text for the log alone. */
  report(text: string): void;
  /** The host's webhooks are at rest. */
  onRest(): void;
}

/** The time of each call to the message server, in milliseconds. */
const WITHIN_MS = 2_000;
/** A failure that goes on for this long is told, in milliseconds. */
const PATIENCE_MS = 5_000;

export class SharedPush {
  readonly #name: string;
  readonly #engine: Engine;
  readonly #env: PushEnvironment;
  readonly #keeper: PushRecordKeeper;
  readonly #alarm: Alarm;
  /** The number of the newest turn in which the host pushes, and of the newest that is over. */
  #turn = 0;
  #over = 0;
  #hasEnded = false;
  #failingSince: number | undefined;
  #told: string | undefined;
  readonly #waiting = new Set<() => void>();

  /** @param writer a name of its own: of an upstream that was removed and added again, the places are read anew */
  constructor(name: string, writer: string, engine: Engine, env: PushEnvironment) {
    this.#name = name;
    this.#engine = engine;
    this.#env = env;
    this.#keeper = new PushRecordKeeper(writer);
    this.#alarm = new Alarm(env.now, () => env.work(() => this.#carryOut(this.#keeper.tick(env.now())), undefined));
  }

  /** True if no push of the host's is under way. */
  get isAtRest(): boolean {
    return this.#over === this.#turn;
  }

  /** This replica may push from here on, or must not any more. */
  permit(mayPush: boolean): void {
    this.#carryOut(this.#keeper.permit(mayPush, this.#env.now()));
  }

  handle(command: CommandOf<"pushed" | "rested">): void {
    if (command.type === "pushed") {
      const { seq, webhook, place } = command;
      this.#carryOut(this.#keeper.pushed(seq, webhook, place, this.#env.now()));
      return;
    }
    this.#over = Math.max(this.#over, command.turn);
    this.#check();
    if (this.isAtRest) this.#env.onRest();
  }

  /** Lets the host begin no push any more: this replica leaves. */
  leave(): void {
    this.#carryOut(this.#keeper.end(this.#env.now()));
  }

  /** Waits until no push is under way, and what was pushed is kept. @returns undefined if that is so already */
  settled(withinMs: number): Promise<void> | undefined {
    if (this.#isSettled || withinMs <= 0) return undefined;
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, withinMs);
      this.#waiting.add(settle);
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#alarm.clear();
    for (const settle of this.#waiting) settle();
  }

  get #isSettled(): boolean {
    return this.isAtRest && this.#keeper.isKept;
  }

  #check(): void {
    if (this.#isSettled) for (const settle of this.#waiting) settle();
  }

  #carryOut(effects: readonly PushEffect[]): void {
    if (this.#hasEnded) return;
    for (const effect of effects) this.#perform(effect);
    this.#alarm.set(this.#keeper.wakeAt);
    this.#check();
  }

  #perform(effect: PushEffect): void {
    const upstream = this.#name;
    switch (effect.type) {
      case "look":
        void this.#look();
        break;
      case "write":
        void this.#write(effect.record, effect.after);
        break;
      case "push":
        this.#turn++;
        this.#env.post({ type: "pushing", upstream, turn: this.#turn, places: Object.fromEntries(effect.places) });
        break;
      case "rest":
        this.#env.post({ type: "pushing", upstream, turn: this.#turn, why: effect.why });
        break;
      case "kept":
        this.#env.post({ type: "kept", upstream, seq: effect.seq });
    }
  }

  async #look(): Promise<void> {
    try {
      const stored = await this.#engine.look("meta", this.#key, WITHIN_MS);
      const record = stored && decodePushRecord(stored.value);
      this.#onCall(undefined, (now) => this.#keeper.found(record, stored?.revision ?? 0, now));
    } catch (error) {
      const why = `how far the webhooks have come cannot be read: ${(error as Error).message}`;
      this.#onCall(why, (now) => this.#keeper.lookFailed(why, now));
    }
  }

  async #write(record: PushRecord, after: number): Promise<void> {
    const value = encodePushRecord(record);
    try {
      const outcome = await this.#engine.claim({ bucket: "meta", key: this.#key, value, after }, WITHIN_MS);
      if (outcome === "full") throw new Error("the bucket of the cluster's records is full");
      this.#onCall(undefined, (now) => this.#keeper.written(outcome, now));
    } catch (error) {
      const why = `how far the webhooks have come cannot be stored: ${(error as Error).message}`;
      this.#onCall(why, (now) => this.#keeper.written("unknown", now));
    }
  }

  /** @param fault the reason why the call failed */
  #onCall(fault: string | undefined, take: (now: number) => readonly PushEffect[]): void {
    this.#env.work(() => {
      if (fault === undefined) this.#failingSince = undefined;
      else this.#onFault(fault);
      this.#carryOut(take(this.#env.now()));
    }, undefined);
  }

  /** Reports the same text once in a row, and none that passes by itself. */
  #onFault(fault: string): void {
    const now = this.#env.now();
    this.#failingSince ??= now;
    if (now - this.#failingSince < PATIENCE_MS || fault === this.#told) return;
    this.#told = fault;
    this.#env.report(fault);
  }

  get #key(): string {
    return `pushed.${this.#name}`;
  }
}
