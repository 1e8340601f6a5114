/** The check of Deno's permissions before anything starts. */

import { dirname } from "node:path";
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

/**
 * Builds the command to begin with after Deno has denied what even reading the configuration needs.
 * @param denial the error, or one that it has caused
 * @returns undefined if it is no denial of Deno's
 */
export function commandAfterDenial(denial: unknown): string | undefined {
  const causes = [denial, (denial as Error).cause].filter((error) => error instanceof Error);
  const denied = causes.find(({ name }) => name === "NotCapable");
  if (denied === undefined) return undefined;
  const [, what, name = ""] = /(env|read) access to "([^"]+)"/.exec(denied.message) ?? [];
  const [, program = "", ...args] = process.argv;
  const isOurs = name.startsWith("SIDESOCKET_") || name.startsWith(dirname(program));
  const lacking = (kind: string) => (what === kind && !isOurs ? [name] : []);
  const command = commandFor(program, { net: ["127.0.0.1"], read: lacking("read"), write: [] }, lacking("env"), []);
  // Which of the arguments are messages, and may be secret, is not known yet.
  return args.length === 0 ? command : `${command} …`;
}
