/** The memory that the process may use. */

import process from "node:process";
import { getHeapStatistics } from "node:v8";

/** The limit of the heap or, if that is less, of the container; in bytes. */
export function memoryLimit(): number {
  return Math.min(getHeapStatistics().heap_size_limit, containerLimit());
}

/** On Deno a program without `--allow-sys` must not know; there, and where nothing limits it, the heap alone counts. */
function containerLimit(): number {
  try {
    // 0 if it is unknown.
    return process.constrainedMemory() || Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
