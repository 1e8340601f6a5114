/** Faults of a chaos run: each is drawn at random, begins, and is healed after a while. */
import { Buffer } from "node:buffer";
import type { FaultProxy } from "../faults/proxy.ts";
import { violations } from "../faults/violations.ts";
import type { UpstreamProcess } from "./upstream-process.ts";

export interface Stage {
  readonly proxy: FaultProxy;
  readonly upstream: UpstreamProcess;
  readonly random: () => number;
}

/** Begins the fault; the returned function ends it. */
export type Fault = (stage: Stage) => Promise<() => Promise<void>>;

const CLOSE_CODES: readonly number[] = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
  ...[3000, 4000, 4401, 4403, 4999],
];

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T; // random is below 1
}

const nothing = async (): Promise<void> => {};

/** Impairs the proxy in one direction or in both, until it is healed. */
const toxic =
  (toxics: (random: () => number) => Parameters<FaultProxy["up"]["set"]>[0]): Fault =>
  async ({ proxy, random }) => {
    const set = toxics(random);
    const sides = pick([["up"], ["down"], ["up", "down"]] as const, random);
    for (const side of sides) proxy[side].set(set);
    return async () => proxy.heal();
  };

const mood =
  (answer: string): Fault =>
  async ({ upstream }) => {
    await upstream.mood({ answer });
    return () => upstream.mood({ answer: "mixed" });
  };

/** Sets how the next connections are received, and breaks the present one so that there are some. */
const reception =
  (handshake: Parameters<UpstreamProcess["mood"]>[0]["handshake"] & object): Fault =>
  async ({ upstream, proxy }) => {
    await upstream.mood({ answer: "mixed", handshake });
    proxy.reset();
    return () => upstream.mood({ answer: "mixed" });
  };

const faults: ReadonlyMap<string, Fault> = new Map<string, Fault>([
  [
    "reset",
    async ({ proxy }) => {
      proxy.reset();
      return nothing;
    },
  ],
  [
    "upstream resets",
    async ({ upstream }) => {
      await upstream.carryOut({ do: "reset" });
      return nothing;
    },
  ],
  [
    "upstream ends TCP",
    async ({ upstream }) => {
      await upstream.carryOut({ do: "end" });
      return nothing;
    },
  ],
  [
    "half-close",
    async ({ proxy, random }) => {
      proxy.halfClose(pick(["up", "down"], random));
      return nothing;
    },
  ],
  [
    "refused connections",
    async ({ proxy }) => {
      await proxy.refuse();
      proxy.reset();
      return () => proxy.listen();
    },
  ],
  ["latency", toxic((random) => ({ delayMs: 20 + random() * 600 }))],
  ["thin line", toxic((random) => ({ bytesPerSecond: 2_000 + random() * 50_000 }))],
  ["black hole", toxic(() => ({ blackHole: true }))],
  [
    "cut after some bytes",
    toxic((random) => ({ cutAfterBytes: random() * 20_000, cutBy: pick(["fin", "reset"], random) })),
  ],
  [
    "stopped upstream",
    async ({ upstream }) => {
      upstream.child.signal("SIGSTOP");
      return async () => {
        upstream.child.signal("SIGCONT");
      };
    },
  ],
  [
    "restart",
    async ({ upstream, random }) => {
      await upstream.carryOut({ do: "restart", ms: random() * 300 });
      return nothing;
    },
  ],
  [
    "close code",
    async ({ upstream, random }) => {
      await upstream.carryOut({ do: "close", code: pick(CLOSE_CODES, random), reason: "as drawn" });
      return nothing;
    },
  ],
  [
    "forbidden frame",
    async ({ upstream, random }) => {
      await upstream.carryOut({ do: "violate", name: pick([...violations.keys()], random) });
      return nothing;
    },
  ],
  [
    "random bytes",
    async ({ upstream, random }) => {
      const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * 256));
      await upstream.carryOut({ do: "raw", hex: Buffer.from(bytes).toString("hex") });
      return nothing;
    },
  ],
  [
    "flood",
    async ({ upstream, random }) => {
      await upstream.carryOut({
        do: "flood",
        count: Math.floor(random() * 5_000),
        bytes: Math.floor(random() * 1_000),
      });
      return nothing;
    },
  ],
  [
    "flood of pings",
    async ({ upstream, random }) => {
      await upstream.carryOut({ do: "pings", count: Math.floor(random() * 2_000) });
      return nothing;
    },
  ],
  [
    "upstream does not read",
    async ({ upstream, random }) => {
      await upstream.carryOut({ do: "pause", ms: 100 + random() * 1_000 });
      return nothing;
    },
  ],
  [
    "unanswered pings",
    async ({ upstream }) => {
      await upstream.mood({ answer: "mixed", mute: true });
      return () => upstream.mood({ answer: "mixed" });
    },
  ],
  ["fuzzed texts", mood("fuzzed")],
  ["no replies", mood("never")],
  ["late replies", mood("late")],
  ["repeated replies", mood("repeated")],
  ["shuffled replies", mood("shuffled")],
  ["forged replies", mood("forged")],
  ["fragments", mood("fragments")],
  ["binary frames", mood("binary")],
  ["errors without id", mood("without id")],
  ["upgrade answered with 503", reception({ do: "refuse", status: 503 })],
  ["upgrade answered with 401", reception({ do: "refuse", status: 401 })],
  ["silent handshake", reception({ do: "silent" })],
  ["dripping handshake", reception({ do: "drip", everyMs: 50, forever: true })],
  ["wrong accept key", reception({ do: "wrong-key" })],
]);

/** Draws a fault whose name contains the text; an empty text selects all. */
export function drawFault(only: string, random: () => number): readonly [name: string, fault: Fault] {
  const among = [...faults].filter(([name]) => name.includes(only));
  if (among.length === 0) throw new Error(`unknown fault "${only}" (known: ${[...faults.keys()].join(", ")})`);
  return pick(among, random);
}
