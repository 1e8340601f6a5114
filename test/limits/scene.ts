/** The scene of the limits: the service in a small heap, an upstream, and a watcher in a process of its own. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Child } from "../support/child.ts";
import { residentBytes } from "../support/proc.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { probed, probedThread, type Turn, watchTurns } from "../support/turns.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamOptions } from "../support/upstream.ts";

export const MIB = 1024 * 1024;

/** The most that the process may need: its heap, what lies beside it, and its code. */
const RESIDENT_MAX = 900 * MIB;
/** The bound on half of the probes, and on each of them: the machine runs other tests beside, which may take a second. */
const PROBE_MS = 100;
/** The least number of probes of an attack, which goes on until then: the median of a few says nothing. */
const PROBES_MIN = 20;
const SLOWEST_PROBE_MS = 5_000;
/** The bound on a turn of the main thread, in processor time: so that it holds on a busy machine, too. */
const MAIN_TURN_MS = 200;
/** How soon the memory must be free again after the attack. */
const FREE_WITHIN_MS = 10_000;

/** The watcher's findings since it was last asked. */
export interface Watched {
  readonly probes: number;
  /** Milliseconds of half of the probes, and of the slowest one. */
  readonly median: number;
  readonly slowest: number;
  /** Right replies to honest requests, and what else came. */
  readonly served: number;
  readonly failed: readonly string[];
  /** Milliseconds of half of the right replies, and of all but a hundredth, by upstream. */
  readonly calls: Readonly<Record<string, { readonly median: number; readonly p99: number }>>;
  /** The most resident memory. */
  readonly resident: number;
}

interface Memory {
  readonly limit_bytes: number;
  readonly held_bytes: number;
  readonly accounts: Readonly<Record<string, number>>;
  readonly refuses: string;
}

export interface Scene {
  readonly product: Product;
  readonly upstream: Upstream;
  memory(): Promise<Memory>;
  /** @param probes the least number of them that the findings must have */
  watched(probes?: number): Promise<Watched>;
  /** Opens a connection that sends this, and reads nothing unless it is told to. */
  client(text: string): Promise<Socket>;
  /**
   * Asserts that the service has borne the attack: it lives, answers, serves others, and stops within its bound.
   * @param over ends the attack; within ten seconds nothing may be held any more
   * @param turnMs the longest turn of the main thread, if it is another than for most
   */
  borne(over: () => void, kept?: readonly string[], turnMs?: number): Promise<void>;
}

export async function startScene(
  t: Cleanup & { diagnostic(text: string): void },
  options: UpstreamOptions = {},
  config: Config = {},
  settings: Config = {},
  {
    args = [],
    token,
    watch = [],
  }: { readonly args?: readonly string[]; readonly token?: string; readonly watch?: readonly string[] } = {},
): Promise<Scene> {
  const upstream = await startUpstream({ ...options, t });
  const upstreams = { default: { url: upstream.url, ...probedThread, ...settings } };
  const product = await startProduct({ config: { upstreams, ...config }, args, t, ...probed });
  await product.ready();
  const [command = "", ...watching] =
    runtime === "node"
      ? [nodePath(), join(root, "build", "test", "limits", "watcher.js")]
      : [denoPath(), "run", "--quiet", "--allow-all", "--no-check", join(root, "test", "limits", "watcher.ts")];
  const watcher = await Child.start({
    command,
    args: [...watching, product.url, String(product.pid), token ?? "", ...watch],
    t,
  });
  const port = await watcher.until(() => /^(\d+)\n/.exec(watcher.stdout)?.[1], { within: 20_000, what: "its port" });
  const watched = async (probes = 0): Promise<Watched> =>
    (await (await fetch(`http://127.0.0.1:${port}?probes=${probes}`)).json()) as Watched;
  await until(async () => (await watched()).served > 0, { what: "the first honest reply" });
  const turns = watchTurns(product);
  const sockets = new Set<Socket>();
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
  });
  const memory = async (): Promise<Memory> => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await product.fetch("/v1/upstreams", { headers });
    return ((await response.json()) as { readonly memory: Memory }).memory;
  };
  return {
    product,
    upstream,
    memory,
    watched,
    client(text) {
      return new Promise((resolve, reject) => {
        const socket = connect(product.port, "127.0.0.1", () => {
          socket.write(text.replaceAll(HOST, `Host: 127.0.0.1:${product.port}`));
          resolve(socket);
        });
        socket.pause();
        socket.once("error", reject);
        socket.once("connect", () => socket.off("error", reject).on("error", () => {}));
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
    },
    async borne(over, kept = [], turnMs = MAIN_TURN_MS) {
      const during = await watched(PROBES_MIN);
      t.diagnostic(JSON.stringify({ ...during, resident: `${Math.round(during.resident / MIB)} MB` }));
      t.diagnostic(JSON.stringify(await memory()));
      t.diagnostic(`longest turns: ${JSON.stringify(longestTurns(turns.longest()))}`);
      over();
      const began = performance.now();
      await until(
        async () => {
          const { accounts } = await memory();
          return Object.entries(accounts).every(([account, held]) => kept.includes(account) || held < MIB);
        },
        { within: FREE_WITHIN_MS, every: 100, what: "the memory to be free" },
      );
      const after = Math.round(residentBytes(product.pid) / MIB);
      t.diagnostic(`free after ${Math.round(performance.now() - began)} ms, ${after} MB resident`);
      assert.ok(during.probes >= PROBES_MIN && during.served > 0, JSON.stringify(during));
      assert.deepEqual(during.failed, [], "others are served");
      assert.ok(during.median < PROBE_MS, `half of /livez took ${during.median} ms`);
      assert.ok(during.slowest < SLOWEST_PROBE_MS, `/livez took ${during.slowest} ms`);
      turns.assertShort(turnMs, "main");
      assert.ok(during.resident < RESIDENT_MAX, `${Math.round(during.resident / MIB)} MB resident`);
      assert.equal(product.child.exit, undefined, "it lives");
      const { restarts } = countRestarts(product);
      assert.equal(restarts, 0, "no thread was restarted");
    },
  };
}

/** The longest turn of each thread, and how many took more than 20 ms. */
function longestTurns(turns: readonly Turn[]): Readonly<Record<string, readonly number[]>> {
  const of = (thread: Turn["turn"]) => turns.filter(({ turn }) => turn === thread).map(({ ms }) => ms);
  return {
    main: of("main")
      .sort((a, b) => b - a)
      .slice(0, 8),
    thread: of("thread")
      .sort((a, b) => b - a)
      .slice(0, 8),
  };
}

function countRestarts(product: Product): { readonly restarts: number } {
  return { restarts: product.stderr().split("the sidecar's thread died").length - 1 };
}

/** Stands in a request for the header that the service demands. */
export const HOST = "Host: …";

/** An HTTP request as text. */
export function requestText(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { "Content-Type": "application/json", "Content-Length": String(body.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${HOST}\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}

export const REQUEST = "/v1/upstreams/default/request";

export function rpc(id: number | string, method: string, ...params: readonly unknown[]): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}
