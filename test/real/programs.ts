/** Programs of the system's packages, which a machine may lack: what needs one is then skipped, and says so. */
import { findOnPath } from "../support/root.ts";

/** Why what needs these programs is skipped; false when all are there. */
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
