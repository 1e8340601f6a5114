/** CPU time and memory of a process, as Linux accounts for them; elsewhere `undefined`. */
import { readFileSync, writeFileSync } from "node:fs";

/** /proc counts in hundredths of a second, whatever the kernel's own tick is. */
const TICK_US = 10_000;

/** Reads user and system time in microseconds: of the whole process, or of its main thread alone. */
export function cpuMicros(pid, { mainThread = false } = {}) {
  const text = read(mainThread ? `/proc/${pid}/task/${pid}/stat` : `/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may have spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Reads resident memory in megabytes (10^6 bytes), now and at its peak. */
export function memory(pid) {
  const text = read(`/proc/${pid}/status`);
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? Number.NaN);
  const megabytes = (name) => Math.round(kilobytes(name) * 1.024) / 1_000;
  return { now: megabytes("VmRSS"), peak: megabytes("VmHWM") };
}

/** Resets the peak of memory. */
export function forgetPeak(pid) {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Not Linux: there is no peak either.
  }
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
