/** Schema of instances: connections that an upstream is the template of, each for one caller. */

import * as z from "zod";
import { paramsIn } from "../secrets/placeholders.ts";
import { outgoingOf } from "../secrets/secrets.ts";
import { CREDENTIAL_PARAM } from "./placeholder-places.ts";
import type { Path } from "./problems.ts";
import { duration, wholeNumber } from "./units.ts";
import { HEADER_NAME, type isPlaintextSecret, RESERVED_HEADER } from "./wire.ts";

const CREDENTIAL = /^header +(\S+)$/;

const credential = z
  .string()
  .transform((text) => CREDENTIAL.exec(text)?.[1] ?? "")
  .pipe(
    z
      .string()
      .regex(HEADER_NAME, "must be the word header and a header's name, such as header Authorization")
      .refine((name) => !RESERVED_HEADER.test(name), "names a header that is reserved for the handshake"),
  );

export const instancesSchema = z
  .strictObject({
    max: wholeNumber(1, 100_000)
      .prefault(100)
      .describe("The most instances at a time, those that are closing included; more fail with too_many_in_flight."),
    idle: duration
      .prefault("60s")
      .describe("The time without a request or a reader after which an instance ends; a caller may ask for less."),
    life: duration.prefault("1h").describe("The time after which an instance ends, whatever it is used for."),
    credential: credential
      .optional()
      .describe(
        "The header of a caller's own credential, such as `header Authorization`, which is passed on to the upstream.",
      ),
  })
  .nullable()
  .prefault(null)
  .describe("Lets callers open connections of their own by this upstream's settings; null for none.");

export const paramsSchema = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, "must be a name of lower-case letters, digits and _"),
    z.string().min(1, "must be an RE2 pattern for the whole value"),
  )
  .prefault({})
  .describe("The parameters of an instance, ${param:NAME}, each with the RE2 pattern that its whole value must match.");

/** The settings by which instances are opened. */
interface Template {
  readonly params: Readonly<Record<string, string>>;
  readonly instances: { readonly credential?: string | undefined } | null;
}

/** True for an upstream that has no connection itself: its settings have holes, or it lacks a credential. */
export function isTemplate({ params, instances }: Template): boolean {
  return Object.keys(params).length > 0 || instances?.credential !== undefined;
}

type CheckedUpstream = Parameters<typeof isPlaintextSecret>[0] &
  Template & { readonly failover: readonly string[]; readonly webhooks: readonly unknown[] };

/** Finds what cannot be a template. */
export function templateFaults(upstream: CheckedUpstream): readonly { readonly path: Path; readonly what: string }[] {
  const { url, headers, params, instances, greeting = [], failover, webhooks } = upstream;
  const found: { path: Path; what: string }[] = [];
  const wrong = (what: string, ...path: string[]) => found.push({ path, what });
  const used = paramsIn(outgoingOf({ ...upstream, greeting }));
  const holder = instances?.credential;
  if (Object.hasOwn(params, CREDENTIAL_PARAM))
    wrong("is the name of the caller's credential", "params", CREDENTIAL_PARAM);
  for (const name of Object.keys(params)) if (!used.has(name)) wrong("is used nowhere", "params", name);
  for (const name of used) {
    if (name === CREDENTIAL_PARAM) {
      if (holder === undefined)
        wrong("is missing: ${param:credential} is the value of that header", "instances", "credential");
    } else if (!Object.hasOwn(params, name)) wrong("is missing: a parameter needs a pattern", "params", name);
  }
  const [, , authority] = url.split(/[/?#]/);
  if (paramsIn(authority).size > 0) wrong("must have its host, and what stands before it, without ${param:…}", "url");
  const isTaken = Object.keys(headers).some((name) => name.toLowerCase() === holder?.toLowerCase());
  if (isTaken && !used.has(CREDENTIAL_PARAM))
    wrong("names a header that `headers` sets: write ${param:credential} there", "instances", "credential");
  if (Object.keys(params).length > 0 && instances === null)
    wrong("is missing: with params there are only instances (`instances: {}` for the defaults)", "instances");
  if (!isTemplate(upstream)) return found;
  if (failover.length > 0) wrong("is not for instances, which have one socket each", "failover");
  if (webhooks.length > 0) wrong("is not for instances: their callers read them", "webhooks");
  return found;
}
