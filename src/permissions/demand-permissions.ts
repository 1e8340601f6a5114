/** The check of Deno's permissions before anything starts. */

import { ConfigError } from "../config/problems.ts";
import { runtime } from "../runtime/pick-runtime.ts";
import type { Needs } from "../runtime/runtime.ts";
import { commandFor, needsOf } from "./permissions.ts";

/** Checks permissions: on Deno a denied connection would look like an upstream that is down, and be retried forever. */
export async function demandPermissions(
  config: Parameters<typeof needsOf>[0],
  words?: readonly string[],
): Promise<void> {
  await demandNeeds(needsOf(config), config.sources.variables, words);
}

/** @throws ConfigError with the command that works */
export async function demandNeeds(...needed: Parameters<typeof lackingPermissions>): Promise<void> {
  const lacking = await lackingPermissions(...needed);
  if (lacking !== undefined) throw new ConfigError(lacking);
}

/**
 * @param variables the variables that the configuration names besides our own
 * @param words the arguments that may hold a secret
 * @returns the sentence about what is lacking, with the command that works; undefined if nothing is
 */
export async function lackingPermissions(
  needs: Needs,
  variables: readonly string[],
  words?: readonly string[],
): Promise<string | undefined> {
  const { net, read, write } = await runtime.refused(needs);
  const lacking = [...net, ...new Set([...read, ...write])];
  if (lacking.length === 0) return undefined;
  const [, program = "", ...args] = process.argv;
  const command = commandFor(program, needs, variables, args, words);
  return `Deno lacks permission to reach, read or write ${lacking.join(", ")}. Use:\n\n  ${command}\n`;
}
