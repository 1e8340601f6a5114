/** The settings of an instance: those of its upstream, with a caller's parameters and credential in them. */

import { CREDENTIAL_PARAM } from "../config/placeholder-places.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { HEADER_VALUE } from "../config/wire.ts";
import { refused } from "../errors.ts";
import type { InstanceOrder } from "../http/ports.ts";
import type { Pattern } from "../protocols/pattern.ts";
import { fillParams, paramsIn } from "../secrets/placeholders.ts";
import { checkResolved } from "../secrets/secret-file.ts";
import { type Outgoing, outgoingOf } from "../secrets/secrets.ts";

/** The most characters of a value: those that a pattern sees. */
const VALUE_MAX = 1_024;
/** The most characters of a credential: a fraction of what servers take as headers. */
const CREDENTIAL_MAX = 8_192;

const UNPRINTABLE = /[\p{Cc}\p{Surrogate}]/u;

/** A segment of a path that stands for a folder above: a value must not lead there. */
const DOTS = /\/(?:\.|%2e){1,2}(?=[/?]|$)/i;

/** @throws SidesocketError `invalid_request` for an order that does not fit the settings; it repeats no value */
export async function filledSettings(settings: UpstreamSettings, order: InstanceOrder): Promise<UpstreamSettings> {
  const values = new Map(Object.entries(await checkedParams(settings.params, order.params)));
  const header = settings.instances?.credential;
  if (header !== undefined) values.set(CREDENTIAL_PARAM, checkedCredential(header, order.credential));
  const outgoing = outgoingOf(settings);
  const find = (name: string) => values.get(name) ?? missing(name);
  const filled = {
    ...settings,
    ...(filledTexts({ ...outgoing, url: "" }, find) as UpstreamSettings),
    url: fillParams(settings.url, (name) => encodeURIComponent(find(name))),
    params: {},
    instances: null,
    template: false,
    // They are its upstream's own.
    failover: [],
    webhooks: [],
    required: false,
  };
  const isPassedOn = header !== undefined && !paramsIn(outgoing).has(CREDENTIAL_PARAM);
  const headers = isPassedOn ? { ...filled.headers, [header]: find(CREDENTIAL_PARAM) } : filled.headers;
  try {
    checkResolved(settings.url, { ...filled, headers });
  } catch (error) {
    throw refused("invalid_request", `params: ${(error as Error).message}`);
  }
  if (DOTS.test(filled.url)) throw refused("invalid_request", "params: a segment of the url's path would be . or ..");
  return { ...filled, headers };
}

/** Fills the settings that go out. Names in answers stand for groups: values must not be read so. */
function filledTexts({ protocol, ...outgoing }: Outgoing, find: (name: string) => string): Outgoing {
  const filled = { ...fillParams(outgoing, find), protocol: fillParams(protocol, find) };
  if (typeof protocol === "string" || !("answers" in protocol)) return filled;
  return { ...filled, protocol: { ...Object(filled.protocol), answers: fillParams(protocol.answers, find, true) } };
}

function missing(name: string): never {
  throw refused("invalid_request", `params.${name} is missing`);
}

type Params = Readonly<Record<string, string>>;

async function checkedParams(patterns: Params, params: Params): Promise<Params> {
  const names = Object.keys(patterns);
  const unknown = Object.keys(params).find((name) => !Object.hasOwn(patterns, name));
  if (unknown !== undefined) {
    const known = names.length === 0 ? "this upstream has no parameters" : `known: ${names.join(", ")}`;
    throw refused("invalid_request", `params: unknown parameter ${JSON.stringify(unknown.slice(0, 64))} (${known})`);
  }
  const compiled = names.length === 0 ? new Map<string, Pattern>() : await wholePatterns(patterns);
  for (const [name, pattern] of compiled) {
    const value = Object.hasOwn(params, name) ? (params[name] as string) : missing(name);
    if (value.length > VALUE_MAX) throw refused("invalid_request", `params.${name} is longer than ${VALUE_MAX}`);
    if (UNPRINTABLE.test(value)) throw refused("invalid_request", `params.${name} has control characters`);
    if (!pattern.test(value)) throw refused("invalid_request", `params.${name} must match ${patterns[name]}`);
  }
  return params;
}

const compiledPatterns = new WeakMap<Params, ReadonlyMap<string, Pattern>>();

/** Compiles the patterns of the configuration, each for a whole value. They were checked when it was loaded. */
async function wholePatterns(patterns: Params): Promise<ReadonlyMap<string, Pattern>> {
  const known = compiledPatterns.get(patterns);
  if (known) return known;
  const { Pattern } = await import("../protocols/pattern.ts");
  const compiled = new Map(Object.entries(patterns).map(([name, text]) => [name, Pattern.whole(text)] as const));
  compiledPatterns.set(patterns, compiled);
  return compiled;
}

function checkedCredential(header: string, value: string | undefined): string {
  if (!value)
    throw refused("invalid_request", `the header ${header} is missing: it has your credential for the upstream`);
  if (value.length <= CREDENTIAL_MAX && HEADER_VALUE.test(value)) return value;
  throw refused("invalid_request", `the header ${header} must be one line of Latin-1 text, at most ${CREDENTIAL_MAX}`);
}
