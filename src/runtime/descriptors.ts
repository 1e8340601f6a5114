/** The system's limit of open descriptors. */

import { readFileSync } from "node:fs";

/** Reads the limit of this process; undefined where there is no /proc, or, on Deno, without every permission. */
export function descriptorsMax(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
