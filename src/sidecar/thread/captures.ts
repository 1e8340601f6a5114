/** The captured values of an upstream on its thread: the state, and what follows from the settings for it. */

import type { UpstreamSettings } from "../../config/schema.ts";
import {
  type Captured,
  type CapturedScalars,
  canResume,
  capture,
  isResuming,
  nothingCaptured,
  onAttempt,
  onEnded,
  secretsIn,
  valuesOf,
  withoutKept,
} from "../../core/connection/captured-values.ts";
import { keepaliveWith } from "../../core/connection/greeting.ts";
import { type CapturePlan, capturePlan } from "../../protocols/capture-plan.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CapturedValue } from "../reports.ts";

export class Captures {
  #plan: CapturePlan;
  #state: Captured = nothingCaptured;

  constructor(settings: UpstreamSettings) {
    this.#plan = capturePlan(settings);
  }

  /** CapturedScalars of other names than before are gone with the connections that have them. */
  reconfigure(settings: UpstreamSettings): void {
    this.#plan = capturePlan(settings);
  }

  get state(): Captured {
    return this.#state;
  }

  /** True if the next connection can go on where this one ends. */
  get canResume(): boolean {
    return canResume(this.#state, this.#plan);
  }

  /** True if connections of this upstream may resume at all. */
  get mayResume(): boolean {
    return this.#plan.resuming.size > 0;
  }

  /** True if values are captured from any frame. */
  get looksAtAll(): boolean {
    return this.#plan.rules.length > 0;
  }

  get secrets(): readonly string[] {
    return this.#state.secrets;
  }

  isResuming(connection: number): boolean {
    return isResuming(this.#state, connection);
  }

  valuesOf(connection: number): CapturedScalars {
    return valuesOf(this.#state, connection);
  }

  onAttempt(connection: number): void {
    this.#state = onAttempt(this.#state, this.#plan, connection);
  }

  onEnded(connection: number): void {
    this.#state = onEnded(this.#state, connection);
  }

  forget(): void {
    this.#state = withoutKept(this.#state);
  }

  /** @returns true if the frame has changed when the next heartbeat is due */
  take(connection: number, frame: Body, keepalive: UpstreamSettings["keepalive"]): boolean {
    const before = this.#state;
    this.#state = capture(before, this.#plan, connection, frame);
    if (this.#state === before || keepalive.heartbeat === null) return false;
    const every = (state: Captured) => keepaliveWith(keepalive, valuesOf(state, connection)).heartbeat?.every;
    return every(before) !== every(this.#state);
  }

  /** The secrets that a frame would bring, besides those that are known. */
  secretsIn(frame: Body): readonly string[] {
    return secretsIn(this.#plan, frame);
  }

  /** True if frames may bring secrets. */
  get hasSecrets(): boolean {
    return this.#plan.secret.size > 0;
  }

  /** The values as the upstream's state shows them. */
  shown(connection: number): Readonly<Record<string, CapturedValue>> {
    const { secret, kept, names } = this.#plan;
    const values = this.valuesOf(connection);
    return Object.fromEntries(
      [...names].map((name): [string, CapturedValue] => {
        // While there is no connection, the kept values are those of the next one.
        const json = values.get(name) ?? this.#state.kept.get(name);
        const fault = this.#state.faults.get(name);
        return [
          name,
          {
            present: json !== undefined,
            secret: secret.has(name),
            keep: kept.has(name),
            ...(json !== undefined && !secret.has(name) && { json }),
            ...(fault !== undefined && { fault }),
          },
        ];
      }),
    );
  }
}
