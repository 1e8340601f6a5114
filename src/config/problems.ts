/** Problems of a configuration, each with its key, what is wrong with it, and its place. */

import type { z } from "zod";
import { knownKeys, meant } from "./suggestions.ts";

/**
 * Thrown if the configuration cannot be used: the service does not start (exit code 2).
 * The message has a line for each problem, and never a value that may be a secret.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "invalid_config";
  /** The lines of the message. */
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === "string" ? [problems] : problems;
    super(lines.join("\n"), options);
    this.problems = lines;
  }
}

/** The path to a value: keys of mappings and indexes of lists. */
export type Path = readonly PropertyKey[];

/** One problem and its place. */
export interface Problem {
  readonly path: Path;
  /** The faulty part: the last key of the path, or the value that the path leads to. */
  readonly part: "key" | "value";
  /** The rest of a sentence that begins with the path: `must be …`, `is missing`. */
  readonly what: string;
  /** True for a key that is not known where it stands. Where it is known is added by check-whole.ts. */
  readonly unknown?: true;
}

export type Checked<Output> = { readonly value: Output } | { readonly problems: readonly Problem[] };

/** Parses `input`; reports every problem in our own words. */
export function check<Schema extends z.ZodType>(schema: Schema, input: unknown): Checked<z.output<Schema>> {
  // Compiling the schema does not pay: each input is checked once.
  const result = schema.safeParse(input, { error: wording, jitless: true, reportInput: true });
  return result.success ? { value: result.data } : { problems: result.error.issues.flatMap((issue) => explain(issue)) };
}

/**
 * The path as text: `upstreams.default.limits.in_flight`. A key that does not look like a name is hidden: it may be a
 * secret in the wrong place.
 */
export function dotted(path: Path): string {
  return path.map((part) => (/^[\w/~-]+$/.test(String(part)) ? String(part) : "…")).join(".");
}

type Issue = z.core.$ZodIssue;

/** Types by the names of YAML, for those that zod names after JavaScript. */
const KINDS: Record<string, string> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a string",
  boolean: "true or false",
};

/** The text for issues whose schema has none of its own. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") {
    if (issue.input === undefined) return MISSING;
    return `must be ${KINDS[issue.expected] ?? `of type ${issue.expected}`}`;
  }
  // Only here is the schema known. `explain` makes the sentences, one for each key.
  if (issue.code === "unrecognized_keys") return knownKeys(issue.inst).join(" ");
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  return undefined;
}

const MISSING = "is missing";

function explain(issue: Issue, parents: Path = []): Problem[] {
  const path = [...parents, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(path, key, issue.message.split(" ")));
    case "invalid_key":
      return [{ path, part: "key", what: issue.issues[0]?.message ?? issue.message }];
    case "invalid_union": {
      // Report the problems of the branch that has the value's shape.
      const intended = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => !shapeless(inner)));
      if (intended !== undefined) return intended.flatMap((inner) => explain(inner, path));
      const unknown = unknownToAll(issue.errors);
      if (unknown.keys.length > 0) return unknown.keys.map((key) => unknownKey(path, key, unknown.known));
      return [{ path, part: "value", what: issue.input === undefined ? MISSING : issue.message }];
    }
    case "custom":
      return [{ path, part: "value", what: issue.message }];
    default: {
      // Zod's own words for a missing value depend on its schema.
      const isMissing = "input" in issue && issue.input === undefined && issue.message !== MISSING;
      return [{ path, part: "value", what: isMissing ? `${MISSING}: ${issue.message}` : issue.message }];
    }
  }
}

function unknownKey(path: Path, key: string, known: readonly string[]): Problem {
  return { path: [...path, key], part: "key", what: `is not a known key (${meant(key, known)})`, unknown: true };
}

/** The keys of a mapping that no branch knows, and those that some does; none if another form may be meant. */
function unknownToAll(branches: readonly (readonly Issue[])[]) {
  const mappings = branches.flatMap((branch) =>
    branch.filter((issue) => issue.code === "unrecognized_keys" && issue.path.length === 0),
  );
  const unknown = mappings.map((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
  return {
    keys:
      mappings.length < branches.length
        ? []
        : (unknown[0] ?? []).filter((key) => unknown.every((keys) => keys.includes(key))),
    known: [...new Set(mappings.flatMap(({ message }) => message.split(" ")))],
  };
}

/** True if the value does not have the branch's shape: it has another type, or keys that the branch does not know. */
function shapeless(issue: Issue): boolean {
  if (issue.code === "unrecognized_keys") return issue.path.length === 0;
  if (issue.code === "invalid_union") {
    const hasNoBranch = issue.errors.every((branch) => branch.some(shapeless));
    // Without the key that tells the branches apart it may be meant for none of them.
    if (issue.errors.length === 0) return issue.message === MISSING;
    return issue.path.length === 0 && hasNoBranch;
  }
  return issue.code === "invalid_type" && issue.path.length === 0;
}
