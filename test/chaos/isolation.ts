/**
 * The proof of isolation: many clients with equal ids, which the greeting, the heartbeat and a subscription have too,
 * and upstreams of every dialect that reply shuffled, in bundles, in several frames, twice, late, and with forged and
 * stale ids.
 *
 * No reply may reach another's request: each request carries its own number. A heartbeat that missed its reply would
 * cost the connection, and a tick that was lost or came twice is found by its number.
 */
import { call } from "../faults/scene.ts";
import { residentBytes } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import type { ChaosOptions, Findings } from "./chaos.ts";
import { mebibytes } from "./chaos.ts";
import type { DialectName } from "./dialects.ts";
import { assertIntact, assertStops, figuresOf, judge, type Line, requestedOn, startLines } from "./lines.ts";

/** The lane has one request in flight, for which the others wait within their deadlines. */
const CLIENTS: Readonly<Record<DialectName, number>> = { rpc: 40, bundles: 40, parts: 80, lane: 8 };
const BATCH_AT_MOST = 40;
/** Late replies take up to a second: some are in time, some reach nobody. */
const TIMEOUT_MS = 800;

/** Frames of the configuration with the ids that callers use. */
const CONFIGURED = {
  greeting: [1, "beat"].flatMap((id) => [
    { send: call("login", [`login ${id}`], id) },
    { expect: { match: { "/id": id, "/result/0": `login ${id}` } } },
  ]),
  keepalive: {
    heartbeat: { send: call("beat", ["beat"]), every: "20ms", within: "30s", expect: { match: { "/id": 1 } } },
  },
};

function settings(name: DialectName) {
  const limits = { in_flight: CLIENTS[name] * BATCH_AT_MOST };
  return name === "rpc" || name === "bundles" ? { limits, ...CONFIGURED } : { limits };
}

export interface IsolationOptions extends Omit<ChaosOptions, "ms" | "only" | "lateMs"> {
  readonly requests: number;
}

export async function isolation({ seed, requests, t, report = () => {} }: IsolationOptions): Promise<Findings> {
  const lines = await startLines({ t, seed, settings, graceMs: () => 30_000, lossless: true });
  const before = residentBytes(lines.product.pid);
  const began = performance.now();
  let reported = 0;
  const client = async ({ dialect, ledger }: Line, random: () => number): Promise<void> => {
    while (requestedOn(lines) < requests) {
      const inBatch = dialect.batchAtMost > 1 && random() < 0.5;
      const batch = inBatch ? 1 + Math.floor(random() * BATCH_AT_MOST) : undefined;
      await ledger.request(lines.product, { timeoutMs: TIMEOUT_MS, batch });
      if (requestedOn(lines) < reported + 10_000) continue;
      reported = requestedOn(lines);
      report(`${reported} of ${requests}`);
    }
  };
  await Promise.all(
    lines.all.flatMap((line) => Array.from({ length: CLIENTS[line.name] }, (_, n) => client(line, seeded(seed + n)))),
  );
  const seconds = (performance.now() - began) / 1_000;
  const after = residentBytes(lines.product.pid);
  await assertIntact(lines);
  const figures = await figuresOf(lines);
  for (const { name, ledger, upstream } of lines.all) {
    const { configured, connections } = await upstream.stats();
    if (configured < 10 && "keepalive" in settings(name)) {
      ledger.problem(`only ${configured} greetings and heartbeats were sent`);
    }
    if (connections !== 1) ledger.problem(`${connections} connections: a heartbeat or a reply was missed`);
  }
  await assertStops(lines);
  const { ends, codes, problems } = await judge(lines);
  return {
    figures: {
      seed,
      requests: requestedOn(lines),
      ...ends,
      ...codes,
      "requests per second": Math.round(requestedOn(lines) / seconds),
      "rss MiB": `${mebibytes(before)} to ${mebibytes(after)}`,
      ...figures,
    },
    problems,
  };
}
