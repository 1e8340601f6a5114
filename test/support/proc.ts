/** Linux's view of a process, for tests that prove that nothing leaked. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Counts open descriptors. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Lists the targets of open descriptors (`socket:[123]`, `/dev/null`, …), for failure messages. */
export function descriptorTargets(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "(closed meanwhile)";
    }
  });
}

/** Counts the threads of the process. */
export function threads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** Reads the resident memory in bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory: has it ended?`);
  return Number(kib) * 1024;
}
