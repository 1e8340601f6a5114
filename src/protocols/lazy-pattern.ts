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

/** The keys under which a text may be a pattern: of a condition, and of what has one in short. */
const KEYS: ReadonlySet<string> = new Set(["text", "when"]);

/** Takes any text under such a key for a pattern: if it is none, the compiler is loaded for nothing. */
function mayHavePattern(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(
    ([key, item]) => (KEYS.has(key) && typeof item === "string") || mayHavePattern(item),
  );
}
