/** Cures of unknown keys: the presets that know one, or its place elsewhere, found by a walk through the schema. */

import { dotted, type Path, type Problem } from "./problems.ts";
import { closest, type Definition, isSameName, knownHere, knownKeys, type Schema } from "./suggestions.ts";

/** The most presets or places that are listed. */
const LISTED = 6;

/** The most keys that are looked for elsewhere: a walk takes milliseconds, and a reload must not stop a service. */
const SOUGHT = 20;

/** Keys with which others switch the checks of certificates off. */
const UNCHECKED =
  /^(?:no_|allow_|insecure_?)?(?:tls_|ssl_)?(?:skip_?)?(?:verify|insecure|reject_?unauthori[sz]ed)(?:_tls|_ssl)?$/i;

/** Stand for any key of a mapping and any index of a list in a place elsewhere. */
const ANY_KEY = "NAME";
const ANY_INDEX = "N";

/** The key that tells a mapping apart from others in its place, and its value: `preset`, `json`. */
interface Tag {
  readonly key: string;
  readonly value: string;
}

/** A mapping that a path leads to, and the nearest tag on the way. */
interface TaggedMapping {
  readonly schema: Schema;
  readonly tag: Tag | undefined;
}

/** Another place of a key. */
interface KeyPlace {
  readonly path: Path;
  readonly tag: Tag | undefined;
}

/**
 * Words the problems of unknown keys, and leaves out what only follows from them: that a mapping lacks what such a key
 * was meant to be.
 *
 * @param root the schema by which `input` was checked
 */
export function withCures(root: Schema, input: unknown, problems: readonly Problem[]): readonly Problem[] {
  const consequences = new Set<string>();
  let sought = 0;
  const cured = problems.map((problem) => {
    if (!problem.unknown || sought++ >= SOUGHT) return problem;
    const parent = problem.path.slice(0, -1);
    const { what, meant } = cureOf(root, input, parent, String(problem.path.at(-1)));
    consequences.add(parent.join("\n"));
    if (meant !== undefined && memberOf(valueAt(input, parent), meant) === undefined)
      consequences.add([...parent, meant].join("\n"));
    return { ...problem, what };
  });
  return cured.filter(({ path, unknown }) => unknown || !consequences.has(path.join("\n")));
}

/** `meant`: the key of the same mapping that the unknown one was meant to be. */
function cureOf(root: Schema, input: unknown, parent: Path, key: string): { what: string; meant?: string | undefined } {
  const all = mappingsAt(root, parent, () => true, input);
  const fitting = mappingsAt(root, parent, fits, input);
  const own = fitting.length > 0 ? fitting : all;
  const others = all.filter(({ schema }) => !own.some((each) => each.schema === schema));
  const known = [...new Set(own.flatMap(({ schema }) => knownKeys(schema)))];
  const meant = closest(key, known);
  const suggestion = meant === undefined ? [] : [`did you mean ${meant}?`];

  const isOfUpstream = parent[0] === "upstreams" && (parent.length === 2 || parent[2] === "tls");
  if (isOfUpstream && UNCHECKED.test(key))
    return { what: "is not a known key (certificates are always checked: name the one to trust in tls.ca)" };

  const [tag] = own.map((each) => each.tag);
  const isTagged = own.some(({ schema }) => tagOf(schema) !== undefined);
  const sentence = (isOfTag: boolean, cure: string) =>
    `is not a known key${isOfTag && tag ? ` of ${tag.key} ${tag.value}` : ""} (${cure})`;

  const elsewhere = knownTo(key, others);
  if (elsewhere !== undefined) return { what: sentence(true, [`known to ${elsewhere}`, ...suggestion].join("; ")) };
  if (meant !== undefined) return { what: sentence(isTagged, suggestion.join()), meant };
  const places = placesOf(root, parent, key);
  if (places.length > 0) return { what: sentence(isTagged, shownPlaces(places, parent, tag)) };
  const near = closest(
    key,
    others.flatMap(({ schema }) => Object.keys(definitionOf(schema).shape ?? {})),
  );
  if (near !== undefined)
    return { what: sentence(true, `did you mean ${near}? It is known to ${knownTo(near, others)}`) };
  return { what: sentence(isTagged, knownHere(known)) };
}

/** Lists the mappings that know a key by their tags; undefined if none does. */
function knownTo(key: string, mappings: readonly TaggedMapping[]): string | undefined {
  const knowing = mappings.filter(({ schema }) => Object.hasOwn(definitionOf(schema).shape ?? {}, key));
  return listed(knowing.map(({ tag }) => tag?.value));
}

function listed(names: readonly (string | undefined)[]): string | undefined {
  const each = [...new Set(names.filter((name) => name !== undefined))];
  if (each.length === 0) return undefined;
  return `${each.slice(0, LISTED).join(", ")}${each.length > LISTED ? ", …" : ""}`;
}

/** @param own the tag of the mapping in which the key stands, which need not be said */
function shownPlaces(places: readonly KeyPlace[], from: Path, own: Tag | undefined): string {
  const paths = [...new Set(places.map(({ path }) => dotted(path)))];
  const tags = places.map(({ tag }) => tag?.value);
  const key = places.find(({ tag }) => tag)?.tag?.key;
  const which = key === undefined || tags.includes(own?.value) ? "" : `, with ${key}: ${listed(tags)}`;
  // A key of another section may have been meant, but need not: the place is only named.
  const isNear = places.some(({ path }) => path[0] === from[0] && sharedWith(from, path) >= from.length - 1);
  return `${isNear ? "its place is" : "known as"} ${paths.length > 1 ? "one of " : ""}${listed(paths)}${which}`;
}

/** Finds the mappings at a path. `isTaken` says whether one of several may hold the value that is there. */
function mappingsAt(
  root: Schema,
  path: Path,
  isTaken: (schema: Schema, value: unknown) => boolean,
  input: unknown,
): readonly TaggedMapping[] {
  let value = input;
  let found: readonly TaggedMapping[] = branchesOf(root).map((schema) => ({ schema, tag: undefined }));
  for (const key of path) {
    found = found
      .filter(({ schema }) => isTaken(schema, value))
      .flatMap(({ schema, tag }) => {
        const inner =
          definitionOf(schema).shape?.[String(key)] ?? definitionOf(schema).valueType ?? definitionOf(schema).element;
        return branchesOf(inner).map((branch) => ({ schema: branch, tag: tagOf(schema) ?? tag }));
      });
    value = memberOf(value, key);
  }
  return found
    .filter(({ schema }) => definitionOf(schema).shape !== undefined && isTaken(schema, value))
    .map(({ schema, tag }) => ({ schema, tag: tagOf(schema) ?? tag }));
}

/** Finds the places of a key: those that are nearest to `from`, and of these the ones that are least deep. */
function placesOf(root: Schema, from: Path, key: string): readonly KeyPlace[] {
  const places: KeyPlace[] = [];
  const within = new Set<Schema>();
  const walk = (schema: Schema, path: Path, tag: Tag | undefined): void => {
    for (const branch of branchesOf(schema)) {
      // Conditions hold conditions, and any JSON holds any.
      if (within.has(branch)) continue;
      within.add(branch);
      const { shape = {}, valueType, element } = definitionOf(branch);
      const own = tagOf(branch) ?? tag;
      const isOnWay = path.every((part, index) => part === from[index]);
      const next = isOnWay ? from[path.length] : undefined;
      for (const [name, inner] of Object.entries(shape)) {
        if (isSameName(name, key)) places.push({ path: [...path, name], tag: own });
        walk(inner, [...path, name], own);
      }
      if (valueType) walk(valueType, [...path, typeof next === "string" ? next : ANY_KEY], own);
      if (element) walk(element, [...path, typeof next === "number" ? next : ANY_INDEX], own);
      within.delete(branch);
    }
  };
  walk(root, [], undefined);
  const nearest = Math.max(...places.map(({ path }) => sharedWith(from, path)));
  const near = places.filter(({ path }) => sharedWith(from, path) === nearest);
  const depth = Math.min(...near.map(({ path }) => path.length));
  return near.filter(({ path }) => path.length === depth);
}

/** How many of the first keys are the same. */
function sharedWith(from: Path, path: Path): number {
  const differing = path.findIndex((part, index) => part !== from[index]);
  return differing < 0 ? path.length : differing;
}

/** The schemas of a value behind all that only wraps them: of a union, each of its branches. */
function branchesOf(schema: Schema | undefined): readonly Schema[] {
  if (schema === undefined) return [];
  const definition = definitionOf(schema);
  if (definition.options) return definition.options.flatMap(branchesOf);
  const inner = definition.innerType ?? definition.in ?? schema._zod.innerType;
  return inner ? branchesOf(inner) : [schema];
}

function definitionOf(schema: Schema): Definition {
  return schema._zod.def;
}

/** The member of a mapping that may have one value only. */
function tagOf(schema: Schema): Tag | undefined {
  for (const [key, member] of Object.entries(definitionOf(schema).shape ?? {})) {
    const [value, ...more] = definitionOf(member).values ?? [];
    if (value !== undefined && more.length === 0) return { key, value: String(value) };
  }
  return undefined;
}

function fits(schema: Schema, value: unknown): boolean {
  const tag = tagOf(schema);
  const given = tag && memberOf(value, tag.key);
  return given === undefined || given === tag?.value;
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce(memberOf, input);
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}
