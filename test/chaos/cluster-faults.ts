/** Faults of a cluster, each with the durations that matter to the lease. */

import type { Toxics } from "../faults/lane.ts";
import type { JetStream } from "../support/jetstream.ts";
import { delay } from "../support/until.ts";
import type { Replica } from "./cluster-replica.ts";
import type { ChaosUpstream } from "./cluster-upstream.ts";

export interface ClusterStage {
  readonly replicas: readonly Replica[];
  readonly servers: readonly JetStream[];
  readonly upstream: ChaosUpstream;
  readonly leaseMs: number;
  readonly random: () => number;
}

/** Draws a fault's target and its times at once, so that a seed draws the same whatever else goes on. */
export interface ClusterFault {
  /** Things that nothing else may break meanwhile. */
  readonly targets: readonly unknown[];
  readonly text: string;
  run(): Promise<void>;
}

type Draw = (stage: ClusterStage) => ClusterFault;

/** The message server is away for these times, in milliseconds. */
const OUTAGES_MS: readonly number[] = [300, 1_500, 8_000];

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T; // random is below 1
}

/** The owner as often as another. */
function replicaOf({ replicas, upstream, random }: ClusterStage): Replica {
  const drawn = pick(replicas, random);
  return random() < 0.5 ? (replicas[upstream.newest] ?? drawn) : drawn;
}

/** Times around the beats of a lease, its margin and its end, in milliseconds. */
function pauseOf({ leaseMs, random }: ClusterStage): number {
  const times = [200, (2.5 * leaseMs) / 6, (2 * leaseMs) / 3, leaseMs, leaseMs + 300, 2 * leaseMs, 8_000];
  return Math.round(pick(times, random) * (0.9 + 0.2 * random()));
}

/** A replica and all of its ways to the message servers. */
function targetsOf(replicas: readonly Replica[]): readonly unknown[] {
  return replicas;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

const killed: Draw = (stage) => {
  const replica = replicaOf(stage);
  const awayMs = stage.random() * 2 * stage.leaseMs;
  return {
    targets: targetsOf([replica]),
    text: `${replica.name} for ${seconds(awayMs)}`,
    async run() {
      await replica.kill();
      await delay(awayMs);
      await replica.begin();
    },
  };
};

const killedTogether: Draw = ({ replicas, random, leaseMs }) => {
  const first = Math.floor(random() * replicas.length);
  const chosen = replicas.filter(({ index }) => index !== first || random() < 0.5);
  const awayMs = random() * leaseMs;
  return {
    targets: targetsOf(chosen),
    text: `${chosen.map(({ name }) => name).join(", ")} for ${seconds(awayMs)}`,
    async run() {
      await Promise.all(chosen.map((replica) => replica.kill()));
      await delay(awayMs);
      await Promise.all(chosen.map((replica) => replica.begin()));
    },
  };
};

const stopped: Draw = (stage) => {
  const replica = replicaOf(stage);
  const ms = pauseOf(stage);
  return {
    targets: targetsOf([replica]),
    text: `${replica.name} for ${seconds(ms)}`,
    async run() {
      replica.stop();
      await delay(ms);
      replica.resume();
    },
  };
};

/** Stops and goes on several times: each time some of what waited is carried out. */
const stuttering: Draw = (stage) => {
  const replica = replicaOf(stage);
  const times = Array.from({ length: 4 }, () => [stage.random() * stage.leaseMs, stage.random() * 50] as const);
  return {
    targets: targetsOf([replica]),
    text: replica.name,
    async run() {
      for (const [stoppedMs, goingMs] of times) {
        replica.stop();
        await delay(stoppedMs);
        replica.resume();
        await delay(goingMs);
      }
    },
  };
};

const restarted: Draw = (stage) => {
  const replica = replicaOf(stage);
  return {
    targets: targetsOf([replica]),
    text: replica.name,
    async run() {
      await replica.exit();
      await replica.begin();
    },
  };
};

const rolling: Draw = ({ replicas }) => ({
  targets: targetsOf(replicas),
  text: "one after the other",
  async run() {
    for (const replica of replicas) {
      await replica.exit();
      await replica.begin();
    }
  },
});

/** A message server is away for a time. */
const serverAway =
  (leave: (server: JetStream) => Promise<void>, comeBack: (server: JetStream) => Promise<void>): Draw =>
  ({ servers, random }) => {
    const server = pick(servers, random);
    const ms = pick(OUTAGES_MS, random);
    return {
      targets: [server],
      text: seconds(ms),
      async run() {
        await leave(server);
        await delay(ms);
        await comeBack(server);
      },
    };
  };

const start = (server: JetStream) => server.start();

const upstreamCut: Draw = ({ upstream }) => ({
  targets: [upstream],
  text: "",
  async run() {
    upstream.cut();
  },
});

const upstreamClosed: Draw = ({ upstream }) => ({
  targets: [upstream],
  text: "",
  async run() {
    upstream.close();
  },
});

const upstreamAway: Draw = ({ upstream, random }) => {
  const ms = random() * 3_000;
  return {
    targets: [upstream],
    text: seconds(ms),
    async run() {
      upstream.isAway = true;
      upstream.cut();
      await delay(ms);
      upstream.isAway = false;
    },
  };
};

/** The way between one replica and the message servers is impaired in one direction, or in both. */
const impaired =
  (toxics: (random: () => number) => Toxics): Draw =>
  (stage) => {
    const replica = replicaOf(stage);
    const set = toxics(stage.random);
    const sides = pick([["up"], ["down"], ["up", "down"]] as const, stage.random);
    const ms = pauseOf(stage);
    return {
      targets: targetsOf([replica]),
      text: `${replica.name} ${sides.join(" and ")} ${JSON.stringify(set)} for ${seconds(ms)}`,
      async run() {
        for (const proxy of replica.proxies) for (const side of sides) proxy[side].set(set);
        await delay(ms);
        for (const proxy of replica.proxies) proxy.heal();
      },
    };
  };

/** The same, and its connections are gone as well. */
const cutOff: Draw = (stage) => {
  const replica = replicaOf(stage);
  const ms = pauseOf(stage);
  return {
    targets: targetsOf([replica]),
    text: `${replica.name} for ${seconds(ms)}`,
    async run() {
      for (const proxy of replica.proxies) {
        await proxy.refuse();
        proxy.reset();
      }
      await delay(ms);
      for (const proxy of replica.proxies) await proxy.listen();
    },
  };
};

const brokenOff: Draw = (stage) => {
  const replica = replicaOf(stage);
  return {
    targets: targetsOf([replica]),
    text: replica.name,
    async run() {
      for (const proxy of replica.proxies) proxy.reset();
    },
  };
};

const faults: readonly (readonly [name: string, weight: number, draw: Draw])[] = [
  ["killed", 3, killed],
  ["killed together", 1, killedTogether],
  ["stopped", 4, stopped],
  ["stuttering", 2, stuttering],
  ["restarted", 2, restarted],
  ["rolling restart", 1, rolling],
  ["message server killed", 2, serverAway((server) => server.kill(), start)],
  [
    "message server stopped",
    2,
    serverAway(
      (server) => server.pause(),
      async (server) => server.resume(),
    ),
  ],
  ["message server restarted", 1, serverAway((server) => server.end(), start)],
  ["upstream cuts", 1, upstreamCut],
  ["upstream closes", 1, upstreamClosed],
  ["upstream away", 1, upstreamAway],
  ["partition, silent", 3, impaired(() => ({ blackHole: true }))],
  ["partition, refused", 2, cutOff],
  ["connection reset", 1, brokenOff],
  ["slow way", 2, impaired((random) => ({ delayMs: Math.round(20 + random() * 1_500) }))],
  ["thin way", 1, impaired((random) => ({ bytesPerSecond: Math.round(2_000 + random() * 50_000) }))],
];

/** Draws a fault whose name contains the text; an empty text selects all. */
export function drawClusterFault(only: string, stage: ClusterStage): ClusterFault & { readonly name: string } {
  const among = faults.filter(([name]) => name.includes(only));
  const all = among.flatMap((fault) => Array.from({ length: fault[1] }, () => fault));
  if (all.length === 0) throw new Error(`unknown fault "${only}" (known: ${faults.map(([name]) => name).join(", ")})`);
  const [name, , draw] = pick(all, stage.random);
  return { ...draw(stage), name };
}
