/** The values that frames of the upstream bring, by name, on each connection and for the next one. */

import type { CapturePlan } from "../../protocols/capture-plan.ts";
import { type Condition, type FrameText, frameText, testOf, valueIn } from "../../protocols/condition.ts";
import { kindOf, textOfScalar } from "../../protocols/json-text.ts";
import type { Body } from "../../protocols/protocol.ts";
import { SECRET_MIN } from "../../secrets/secrets.ts";
import { flat } from "../util/flat.ts";

/** Scalars as the upstream wrote them, in JSON: a number may be beyond 2^53. */
export type CapturedScalars = ReadonlyMap<string, string>;

/** The values of one connection. */
interface OfConnection {
  readonly values: CapturedScalars;
  /** True if it began with everything that it needs to go on where the one before it ended. */
  readonly resumes: boolean;
}

/** Names come from the configuration alone, and every value is bounded, so the state is bounded, too. */
export interface Captured {
  readonly connections: ReadonlyMap<number, OfConnection>;
  /** The kept values, with which the next connection begins. */
  readonly kept: CapturedScalars;
  /** The newest connection that has brought or forgotten a kept value: older ones no longer change any. */
  readonly keptOn: number;
  /** The texts of secret values, the newest last. Former ones may still be on their way through logs. */
  readonly secrets: readonly string[];
  /** Why the last value of a name was not taken. */
  readonly faults: ReadonlyMap<string, string>;
}

export const nothingCaptured: Captured = {
  connections: new Map(),
  kept: new Map(),
  keptOn: 0,
  secrets: [],
  faults: new Map(),
};

const NO_VALUES: CapturedScalars = new Map();

/** The longest value, in characters of its JSON. */
export const VALUE_MAX = 4_096;
/** The most secret texts that are remembered for masking. */
const SECRETS_MAX = 64;

export function valuesOf({ connections }: Captured, connection: number): CapturedScalars {
  return connections.get(connection)?.values ?? NO_VALUES;
}

/** True if the connection goes on where the one before it ended. */
export function isResuming({ connections }: Captured, connection: number): boolean {
  return connections.get(connection)?.resumes === true;
}

/** True if the next connection would go on where this one ends. */
export function canResume({ kept }: Captured, { resuming }: CapturePlan): boolean {
  return resuming.size > 0 && [...resuming].every((name) => kept.has(name));
}

/** A connection is attempted: it begins with what was kept. */
export function onAttempt(captured: Captured, plan: CapturePlan, connection: number): Captured {
  if (plan.names.size === 0) return captured;
  const begun = { values: captured.kept, resumes: canResume(captured, plan) };
  return { ...captured, connections: new Map(captured.connections).set(connection, begun) };
}

export function onEnded(captured: Captured, connection: number): Captured {
  if (!captured.connections.has(connection)) return captured;
  const connections = new Map(captured.connections);
  connections.delete(connection);
  return { ...captured, connections };
}

/** The next connection begins anew. */
export function withoutKept(captured: Captured): Captured {
  return { ...captured, kept: NO_VALUES };
}

/** Takes the values out of a frame. @returns the same state if the frame changes nothing */
export function capture(captured: Captured, plan: CapturePlan, connection: number, frame: Body): Captured {
  if (plan.names.size === 0) return captured;
  const seen = frameText(frame);
  let after = captured;
  for (const rule of plan.rules) {
    if (!testOf(rule.when)(seen)) continue;
    for (const [name, place] of Object.entries(rule.values)) {
      const found = place === null ? undefined : scalarIn(seen, place, rule.when);
      if (place === null) after = forget(after, plan, connection, name);
      else if (found !== undefined) after = take(after, plan, connection, name, found);
    }
  }
  return after;
}

function take(captured: Captured, plan: CapturePlan, connection: number, name: string, found: FoundValue): Captured {
  if ("why" in found) return { ...captured, faults: new Map(captured.faults).set(name, found.why) };
  if (valuesOf(captured, connection).get(name) === found.json && mayKeep(captured, connection)) return captured;
  const { json } = found;
  const secrets = plan.secret.has(name) ? withSecret(captured.secrets, textOfScalar(json)) : captured.secrets;
  return { ...changed(captured, plan, connection, name, (values) => values.set(name, json)), secrets };
}

function forget(captured: Captured, plan: CapturePlan, connection: number, name: string): Captured {
  return changed(captured, plan, connection, name, (values) => values.delete(name));
}

function mayKeep({ keptOn }: Captured, connection: number): boolean {
  return connection >= keptOn;
}

function changed(
  captured: Captured,
  plan: CapturePlan,
  connection: number,
  name: string,
  change: (values: Map<string, string>) => unknown,
): Captured {
  const edited = (before: CapturedScalars): CapturedScalars => {
    const values = new Map(before);
    change(values);
    return values;
  };
  const { values, resumes } = captured.connections.get(connection) ?? { values: NO_VALUES, resumes: false };
  const connections = new Map(captured.connections).set(connection, { values: edited(values), resumes });
  const faults = new Map(captured.faults);
  faults.delete(name);
  const keeps = plan.kept.has(name) && mayKeep(captured, connection);
  return {
    ...captured,
    connections,
    faults,
    ...(keeps && { kept: edited(captured.kept), keptOn: connection }),
  };
}

function withSecret(secrets: readonly string[], text: string): readonly string[] {
  if (text.length < SECRET_MIN) return secrets;
  return [...secrets.filter((secret) => secret !== text), text].slice(-SECRETS_MAX);
}

/** The secret texts that a frame would bring: the log shows a frame before its values are taken. */
export function secretsIn(plan: CapturePlan, frame: Body): readonly string[] {
  return plan.secret.size === 0 ? [] : capture(nothingCaptured, plan, 0, frame).secrets;
}

/** A value that may be taken, or the reason why it must not. */
type FoundValue = { readonly json: string } | { readonly why: string };

/** @returns undefined if there is nothing to take: null is nothing */
function scalarIn(frame: FrameText, place: string, when: Condition): FoundValue | undefined {
  const json = valueIn(frame, place, when);
  if (json === undefined) return undefined;
  const kind = kindOf(json, { start: 0, end: json.length });
  if (kind === "null") return undefined;
  if (kind === "object" || kind === "array") return { why: `there is an ${kind} at ${place}` };
  if (json.length > VALUE_MAX) return { why: `it is longer than ${VALUE_MAX} characters` };
  return { json: flat(json) };
}
