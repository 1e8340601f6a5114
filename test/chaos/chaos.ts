/**
 * The chaos run: the product under load behind a proxy, while one thing after the other is broken, drawn from one seed.
 *
 * It checks the invariants meanwhile and afterwards: every request ends once and in time (I1), with its own reply (I2);
 * nothing stays behind (I3); it goes on serving (I4); nothing is unhandled and no secret leaks (I5).
 */
import { startProxy } from "../faults/proxy.ts";
import { assertQuiet, type Scene, scene } from "../faults/scene.ts";
import { descriptors, descriptorTargets, residentBytes, threads } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { drawFault, type Stage } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { Pulse } from "./pulse.ts";
import { startUpstreamProcess } from "./upstream-process.ts";

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

const CLIENTS = 40;
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
async function client(here: Scene, ledger: Ledger, random: () => number, going: () => boolean): Promise<void> {
  while (going()) {
    const timeoutMs = Math.round(100 + random() ** 2 * 2_500);
    const batch = random() < 0.2 ? 1 + Math.floor(random() * 8) : undefined;
    const leaveAfterMs = random() < 0.03 ? Math.round(random() * 50) : undefined;
    await ledger.request(here.product, { timeoutMs, batch, leaveAfterMs });
    await delay(random() * 40);
  }
}

async function breakThings(
  stage: Stage,
  only: string,
  going: () => boolean,
  report: (text: string) => void,
): Promise<number> {
  let broken = 0;
  while (going()) {
    const [name, fault] = drawFault(only, stage.random);
    const lasting = stage.random() * FAULT_MS;
    report(name);
    const heal = await fault(stage);
    broken += 1;
    await delay(lasting);
    await heal();
    await delay(stage.random() * PEACE_MS);
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
  const upstream = await startUpstreamProcess({ seed, t });
  const proxy = await startProxy({ to: upstream.port, t });
  const here = await scene(t, proxy, SETTINGS);
  const { product } = here;
  await product.ready();
  await upstream.mood({ answer: "mixed" });

  const end = performance.now() + ms;
  const going = (): boolean => performance.now() < end && product.child.exit === undefined;
  const ledger: Ledger = new Ledger(() => lateMs + 2 * pulse.slackMs);
  const pulse = new Pulse(product, (why) => ledger.problem(why));
  const clients = Array.from({ length: CLIENTS }, (_, n) => client(here, ledger, seeded(seed + n + 1), going));
  // The connections of clients and upstreams are open by now: later additions must be gone at the end.
  await delay(Math.min(1_000, ms / 4));
  const before = {
    descriptors: descriptors(product.pid),
    threads: threads(product.pid),
    rss: residentBytes(product.pid),
  };
  const broken = await breakThings({ proxy, upstream, random }, only, going, report);
  await Promise.all(clients);
  await pulse.stop();
  if (product.child.exit !== undefined) {
    return { figures: { seed }, problems: [`the product ended: ${product.child.output().slice(-2_000)}`] };
  }
  const problem = (text: string): void => ledger.problem(text);

  // Ends every fault before the final checks.
  upstream.child.signal("SIGCONT");
  proxy.heal();
  await upstream.mood({ answer: "echo" });
  await product.ready(30_000).catch((error: unknown) => problem(`not ready again: ${error}`));
  const fresh = await here.rpc("echo", ["fresh"]);
  if (fresh.status !== 200) problem(`a fresh request got ${fresh.status}: ${await fresh.text()}`);
  await until(async () => (await here.state()).in_flight === 0, { what: "nothing to be in flight" }).catch(
    (error: unknown) => problem(String(error)),
  );
  const after = {
    descriptors: descriptors(product.pid),
    threads: threads(product.pid),
    rss: residentBytes(product.pid),
  };
  const { counters } = await here.state();
  if (after.descriptors > before.descriptors + CLIENTS) {
    problem(`${after.descriptors} descriptors after ${before.descriptors}: ${descriptorTargets(product.pid)}`);
  }
  // A runtime starts threads of its own when it first needs them.
  if (after.threads > before.threads + 4) problem(`${after.threads} threads after ${before.threads}`);
  const { code } = await product.stop();
  if (code !== 0) problem(`SIGTERM ended the service with ${code}`);
  try {
    assertQuiet(product);
  } catch (error) {
    problem((error as Error).message);
  }
  const { connections } = await upstream.stats();
  const { ends, codes, problems } = ledger.judge(await upstream.received());
  return {
    figures: {
      seed,
      seconds: Math.round(ms / 1_000),
      faults: broken,
      requests: ledger.requested,
      ...ends,
      ...codes,
      connections,
      "latest answer ms": Math.round(ledger.latestMs),
      "rss MiB": `${mebibytes(before.rss)} to ${mebibytes(after.rss)}`,
      descriptors: `${before.descriptors} to ${after.descriptors}`,
      threads: `${before.threads} to ${after.threads}`,
      counters: JSON.stringify(counters),
    },
    problems,
  };
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
