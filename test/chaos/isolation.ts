/**
 * The proof of isolation: many clients with equal ids, which the greeting and the heartbeat have too, and an upstream
 * that replies shuffled, twice, late, and with forged and stale ids.
 *
 * No reply may reach another's request: each request carries its own number. A heartbeat that missed its reply would
 * cost the connection.
 */
import { call, intact, scene } from "../faults/scene.ts";
import { residentBytes } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import type { ChaosOptions, Findings } from "./chaos.ts";
import { mebibytes } from "./chaos.ts";
import { Ledger } from "./ledger.ts";
import { startUpstreamProcess } from "./upstream-process.ts";

const CLIENTS = 150;
const BATCH_AT_MOST = 40;
const SETTINGS = {
  limits: { in_flight: CLIENTS * BATCH_AT_MOST },
  greeting: [1, "beat"].flatMap((id) => [
    { send: call("login", [`login ${id}`], id) },
    { expect: { match: { "/id": id, "/result/0": `login ${id}` } } },
  ]),
  keepalive: {
    heartbeat: { send: call("beat", ["beat"]), every: "20ms", within: "30s", expect: { match: { "/id": 1 } } },
  },
};
/** Late replies take up to a second: some are in time, some reach nobody. */
const TIMEOUT_MS = 800;

export interface IsolationOptions extends Omit<ChaosOptions, "ms" | "only" | "lateMs"> {
  readonly requests: number;
}

export async function isolation({ seed, requests, t, report = () => {} }: IsolationOptions): Promise<Findings> {
  const upstream = await startUpstreamProcess({ seed, t });
  const here = await scene(t, upstream, SETTINGS);
  await here.product.ready();
  await upstream.mood({ answer: "mixed" });
  const before = residentBytes(here.product.pid);
  const ledger = new Ledger(() => 30_000);
  const began = performance.now();
  const client = async (random: () => number): Promise<void> => {
    while (ledger.requested < requests) {
      const batch = random() < 0.5 ? 1 + Math.floor(random() * BATCH_AT_MOST) : undefined;
      await ledger.request(here.product, { timeoutMs: TIMEOUT_MS, batch });
      if (ledger.requested % 10_000 < BATCH_AT_MOST) report(`${ledger.requested} of ${requests}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(seeded(seed + n))));
  const seconds = (performance.now() - began) / 1_000;
  const after = residentBytes(here.product.pid);
  const { counters } = await here.state();
  await upstream.mood({ answer: "echo" });
  await intact(here).catch((error: unknown) => ledger.problem(String(error)));
  const { configured, connections } = await upstream.stats();
  if (configured < 10) ledger.problem(`only ${configured} greetings and heartbeats were sent`);
  if (connections !== 1) ledger.problem(`${connections} connections: a heartbeat got no reply`);
  const { ends, codes, problems } = ledger.judge(await upstream.received());
  return {
    figures: {
      seed,
      requests: ledger.requested,
      ...ends,
      ...codes,
      "configured frames": configured,
      "requests per second": Math.round(ledger.requested / seconds),
      "rss MiB": `${mebibytes(before)} to ${mebibytes(after)}`,
      counters: JSON.stringify(counters),
    },
    problems: ends.reply > 0 ? problems : [...problems, "nothing was answered"],
  };
}
