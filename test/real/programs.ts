/** Programs of the system's packages: tests that need a missing one are skipped, with the reason. */
import { findOnPath } from "../support/root.ts";

/** Returns the reason to skip a test that needs these programs; false if all are there. */
export function lacks(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => pathOf(program) === undefined);
  return missing.length > 0 && `not installed: ${missing.join(", ")}`;
}

function pathOf(program: string): string | undefined {
  try {
    return findOnPath(program);
  } catch {
    return undefined;
  }
}
