/** What is wrong with a configuration, said so that one reading is enough: the key, the problem, the place. */

import type { z } from "zod";

/**
 * The configuration cannot be used; the service does not start (exit code 2).
 * The message has one line per problem, and never a value that may be a secret.
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

/** The way to a value: keys of mappings and indexes of lists. */
export type Path = readonly PropertyKey[];

/** One problem and where it is. */
export interface Problem {
  readonly path: Path;
  /** Whether the last part of the path is itself what is wrong, or the value that it leads to. */
  readonly part: "key" | "value";
  /** Goes behind the path: `must be …`, `is missing`. */
  readonly what: string;
}

export type Checked<Output> = { readonly value: Output } | { readonly problems: readonly Problem[] };

/** Parses `input`, and tells every problem in our words. */
export function check<Schema extends z.ZodType>(schema: Schema, input: unknown): Checked<z.output<Schema>> {
  // What is checked once is not worth the compiling.
  const result = schema.safeParse(input, { error: wording, jitless: true });
  return result.success ? { value: result.data } : { problems: result.error.issues.flatMap((issue) => explain(issue)) };
}

/** `upstreams.default.limits.in_flight`. A key that no name looks like may be a value in the wrong place: not shown. */
export function dotted(path: Path): string {
  return path.map((part) => (/^[\w/~-]+$/.test(String(part)) ? String(part) : "…")).join(".");
}

type Issue = z.core.$ZodIssue;

/** Names for what a person writes in YAML, where zod speaks of JavaScript. */
const KINDS: Record<string, string> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a text",
  boolean: "true or false",
};

/** For issues whose schema brings no words of its own. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") {
    if (issue.input === undefined) return "is missing";
    return `must be ${KINDS[issue.expected] ?? `of type ${issue.expected}`}`;
  }
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  return undefined;
}

function explain(issue: Issue, parents: Path = []): Problem[] {
  const path = [...parents, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], part: "key", what: "is not a known key" }));
    case "invalid_key":
      return [{ path, part: "key", what: issue.issues[0]?.message ?? issue.message }];
    case "invalid_union": {
      // Of a choice's branches, the one whose shape the value has says what is wrong inside of it.
      const meant = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => !shapeless(inner)));
      if (meant !== undefined) return meant.flatMap((inner) => explain(inner, path));
      return [{ path, part: "value", what: issue.message }];
    }
    default:
      return [{ path, part: "value", what: issue.message }];
  }
}

/** True when the value is not even of the branch's kind: another type, or keys that it does not have. */
function shapeless(issue: Issue): boolean {
  if (issue.code === "unrecognized_keys") return issue.path.length === 0;
  if (issue.code === "invalid_union") return issue.errors.length === 0;
  return issue.code === "invalid_type" && issue.path.length === 0;
}
