/** Values of flags and environment variables that override the file's content before it is checked. */

import { tokenize } from "../secrets/placeholders.ts";
import type { Flags, Given, SettingName } from "./commandline.ts";
import { readSetting } from "./commandline.ts";
import type { Environment } from "./environment.ts";
import { expand } from "./environment.ts";
import type { Path } from "./problems.ts";
import { ConfigError } from "./problems.ts";
import { HEADER_NAME } from "./wire.ts";

/** A value that replaces the file's, and its source: `--port` or `PORT`. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The value as it is written, if variables were put into it. */
  readonly written?: unknown;
  readonly from: string;
}

export interface Overrides {
  readonly list: readonly Override[];
  /** The variables that headers and subprotocols name. Each may hold a secret. */
  readonly variables: readonly string[];
}

const PLACES = {
  host: ["listen", "host"],
  port: ["listen", "port"],
  "listen-path": ["listen", "path"],
  upstream: ["upstreams", "default", "url"],
  protocol: ["upstreams", "default", "protocol"],
  "upstream-header": ["upstreams", "default", "headers"],
  subprotocol: ["upstreams", "default", "subprotocols"],
  cluster: ["cluster", "servers"],
  "cluster-name": ["cluster", "name"],
  "cluster-credentials-file": ["cluster", "credentials_file"],
} as const satisfies Partial<Record<SettingName, readonly string[]>>;

/**
 * Reads every setting that has a place in the file.
 * @param content the file's content, or an empty object
 * @throws ConfigError for an empty value, a header without a colon, a missing variable, or an option of the
 *   upstream `default` if that is not configured
 */
export function readOverrides(flags: Flags, env: Environment, content: object): Overrides {
  const read = (name: keyof typeof PLACES) => readSetting(name, flags, env);
  const variables: string[] = [];
  const expanded = ({ value, from }: Given): Given => {
    const { text, names, problems } = expand(value, env);
    if (problems.length > 0) throw new ConfigError(problems.map((what) => `${from}: ${what}`));
    variables.push(...names);
    return { value: text, from };
  };

  const list: Override[] = [];
  for (const name of ["host", "port", "listen-path", "upstream", "protocol"] as const) {
    for (const { value, from } of read(name)) list.push({ path: PLACES[name], value, from });
  }
  for (const header of read("upstream-header")) {
    const [name, value] = splitHeader(header);
    const { value: text, from } = expanded({ value, from: header.from });
    list.push({ path: [...PLACES["upstream-header"], name], value: text, written: value, from });
  }
  const subprotocols = read("subprotocol");
  if (subprotocols[0] !== undefined) {
    const value = subprotocols.map((subprotocol) => expanded(subprotocol).value);
    const written = subprotocols.map((subprotocol) => subprotocol.value);
    list.push({ path: PLACES.subprotocol, value, written, from: subprotocols[0].from });
  }

  const servers = read("cluster");
  if (servers[0] !== undefined)
    list.push({ path: PLACES.cluster, value: servers.map(({ value }) => value), from: servers[0].from });
  for (const name of ["cluster-name", "cluster-credentials-file"] as const) {
    for (const { value, from } of read(name)) list.push({ path: PLACES[name], value, from });
  }

  refuseOrphans(list, content);
  return { list, variables };
}

/**
 * Merges the overrides into `content`, in place. A value that should be a mapping stays: the schema refuses it.
 * Mappings on the way are copied first: an alias of YAML may share them with other parts of the file.
 * @param asWritten true for a content whose variables are not replaced
 */
export function applyOverrides(
  content: Record<string, unknown>,
  overrides: readonly Override[],
  asWritten = false,
): void {
  for (const { path, ...override } of overrides) {
    const value = asWritten ? writtenOf(override) : override.value;
    const parents = path.slice(0, -1);
    const name = path.at(-1) ?? "";
    let target: unknown = content;
    for (const key of parents) {
      if (!isMapping(target)) break;
      const inner = target[key] ?? {};
      target[key] = isMapping(inner) ? { ...inner } : inner;
      target = target[key];
    }
    if (!isMapping(target)) continue;
    // Only the names of headers are case-insensitive.
    const twin = parents.at(-1) === "headers" ? Object.keys(target).find((key) => sameHeader(key, name)) : undefined;
    if (twin !== undefined) delete target[twin];
    target[name] = value;
  }
}

/** The value as a file has it, where what looks like a variable would be replaced. */
function writtenOf({ value, written }: Pick<Override, "value" | "written">): unknown {
  if (written !== undefined || typeof value !== "string") return written ?? value;
  const literal = (kind: string) => kind === "variable" || kind === "malformed";
  return tokenize(value)
    .map(({ kind, source }) => (literal(kind) ? `$${source}` : source))
    .join("");
}

/** Finds the override that gave the value at `path`, if any. */
export function overrideAt(path: Path, overrides: readonly Override[]): Override | undefined {
  return overrides.find((candidate) => candidate.path.every((key, index) => key === path[index]));
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sameHeader(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function splitHeader({ value, from }: Given): [name: string, value: string] {
  const colon = value.indexOf(":");
  const name = value.slice(0, Math.max(colon, 0)).trim();
  if (!HEADER_NAME.test(name) || name === "__proto__") throw new ConfigError(`${from}: must be "Name: value"`);
  return [name, value.slice(colon + 1).trim()];
}

/** Refuses options of the upstream `default` if there is none: they would silently do nothing. */
function refuseOrphans(list: readonly Override[], content: object): void {
  const ofDefault = list.filter(({ path }) => path[0] === "upstreams");
  const upstreams = (content as { upstreams?: unknown }).upstreams;
  const known =
    ofDefault.some(({ path }) => path === PLACES.upstream) ||
    (isMapping(upstreams) && Object.hasOwn(upstreams, "default"));
  if (!known && ofDefault[0] !== undefined) {
    throw new ConfigError(
      `${ofDefault[0].from}: is for the upstream "default", which is not configured (give --upstream)`,
    );
  }
}
