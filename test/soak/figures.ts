/** Figures of a soak: its measurements and their evaluation. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { descriptors, descriptorTargets, residentBytes } from "../support/proc.ts";
import { until } from "../support/until.ts";

/** A process's resources, by kind. */
export type Holdings = Readonly<Record<string, number>>;

export function ownHoldings(): Holdings {
  return { descriptors: descriptors(process.pid), threads: threads(process.pid), "timers and handles": timers() };
}

/**
 * Counts the TCP sockets of another process. Its other resources are not the product's business, nor are the sockets
 * that its runtime opens for itself, which are of another kind.
 */
export function socketsOf(pid: number): Holdings {
  const ofTcp = new Set(["tcp", "tcp6"].flatMap((table) => inodesIn(`/proc/${pid}/net/${table}`)));
  const sockets = descriptorTargets(pid).filter((target) => ofTcp.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? ""));
  return { "upstream's sockets": sockets.length };
}

/** The inodes of a table of sockets, which stand in its tenth column. */
function inodesIn(table: string): readonly string[] {
  const [, ...rows] = readFileSync(table, "utf8").trim().split("\n");
  return rows.map((row) => row.trim().split(/\s+/)[9] ?? "");
}

/** Waits until no more is held than `before`; after a while, returns what is held all the same. */
export async function settled(look: () => Holdings, before: Holdings): Promise<Holdings> {
  const quiet = () => Object.entries(look()).every(([what, count]) => count <= (before[what] ?? 0));
  await until(quiet, { within: 3_000, every: 20 }).catch(() => {});
  return look();
}

/** Formats each as "then -> now". */
export function shown(first: Holdings, last: Holdings): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(last).map(([what, count]) => [what, `${first[what]} -> ${count}`]));
}

export function grown(first: Holdings, last: Holdings): string[] {
  return Object.entries(last).flatMap(([what, count]) =>
    count > (first[what] ?? 0) ? [`${what} grew from ${first[what]} to ${count}`] : [],
  );
}

/** Counts threads, except Deno's pool for file reads and the like, which grows and shrinks at will. */
function threads(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const names = readdirSync(tasks).map((id) => {
    try {
      return readFileSync(`${tasks}/${id}/comm`, "utf8");
    } catch {
      return "tokio: ended meanwhile";
    }
  });
  return names.filter((name) => !name.startsWith("tokio")).length;
}

/** Counts timers, and whatever else keeps this process alive, as far as the runtime reports it. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((type) => type !== "CloseReq").length;
}

/** Durations in milliseconds. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function timesOf(all: readonly number[]): Times {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function textOf({ p50, p99, max }: Times): string {
  return `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`;
}

/** Resident memory over the cycles, and its growth per cycle. */
export class Memory {
  readonly #samples: { readonly cycle: number; readonly kb: number }[] = [];

  /** Collects garbage if the runtime allows it, and takes a sample. */
  sample(cycle: number): void {
    (globalThis as { gc?: () => void }).gc?.();
    this.#samples.push({ cycle, kb: residentBytes(process.pid) / 1_000 });
  }

  get lastMb(): number {
    return (this.#samples.at(-1)?.kb ?? Number.NaN) / 1_000;
  }

  /** Kilobytes per cycle: the least-squares slope over the samples from that cycle on. */
  slopeFrom(cycle: number): number {
    const samples = this.#samples.filter((sample) => sample.cycle >= cycle);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const middle = { cycle: mean(samples.map((s) => s.cycle)), kb: mean(samples.map((s) => s.kb)) };
    let covariance = 0;
    let variance = 0;
    for (const sample of samples) {
      covariance += (sample.cycle - middle.cycle) * (sample.kb - middle.kb);
      variance += (sample.cycle - middle.cycle) ** 2;
    }
    return covariance / variance;
  }
}
