/** Environment variables, read one by one: Deno permits them by name, and listing them would need all of them. */

import { isAbsolute } from "node:path";
import { DEFERRED_KINDS, kindBegun, PartlyFilled, tokenize } from "../secrets/placeholders.ts";
import { ConfigError } from "./problems.ts";
import { closest } from "./suggestions.ts";

/** The variables by name: `process.env`, or a plain object in tests. */
export type Environment = Record<string, string | undefined>;

/** @throws ConfigError if the runtime does not permit reading it (Deno without `--allow-env=NAME`) */
export function readVariable(env: Environment, name: string): string | undefined {
  try {
    return env[name];
  } catch (cause) {
    throw new ConfigError(`${name}: reading this variable is not permitted (Deno: --allow-env=${name})`, { cause });
  }
}

/** The outcome of expanding a template. */
export interface Expanded {
  readonly text: string;
  /** The variables that it names. */
  readonly names: readonly string[];
  /** The faults in it, each to be put behind the name of its key. */
  readonly problems: readonly string[];
}

/**
 * Replaces each `${NAME}` with the variable's value, and `$${` with `${`, once: a value is never searched again.
 * All other placeholders stay, such as `${file:…}`, and a variable's value is never taken for one of them.
 * An unset or empty variable is a problem: a login with an empty password would fail somewhere far away.
 * @param hides true if a value must not be read as a template
 */
export function expand(template: string, env: Environment, hides = false): Expanded {
  const names: string[] = [];
  const problems: string[] = [];
  const text = new PartlyFilled();
  const tokens = tokenize(template);
  for (const [index, token] of tokens.entries()) {
    switch (token.kind) {
      case "text":
        text.literal(token.source);
        break;
      case "escape":
        text.literal("${");
        break;
      case "malformed":
        problems.push(malformed(tokens[index + 1]?.source ?? ""));
        break;
      case "variable": {
        names.push(token.name);
        const value = readNonEmpty(token.name);
        if (hides) text.hidden(value);
        else text.literal(value);
        break;
      }
      case "quoted":
        problems.push(`has ${token.source}, whose name begins with $`);
        break;
      default:
        if (token.kind === "file" && !isAbsolute(token.name)) {
          problems.push("has a ${file:…} whose path is not absolute: write the whole path");
        }
        text.placeholder(token.kind, token.source);
    }
  }
  return { text: text.end(), names, problems };

  function readNonEmpty(name: string): string {
    const value = readVariable(env, name);
    if (value) return value;
    problems.push(`needs the environment variable ${name}, which is ${value === "" ? "empty" : "not set"}`);
    return "";
  }
}

/** The fault of a `${` that begins nothing. The text behind it may be a secret, and is not repeated. */
function malformed(behind: string): string {
  const kind = kindBegun(behind);
  const near = kind === undefined ? undefined : closest(kind, DEFERRED_KINDS);
  const meant = kind?.toLowerCase() === "env" ? "${NAME}" : near && ["${", near, ":…}"].join("");
  const cure = "(write $${ for a literal ${)";
  if (meant === undefined) return ["has a ${ without a variable's name and a } after it", cure].join(" ");
  return ["has a ${ that begins no placeholder: did you mean", `${meant}?`, cure].join(" ");
}

/**
 * An environment that can be read again although what holds secrets is deleted from it (threat T8): what was deleted is
 * remembered here, where no other process sees it.
 */
export function rememberingEnvironment(env: Environment): Environment {
  const deleted = new Map<string, string>();
  return new Proxy(env, {
    get: (target, name) => (typeof name === "string" ? (deleted.get(name) ?? target[name]) : undefined),
    deleteProperty: (target, name) => {
      const value = typeof name === "string" ? target[name] : undefined;
      if (value !== undefined) deleted.set(String(name), value);
      return Reflect.deleteProperty(target, name);
    },
  });
}
