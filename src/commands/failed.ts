/** The failures that a command prints, and its exit codes. */

import { type Failure, retryFor, type Sent } from "../errors.ts";
import type { UpstreamPort } from "../http/ports.ts";
import { problemDocument } from "../http/problem.ts";
import { errorLines } from "../logs/log.ts";

/** The exit codes of a failure by the fate of the message. */
const codes: Readonly<Record<Sent, number>> = { no: 3, maybe: 4, yes: 5 };

/** The exit code of a usage that is wrong, and of all that fails however often it is repeated. */
export const USELESS = 2;

/** The exit code of output that nobody reads. */
export const UNREAD = codes.yes;

/** Prints the problem as one line. @returns the exit code */
export function printFailure(failure: Failure, upstream?: Pick<UpstreamPort, "name" | "state">): number {
  errorLines.push(`${JSON.stringify(problemDocument(failure, upstream))}\n`);
  return failure.sent === "no" && retryFor(failure) === "never" ? USELESS : codes[failure.sent];
}

/** The end of a command. */
export interface CommandEnd {
  readonly exitCode: number;
  /** False if a thread could not be joined and is left behind. */
  readonly joined: boolean;
}
