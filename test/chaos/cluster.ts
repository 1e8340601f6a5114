/**
 * The chaos of a cluster: replicas as real processes under load, while they, their message servers, the ways between
 * them and the upstream are broken, drawn from one seed.
 *
 * The upstream's own record judges: no request comes twice, every `sent` is true, every reply is its caller's, and no
 * frame comes on a connection when there is a newer one. Every request ends in time. Readers at every replica read the
 * same messages under the same cursors, and a gap wherever one is missing. After the faults every replica is ready.
 */

import type { Runtime } from "../cluster/scene.ts";
import { freePort } from "../support/free-port.ts";
import { JetStream } from "../support/jetstream.ts";
import { seeded } from "../support/random.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import type { Findings } from "./chaos.ts";
import { mebibytes } from "./chaos.ts";
import { type ClusterFault, type ClusterStage, drawClusterFault } from "./cluster-faults.ts";
import { ChaosReader, MessageOrder, ReadLog } from "./cluster-readers.ts";
import { Replica } from "./cluster-replica.ts";
import { ChaosUpstream } from "./cluster-upstream.ts";
import { Ledger } from "./ledger.ts";

export interface ClusterChaosOptions {
  readonly seed: number;
  readonly ms: number;
  readonly t: Cleanup;
  /** The runtime of each replica. */
  readonly on: readonly Runtime[];
  /** How many message servers there are: three need nats-server 2.10. */
  readonly servers?: 1 | 3;
  /** Drawn by default. */
  readonly leaseMs?: number;
  /** The longest timeout of a request. */
  readonly longestMs?: number;
  /** Only faults whose name contains this. */
  readonly only?: string;
  readonly report?: (text: string) => void;
}

/** Callers at each replica at once. */
const CLIENTS = 6;
const LONGEST_MS = 5_000;
/** The share of requests that are large, as are their replies: they go through the message server in chunks. */
const LARGE = 0.03;
const LARGE_BYTES = 900_000;
const LEASES_MS: readonly number[] = [1_000, 1_500, 3_000];
/** How far a response may exceed its deadline, on a machine that is not busy. */
const LATE_MS = 1_000;
/** How soon after the last fault every replica is ready, and its readers have all messages. */
const READY_WITHIN_MS = 15_000;
const READ_WITHIN_MS = 10_000;
/** The most faults between two times without any. */
const ROUND = 8;
/** How often two things are broken at once. */
const TOGETHER = 0.35;
/** Callers and readers keep their connections, some for a while after they left; some belong to the runtimes. */
const SETTLED_WITHIN_MS = 15_000;
const SPARE_DESCRIPTORS = 2 * CLIENTS + 8;
const SPARE_MIB = 150;

export async function clusterChaos(options: ClusterChaosOptions): Promise<Findings> {
  return await (await Run.start(options)).toItsEnd();
}

class Run {
  readonly #options: ClusterChaosOptions;
  readonly #stage: ClusterStage;
  readonly #ledger: Ledger;
  readonly #problem: (text: string) => void;
  readonly #lag = new Lag();
  readonly #order: MessageOrder;
  readonly #readers: readonly ChaosReader[];
  readonly #faults: Record<string, number> = {};
  readonly #readyMs: number[] = [];
  readonly #draw: () => number;
  #isGoing = true;

  private constructor(
    options: ClusterChaosOptions,
    stage: ClusterStage,
    ledger: Ledger,
    problem: (text: string) => void,
  ) {
    this.#options = options;
    this.#stage = stage;
    this.#ledger = ledger;
    this.#problem = problem;
    this.#order = new MessageOrder(problem);
    const { replicas } = stage;
    const random = seeded(options.seed + 2);
    this.#draw = random;
    const readerAt = (name: string, pick: () => Replica) =>
      new ChaosReader(new ReadLog(name, this.#order, problem), pick, problem);
    this.#readers = [
      ...replicas.map((replica) => readerAt(`the reader at ${replica.name}`, () => replica)),
      readerAt("the reader of all", () => replicas[Math.floor(random() * replicas.length)] as Replica),
    ];
  }

  static async start(options: ClusterChaosOptions): Promise<Run> {
    const { seed, t, on } = options;
    const random = seeded(seed);
    const drawnMs = LEASES_MS[Math.floor(random() * LEASES_MS.length)] as number;
    const { leaseMs = drawnMs } = options;
    const ledger = new Ledger(() => LATE_MS);
    const problem = (text: string) => {
      options.report?.(`NOT OK: ${text}`);
      ledger.problem(text);
    };
    const servers = await startServers(t, options.servers ?? 1);
    const upstream = await ChaosUpstream.start({ t, random: seeded(seed + 1), problem });
    const config = (urls: readonly string[], index: number) => ({
      cluster: { servers: urls, name: "chaos", lease: `${leaseMs}ms`, replicas: servers.length },
      upstreams: {
        default: {
          url: upstream.url,
          protocol: "json-rpc",
          headers: { "x-replica": String(index) },
          reconnect: { from: "20ms", to: "500ms", refused: "500ms" },
          messages: { count: 5_000, bytes: "1MiB" },
        },
      },
    });
    const ports = servers.map(({ port }) => port);
    const replicas = await Promise.all(
      on.map((runtime, index) => Replica.start({ t, index, on: runtime, ports, config, problem })),
    );
    const stage = { replicas, servers, upstream, leaseMs, random };
    await allReady(replicas);
    return new Run(options, stage, ledger, problem);
  }

  #report(text: string): void {
    this.#options.report?.(text);
  }

  async toItsEnd(): Promise<Findings> {
    const { replicas, upstream } = this.#stage;
    const before = replicas.map(({ holdings }) => holdings);
    const clients = replicas.flatMap((replica) =>
      Array.from({ length: CLIENTS }, (_, n) => this.#client(replica, seeded(this.#options.seed + 10 * n + 3))),
    );
    await this.#break();
    upstream.isPrompt = true;
    const served = this.#ledger.replies;
    await Promise.all(replicas.map((replica) => this.#request(replica, 20_000)));
    if (this.#ledger.replies < served + replicas.length) this.#problem("a fresh request got no reply");
    this.#isGoing = false;
    await Promise.all(clients);
    await Promise.all(this.#readers.map((reader) => reader.stop()));
    const after = await this.#holdings(before);
    // The ends in order, one after the other, as a rolling restart has them.
    for (const replica of replicas) await replica.exit();
    this.#lag.stop();
    return this.#findings(before, after);
  }

  async #break(): Promise<void> {
    const { random, leaseMs } = this.#stage;
    const end = performance.now() + this.#options.ms;
    do {
      const count = 1 + Math.floor(random() * ROUND);
      for (let n = 0; n < count && performance.now() < end; n++) {
        await this.#breakOnce();
        await delay(random() * leaseMs * (random() < 0.3 ? 3 : 0.5));
      }
      await this.#calm();
    } while (performance.now() < end);
  }

  async #breakOnce(): Promise<void> {
    const { random } = this.#stage;
    const draw = () => drawClusterFault(this.#options.only ?? "", this.#stage);
    const first = draw();
    const second = draw();
    const [isTogether, afterMs] = [random() < TOGETHER, random() * 1_500];
    const isApart = second.targets.every((target) => !first.targets.includes(target));
    await Promise.all([
      this.#carryOut(first),
      isTogether && isApart && delay(afterMs).then(() => this.#carryOut(second)),
    ]);
    for (const replica of this.#stage.replicas) replica.assertAlive();
  }

  async #carryOut(fault: ClusterFault & { readonly name: string }): Promise<void> {
    this.#faults[fault.name] = (this.#faults[fault.name] ?? 0) + 1;
    this.#report(`${fault.name} ${fault.text}`.trim());
    await fault.run().catch((error: unknown) => this.#problem(`${fault.name} ${fault.text}: ${error}`));
  }

  /** Nothing is broken: every replica is ready soon, and then has every message. */
  async #calm(): Promise<void> {
    const { replicas, upstream } = this.#stage;
    const began = performance.now();
    await allReady(replicas, READY_WITHIN_MS).catch((error: Error) => this.#problem(error.message));
    this.#readyMs.push(performance.now() - began);
    upstream.tell();
    const last = upstream.told;
    for (const { log } of this.#readers)
      await until(() => log.last >= last, {
        within: READ_WITHIN_MS,
        what: () => `${log.name} to read message ${last}; it has ${log.last}`,
      }).catch((error: Error) => this.#problem(error.message));
    this.#report(`ready after ${Math.round(this.#readyMs.at(-1) ?? 0)} ms`);
  }

  /** Requests in a loop, with any timeout, alone or in a batch, some of which are left. */
  async #client(replica: Replica, random: () => number): Promise<void> {
    const { longestMs = LONGEST_MS } = this.#options;
    while (this.#isGoing) {
      const timeoutMs = Math.round(100 + random() ** 2 * longestMs);
      const batch = random() < 0.1 ? 1 + Math.floor(random() * 5) : undefined;
      const leaveAfterMs = random() < 0.03 ? Math.round(random() * 50) : undefined;
      if (replica.isUp) await this.#request(replica, timeoutMs, batch, leaveAfterMs);
      await delay(20 + random() * 100);
    }
  }

  async #request(replica: Replica, timeoutMs: number, batch?: number, leaveAfterMs?: number): Promise<void> {
    const { generation, stoppedMs, product } = replica;
    const padding = this.#draw() < LARGE && batch === undefined ? "x".repeat(this.#draw() * LARGE_BYTES) : "";
    const post = (path: string, body: unknown, init?: RequestInit) =>
      product.post(path, padding === "" ? body : `${String(body).slice(0, -1)},"padding":"${padding}"}`, init);
    await this.#ledger.request(
      { post },
      {
        timeoutMs,
        batch,
        leaveAfterMs,
        graceMs: () => LATE_MS + replica.stoppedMs - stoppedMs + 2 * this.#lag.recentMs,
        mayBreak: (why) => replica.mayBreak(generation, why),
        by: replica.name,
      },
    );
  }

  async #holdings(before: readonly Replica["holdings"][]): Promise<readonly Replica["holdings"][]> {
    const { replicas } = this.#stage;
    for (const [index, replica] of replicas.entries()) {
      const { descriptors = 0, rss = 0 } = before[index] ?? {};
      await replica.settled(descriptors + SPARE_DESCRIPTORS, SETTLED_WITHIN_MS);
      const now = replica.holdings;
      if (now.descriptors > descriptors + SPARE_DESCRIPTORS)
        this.#problem(`${replica.name} has ${now.descriptors} descriptors after ${descriptors}`);
      const grownMib = mebibytes(now.rss - rss);
      if (grownMib > SPARE_MIB) this.#problem(`${replica.name} has grown by ${grownMib} MiB`);
    }
    return replicas.map(({ holdings }) => holdings);
  }

  #findings(before: readonly Replica["holdings"][], after: readonly Replica["holdings"][]): Findings {
    const { upstream, leaseMs, replicas, servers } = this.#stage;
    const { seed, ms } = this.#options;
    const { ends, codes, problems } = this.#ledger.judge(upstream.received);
    const pairs = (of: (holdings: Replica["holdings"]) => number) =>
      replicas.map(({ on }, n) => `${on} ${[before, after].map((all) => of(all[n] as Replica["holdings"])).join("-")}`);
    return {
      figures: {
        seed,
        "lease ms": leaseMs,
        "message servers": servers.length,
        seconds: Math.round(ms / 1_000),
        faults: JSON.stringify(this.#faults),
        requests: this.#ledger.requested,
        ...ends,
        codes: JSON.stringify(codes),
        connections: upstream.connections,
        "frames of a replaced owner": upstream.overtaken,
        "latest answer ms": Math.round(this.#ledger.latestMs),
        "ready after ms": `${this.#readyMs.map(Math.round).join(", ")}`,
        messages: upstream.told,
        entries: this.#order.size,
        readers: this.#readers.map(({ log }) => `${log.last} with ${log.missing} missing in gaps`).join(", "),
        pages: this.#readers.map(({ pages, refused }) => `${pages} and ${refused} refused`).join(", "),
        descriptors: pairs(({ descriptors }) => descriptors).join(", "),
        "rss MiB": pairs(({ rss }) => mebibytes(rss)).join(", "),
      },
      problems,
    };
  }
}

async function allReady(replicas: readonly Replica[], within = READY_WITHIN_MS): Promise<void> {
  await Promise.all(
    replicas.map((replica) =>
      until(() => replica.isReady(), {
        within,
        every: 20,
        what: () => `${replica.name} to be ready: ${replica.product.stderr().slice(-1_000)}`,
      }),
    ),
  );
}

async function startServers(t: Cleanup, count: 1 | 3): Promise<readonly JetStream[]> {
  if (count === 1) return [await JetStream.start({ t })];
  const routes = await Promise.all([freePort(), freePort(), freePort()]);
  const urls = routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return await Promise.all(
    routes.map((port, index) => {
      const cluster = `cluster { name: chaos, listen: "127.0.0.1:${port}", routes: [${urls}] }`;
      return JetStream.start({ t, lines: [`server_name: s${index}`, cluster] });
    }),
  );
}

/** How late this process's own timers are: the callers are as late. */
class Lag {
  readonly #recent: number[] = [];
  #at = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#recent.push(Math.max(0, now - this.#at - EVERY_MS));
      if (this.#recent.length > KEPT) this.#recent.shift();
      this.#at = now;
    }, EVERY_MS);
  }

  get recentMs(): number {
    return Math.max(0, ...this.#recent);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const EVERY_MS = 50;
const KEPT = 100;
