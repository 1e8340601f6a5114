/** Reading environment variables by name, one at a time: Deno's permissions are per name, and listing them all needs all. */

import { isAbsolute } from "node:path";
import { ConfigError } from "./problems.ts";

/** `process.env`, or a plain object in tests. */
export type Environment = Record<string, string | undefined>;

/** @throws ConfigError when the runtime does not permit reading it (Deno without `--allow-env=NAME`) */
export function readVariable(env: Environment, name: string): string | undefined {
  try {
    return env[name];
  } catch (cause) {
    throw new ConfigError(`${name}: this environment variable may not be read (Deno: --allow-env=${name})`, { cause });
  }
}

/** What a template gave: the text, or what is wrong with it; and the variables that it asked for. */
export interface Expanded {
  readonly text: string;
  readonly names: readonly string[];
  readonly problems: readonly string[];
}

/** What is worked out only when connecting (src/placeholders.ts), escaped or not; an escape; a variable; a mistake. */
const PLACES = /(\$\$\{(?=(?:file|credentials):)|\$\{(?:file|credentials):[^}]*\})|\$\$\{|\$\{([A-Za-z_]\w*)\}|\$\{/g;
const LATE_BEGIN = /\$\{(?=(?:file|credentials):)/g;

/**
 * Replaces each `${NAME}` by the variable's value, and `$${` by `${`. Once: a value is never searched again.
 * `${file:…}` and `${credentials:…}` stay, and what a variable holds is never taken for one of them.
 * A variable that is unset or empty is a problem, because a login with an empty password fails somewhere far away.
 */
export function expand(template: string, env: Environment): Expanded {
  const names: string[] = [];
  const problems: string[] = [];
  const text = template.replace(PLACES, (match, late?: string, name?: string) => {
    if (late !== undefined) {
      const path = /^\$\{file:(.*)\}$/.exec(late)?.[1];
      if (path !== undefined && !isAbsolute(path)) problems.push("has a ${file:…} whose path is not absolute");
      return late;
    }
    if (match === "$${") return "${";
    if (name === undefined) {
      problems.push("has a ${ without a variable's name and a } behind it (a literal ${ is written $${)");
      return match;
    }
    names.push(name);
    const value = readVariable(env, name);
    if (value === undefined || value === "") {
      problems.push(`needs the environment variable ${name}, which is ${value === "" ? "empty" : "not set"}`);
    }
    return (value ?? "").replace(LATE_BEGIN, (begin) => `$${begin}`);
  });
  return { text, names, problems };
}
