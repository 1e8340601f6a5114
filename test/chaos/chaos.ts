/**
 * The chaos run: the product under load before upstreams of every dialect, each behind a proxy, while one thing after
 * the other is broken, drawn from one seed.
 *
 * It checks the invariants meanwhile and afterwards: every request ends once and in time (I1), with its own reply (I2);
 * nothing stays behind (I3); it goes on serving (I4); nothing is unhandled and no secret leaks (I5); a message of a
 * subscription comes once, or is missing in a gap (I6).
 */
import { type FaultProxy, startProxy } from "../faults/proxy.ts";
import { descriptors, descriptorTargets, residentBytes, threads } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import { type Cleanup, delay } from "../support/until.ts";
import type { DialectName } from "./dialects.ts";
import { drawFault, type Stage } from "./faults.ts";
import {
  assertIntact,
  assertStops,
  figuresOf,
  judge,
  type Line,
  type Lines,
  requestedOn,
  startLines,
} from "./lines.ts";
import { Pulse } from "./pulse.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly ms: number;
  readonly t: Cleanup;
  /** How far a response may exceed its deadline, besides the current slowness of the machine. */
  readonly lateMs?: number;
  /** Only faults whose name contains this. */
  readonly only?: string;
  /** Reports each fault as it begins. */
  readonly report?: (text: string) => void;
}

export interface Findings {
  readonly figures: Readonly<Record<string, unknown>>;
  /** Broken invariants; empty if all is well. */
  readonly problems: readonly string[];
}

const CLIENTS: Readonly<Record<DialectName, number>> = { rpc: 20, bundles: 10, parts: 8, lane: 4 };
const ALL_CLIENTS = Object.values(CLIENTS).reduce((sum, count) => sum + count, 0);
/** I1: how far a response may exceed its deadline, on a machine that is not busy. */
const LATE_MS = 100;
/** The longest pause between faults; the shortest is zero. */
const PEACE_MS = 800;
/** The longest duration of a fault before it is healed. */
const FAULT_MS = 1_500;

const SETTINGS = {
  reconnect: { from: "20ms", to: "300ms", refused: "400ms" },
  keepalive: { ping: "300ms", pong_within: "400ms" },
  connect_within: "600ms",
  limits: { in_flight: 512, reply_bytes: "256KiB", buffered_bytes: "2MiB" },
};

/** Sends requests in a loop, with any timeout, alone or in a batch, and occasionally leaves before the response. */
async function client(
  { product }: Lines,
  { dialect, ledger }: Line,
  random: () => number,
  going: () => boolean,
): Promise<void> {
  while (going()) {
    const timeoutMs = Math.round(100 + random() ** 2 * 2_500);
    const batch = dialect.batchAtMost > 1 && random() < 0.2 ? 1 + Math.floor(random() * 8) : undefined;
    const leaveAfterMs = random() < 0.03 ? Math.round(random() * 50) : undefined;
    await ledger.request(product, { timeoutMs, batch, leaveAfterMs });
    await delay(random() * 40);
  }
}

async function breakThings(
  stages: ReadonlyMap<string, Stage>,
  random: () => number,
  only: string,
  going: () => boolean,
  report: (text: string) => void,
): Promise<number> {
  let broken = 0;
  while (going()) {
    const [name, fault] = drawFault(only, random);
    const [line, stage] = [...stages][Math.floor(random() * stages.size)] as [string, Stage]; // never empty
    const lasting = random() * FAULT_MS;
    report(`${line}: ${name}`);
    const heal = await fault(stage);
    broken += 1;
    await delay(lasting);
    await heal();
    await delay(random() * PEACE_MS);
  }
  return broken;
}

export async function chaos({
  seed,
  ms,
  t,
  lateMs = LATE_MS,
  only = "",
  report = () => {},
}: ChaosOptions): Promise<Findings> {
  const random = seeded(seed);
  const proxies = new Map<string, FaultProxy>();
  const lines = await startLines({
    t,
    seed,
    settings: () => SETTINGS,
    via: async (name, upstream) => {
      const proxy = await startProxy({ to: upstream.port, t });
      proxies.set(name, proxy);
      return proxy;
    },
    graceMs: () => lateMs + 2 * pulse.slackMs,
    lossless: false,
  });
  const { product } = lines;
  const problem = (text: string): void => lines.all[0]?.ledger.problem(text);

  const end = performance.now() + ms;
  const going = (): boolean => performance.now() < end && product.child.exit === undefined;
  const pulse: Pulse = new Pulse(product, problem);
  const clients = lines.all.flatMap((line) =>
    Array.from({ length: CLIENTS[line.name] }, (_, n) => client(lines, line, seeded(seed + n + 1), going)),
  );
  // The connections of clients and upstreams are open by now: later additions must be gone at the end.
  await delay(Math.min(1_000, ms / 4));
  const before = {
    descriptors: descriptors(product.pid),
    threads: threads(product.pid),
    rss: residentBytes(product.pid),
  };
  const stages = new Map<string, Stage>();
  for (const { name, upstream } of lines.all) {
    stages.set(name, { upstream, proxy: proxies.get(name) as FaultProxy, random }); // one was started for each
  }
  const broken = await breakThings(stages, random, only, going, report);
  await Promise.all(clients);
  await pulse.stop();
  if (product.child.exit !== undefined) {
    return { figures: { seed }, problems: [`the product ended: ${product.child.output().slice(-2_000)}`] };
  }

  // Ends every fault before the final checks.
  for (const { upstream, proxy } of stages.values()) {
    upstream.child.signal("SIGCONT");
    proxy.heal();
  }
  await assertIntact(lines);
  const after = {
    descriptors: descriptors(product.pid),
    threads: threads(product.pid),
    rss: residentBytes(product.pid),
  };
  const figures = await figuresOf(lines);
  if (after.descriptors > before.descriptors + ALL_CLIENTS) {
    problem(`${after.descriptors} descriptors after ${before.descriptors}: ${descriptorTargets(product.pid)}`);
  }
  // A runtime starts threads of its own when it first needs them.
  if (after.threads > before.threads + 4) problem(`${after.threads} threads after ${before.threads}`);
  await assertStops(lines);
  const { ends, codes, problems } = await judge(lines);
  return {
    figures: {
      seed,
      seconds: Math.round(ms / 1_000),
      faults: broken,
      requests: requestedOn(lines),
      ...ends,
      ...codes,
      "latest answer ms": Math.round(Math.max(...lines.all.map(({ ledger }) => ledger.latestMs))),
      "rss MiB": `${mebibytes(before.rss)} to ${mebibytes(after.rss)}`,
      descriptors: `${before.descriptors} to ${after.descriptors}`,
      threads: `${before.threads} to ${after.threads}`,
      ...figures,
    },
    problems,
  };
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
