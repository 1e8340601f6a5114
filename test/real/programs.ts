/** Programs of the system's packages: tests that need a missing one are skipped, with the reason. */
import { spawnSync } from "node:child_process";
import { findOnPath } from "../support/root.ts";

/** Returns the reason to skip a test that needs these programs; false if all are there. */
export function lacks(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => pathOf(program) === undefined);
  return missing.length > 0 && `not installed: ${missing.join(", ")}`;
}

/** Returns the reason to skip a test that needs PHP with its curl extension, which is a package of its own. */
export function lacksPhp(): string | false {
  const lacking = lacks("php");
  if (lacking) return lacking;
  const { stdout } = spawnSync("php", ["-m"], { encoding: "utf8" });
  return !/^curl$/m.test(stdout) && "not installed: PHP's curl extension";
}

function pathOf(program: string): string | undefined {
  try {
    return findOnPath(program);
  } catch {
    return undefined;
  }
}
