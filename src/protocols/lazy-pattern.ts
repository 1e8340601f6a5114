/** The compiler of patterns, loaded on demand: it is slow to load, and most configurations have no pattern. */

import type { Pattern } from "./pattern.ts";

let compiler: ((text: string) => Pattern) | undefined;

/**
 * Loads the compiler if a condition anywhere in `value`, which may be unchecked, has a pattern. Must be awaited before
 * the value is checked or its conditions are compiled.
 */
export async function preparePatterns(value: unknown): Promise<void> {
  if (arePatternsReady(value)) return;
  const { Pattern } = await import("./pattern.ts");
  compiler = (text) => new Pattern(text);
}

/** True if a condition anywhere in `value` can be compiled: it has no pattern, or the compiler is loaded. */
export function arePatternsReady(value: unknown): boolean {
  return compiler !== undefined || !mayHavePattern(value);
}

/** Compiles a pattern. Throws an Error with the fault, which does not quote the pattern. */
export function compilePattern(text: string): Pattern {
  if (compiler === undefined) throw new Error("cannot be compiled: preparePatterns was not awaited");
  return compiler(text);
}

/** The keys of conditions, under each of which a text, or a list of texts, may be patterns. */
const KEYS: ReadonlySet<string> = new Set([
  ...["text", "any", "all", "not"],
  ...["when", "on", "expect", "reject", "agreed", "refused", "ended"],
  ...["ignore", "reply", "skip", "final", "all_of"],
]);

/** Takes any text under such a key for a pattern: if it is none, the compiler is loaded for nothing. */
function mayHavePattern(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("preset" in value && value.preset === "text" && "id" in value) return true;
  return Object.entries(value).some(([key, item]) => (KEYS.has(key) && hasText(item)) || mayHavePattern(item));
}

function hasText(value: unknown): boolean {
  return typeof value === "string" || (Array.isArray(value) && value.some((item) => typeof item === "string"));
}
