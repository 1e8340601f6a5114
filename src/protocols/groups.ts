/** Groups of a condition's pattern: `$NAME` is a place in any text, as a pointer is one in JSON. */

import { compilePattern } from "./lazy-pattern.ts";

/** The form of such a place, beside JSON pointers. */
export const GROUP_FORM = String.raw`\$[A-Za-z_]\w*`;

/** True for the place of a group. A JSON pointer is empty or begins with a slash. */
export function isGroup(place: string): boolean {
  return place.startsWith("$");
}

/** The texts of groups by their places; undefined for a group that took no part in the match. */
export type GroupTexts = ReadonlyMap<string, string | undefined>;

/**
 * Compiles a search for groups, which returns undefined for a text that the pattern does not match, or of which a group
 * may be cut off. Throws an Error if the pattern is wrong, or lacks one of the groups.
 */
export function groupSearch(
  pattern: string | undefined,
  places: readonly string[],
): (text: string) => GroupTexts | undefined {
  for (const place of places) {
    const fault = faultOfGroup(pattern, place);
    if (fault !== undefined) throw new Error(`${place} ${fault}`);
  }
  const compiled = compilePattern(pattern ?? "");
  const names = places.map(nameOf);
  return (text) => {
    const found = compiled.groups(text, names);
    return found && new Map(places.map((place) => [place, found.get(nameOf(place))]));
  };
}

/** The reason why a place is no group of the pattern. Throws an Error if the pattern is wrong. */
export function faultOfGroup(pattern: string | undefined, place: string): string | undefined {
  if (pattern === undefined) return "is a group of a pattern, and there is none beside it (text)";
  return compilePattern(pattern).has(nameOf(place))
    ? undefined
    : `is no group of the pattern: write (?<${nameOf(place)}>…)`;
}

function nameOf(place: string): string {
  return place.slice(1);
}

/** Compiles the replacement of a group's text in a text that the pattern matches; elsewhere nothing changes. */
export function groupReplacement(pattern: string | undefined, place: string): (text: string, by: string) => string {
  const compiled = compilePattern(pattern ?? "");
  return (text, by) => {
    const found = compiled.find(text, nameOf(place));
    return found ? text.slice(0, found.part.start) + by + text.slice(found.part.end) : text;
  };
}
