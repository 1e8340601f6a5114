/**
 * The attack: all that the limits are for at once, for some minutes, with honest load beside it.
 *
 *   attack.ts MINUTES [PART OF A NAME]
 *
 * Prints what came of the honest requests, the memory and the threads; exits with 1 if something did not hold. With a
 * part of a name, only the attacks with such names run.
 */
import type { Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { MESSAGES } from "../support/messages.ts";
import { residentBytes } from "../support/proc.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { probedThread, type Turn, watchTurns } from "../support/turns.ts";
import { delay, until } from "../support/until.ts";
import { HOST, MIB, REQUEST, requestText, rpc, type Scene, startScene, type Watched } from "./scene.ts";

const [, , minutes = "1", part = ""] = process.argv;
const ATTACK_MS = Number(minutes) * 60_000;
const QUIET_MS = Math.min(30_000, ATTACK_MS);
/** The bound on the honest requests' p99, in times of the quiet one. */
const P99_TIMES = 5;
/** How much more than the budget may be held at once: what is alone in its account. */
const OVER_BUDGET = 64 * MIB;
/** How soon the memory must be free again after the attack. */
const FREE_WITHIN_MS = 10_000;
/** The accounts that keep what they hold: messages and replies are there to be fetched. */
const KEEPING = ["journals", "kept"];

const SUBSCRIPTIONS = "/v1/upstreams/default/subscriptions";
const RULES = Array.from({ length: 16 }, (_, n) => `where=${encodeURIComponent(`/v/k${n}`)}`).join("&");
const BATCH = `[${Array.from({ length: 1_000 }, (_, n) => rpc(n, "never")).join(",")}]`;
const ID = "i".repeat(900_000);

/** How often each status came, by attack; 0 is a connection that was cut. */
const statuses: Record<string, Record<number, number>> = {};

/** One round of each attack. A round that is refused has done its part. */
const ROUNDS: Readonly<
  Record<string, (scene: Scene, status: (request: Promise<Response>) => Promise<void>) => unknown>
> = {
  "batch of a megabyte of the smallest items": ({ product }, status) =>
    status(product.rpc(`[${"1,".repeat(500_000)}1]`)),
  "batch of a thousand with a long timeout": async ({ product }, status) => {
    const leaving = new AbortController();
    const held = status(product.post("/rpc?timeout=120s", BATCH, { signal: leaving.signal }));
    await delay(3_000);
    leaving.abort();
    await held;
  },
  "pick of 64 tokens from deep replies": ({ product }, status) =>
    status(product.post(`${REQUEST}?pick=/result${"/x".repeat(63)}`, rpc(1, "deep"))),
  "large replies of small values": ({ product }, status) => status(product.request(rpc(1, "large"))),
  "large replies that nobody reads": (scene) => holding(scene, requestText(REQUEST, rpc(1, "large")), 4),
  "half-sent bodies": (scene) =>
    holding(scene, requestText(REQUEST, "x".repeat(MIB / 2), { "Content-Length": String(MIB) }), 40),
  "requests of a megabyte that time out, with ids of a megabyte": async ({ product }, status) => {
    const headers = [{}, { prefer: "respond-async" }];
    const rounds = Array.from({ length: 8 }, (_, n) =>
      status(
        product.post(`${REQUEST}?timeout=2s`, rpc(ID, "never"), {
          headers: { "idempotency-key": `${n}-${Math.random()}`, ...headers[n % 2] },
        }),
      ),
    );
    await Promise.all(rounds);
    await delay(2_000);
  },
  "new keys, as many as there are": async ({ product }, status) => {
    const keyed = () =>
      status(product.request(rpc(1, "echo"), { headers: { "idempotency-key": String(Math.random()) } }));
    for (let n = 0; n < 50; n++) await Promise.all(Array.from({ length: 10 }, keyed));
    await delay(1_000);
  },
  "requests behind a long poll": (scene) => {
    const poll = `GET ${MESSAGES}?wait=5s&from=latest HTTP/1.1\r\n${HOST}\r\n\r\n`;
    return holding(scene, poll + `GET /livez HTTP/1.1\r\n${HOST}\r\n\r\n`.repeat(2_000), 2);
  },
  "pollers with sixteen rules on a full journal": async ({ product }, status) => {
    await status(product.request(rpc(1, "push")));
    await Promise.all(Array.from({ length: 10 }, () => status(product.fetch(`${MESSAGES}?${RULES}`))));
  },
  "streams with sixteen rules on a full journal": (scene) =>
    holding(scene, `GET ${MESSAGES}?${RULES} HTTP/1.1\r\n${HOST}\r\nAccept: text/event-stream\r\n\r\n`, 200),
  "readers of large messages from the beginning": async ({ product }, status) => {
    await status(product.request(rpc(1, "pushLarge")));
    await Promise.all(Array.from({ length: 10 }, () => status(product.fetch(MESSAGES))));
  },
  "large messages that a hundred subscriptions keep": ({ product }, status) =>
    status(product.post("/rpc/many", rpc(1, "note"))),
  "subscriptions whose ids are nested deeply": ({ product }, status) =>
    status(
      product.post(
        SUBSCRIPTIONS,
        JSON.stringify({
          request: { jsonrpc: "2.0", method: "nested" },
          id: "/result",
          match: { "/params/id": "$id" },
          unsubscribe: { jsonrpc: "2.0", method: "echo", params: ["$id"] },
        }),
      ),
    ),
  "requests that are none": async (scene) => {
    const faults = ["GARBAGE\r\n\r\n", `GET / HTTP/1.1\r\nx: ${"x".repeat(100_000)}\r\n\r\n`, "POST /rpc HTTP/1.1\r\n"];
    for (const fault of faults) await holding(scene, fault, 20, 500);
  },
  "connections that say nothing": (scene) => holding(scene, "", 200),
};

async function holding(scene: Scene, text: string, count: number, ms = 3_000): Promise<void> {
  const clients: Socket[] = await Promise.all(Array.from({ length: count }, () => scene.client(text)));
  await delay(ms);
  for (const client of clients) client.destroy();
}

async function counted(name: string, request: Promise<Response>): Promise<void> {
  const status = await request.then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
  statuses[name] ??= {};
  const all = statuses[name];
  all[status] = (all[status] ?? 0) + 1;
}

const endings: (() => unknown)[] = [];
const cleanup = { after: (end: () => unknown) => void endings.push(end), diagnostic: console.log };

const [command = "", ...args] =
  runtime === "node"
    ? [nodePath(), join(root, "build", "test", "limits", "hostile.js")]
    : [denoPath(), "run", "--quiet", "--allow-all", "--no-check", join(root, "test", "limits", "hostile.ts")];
const upstreams = await Child.start({ command, args, t: cleanup });
const port = await upstreams.until(() => /^(\d+)\n/.exec(upstreams.stdout)?.[1], { within: 20_000, what: "its port" });
const at = (path: string) => `ws://127.0.0.1:${port}/${path}`;
const order = (n: number) => [`s${n}`, { request: rpc(n, "echo"), match: { "/method": "note" } }];
const config = {
  upstreams: {
    default: { url: at(""), ...probedThread },
    beside: { url: at("beside") },
    many: { url: at("many"), subscriptions: Object.fromEntries(Array.from({ length: 100 }, (_, n) => order(n))) },
    pongs: { url: at("pongs"), required: false },
  },
};
const scene = await startScene(cleanup, {}, config, {}, { watch: ["default", "beside"] });
await delay(QUIET_MS);
const turns = watchTurns(scene.product);
const quiet = await scene.watched();
const end = performance.now() + ATTACK_MS;
const counts: Record<string, number> = {};
let held = 0;
const rounds = Object.entries(ROUNDS)
  .filter(([name]) => name.includes(part))
  .map(async ([name, round]) => {
    while (performance.now() < end) {
      // A connection that is refused has done its part, too.
      await Promise.resolve(round(scene, (request) => counted(name, request))).catch(() => {});
      counts[name] = (counts[name] ?? 0) + 1;
      await delay(100);
    }
  });
const watching = (async () => {
  while (performance.now() < end) {
    held = Math.max(held, (await scene.memory()).held_bytes);
    await delay(500);
  }
})();
if (rounds.length === 0) throw new Error(`no attack has ${part} in its name`);
await Promise.all([...rounds, watching]);
const during = await scene.watched();
const longest = turns.until();
const over = performance.now();
const isFree = async () =>
  Object.entries((await scene.memory()).accounts).every(([name, bytes]) => KEEPING.includes(name) || bytes < MIB);
const free = await until(isFree, { within: FREE_WITHIN_MS, every: 100 }).then(
  () => Math.round(performance.now() - over),
  () => undefined,
);
const { limit_bytes } = await scene.memory();
const after = residentBytes(scene.product.pid);
const restarts = scene.product.stderr().split("the sidecar's thread died").length - 1;
const { code, ms } = await scene.product.stop();
for (const ending of endings.reverse()) await ending();

const shown = ({ served, failed, calls, median, slowest, resident }: Watched): unknown => ({
  served,
  failed: failed.length,
  calls,
  livez: { median, slowest },
  resident_mb: Math.round(resident / MIB),
});
/** How many turns took more than 20 ms of processor time, and the longest of them. */
const turnsOf = (thread: Turn["turn"]): unknown => {
  const all = longest.longest().flatMap(({ turn, ms: took }) => (turn === thread ? [took] : []));
  return { long: all.length, longest: all.sort((a, b) => b - a).slice(0, 8) };
};
const broken = Object.values(statuses).reduce((sum, { [500]: count = 0 }) => sum + count, 0);
const bounds: Readonly<Record<string, boolean>> = {
  "honest requests are served, and right": during.served > 0 && during.failed.length === 0,
  ...Object.fromEntries(
    Object.entries(during.calls).map(([name, { p99 }]) => [
      `p99 at "${name}" is at most ${P99_TIMES} times the quiet one`,
      p99 <= P99_TIMES * (quiet.calls[name]?.p99 ?? 0),
    ]),
  ),
  "what is held fits the budget": held <= limit_bytes + OVER_BUDGET,
  "nobody gets a 500": broken === 0,
  "no thread was restarted": restarts === 0,
  [`memory is free within ${FREE_WITHIN_MS / 1_000} s`]: free !== undefined,
  "it ends in order": code === 0,
};
console.log(JSON.stringify({ rounds: counts, statuses }, undefined, 2));
console.log(JSON.stringify({ quiet: shown(quiet), attack: shown(during), held, limit_bytes, restarts }));
console.log(JSON.stringify({ turns: { main: turnsOf("main"), thread: turnsOf("thread") } }));
console.log(
  JSON.stringify({ free_ms: free, resident_mb: Math.round(after / MIB), stop: { code, ms: Math.round(ms) } }),
);
console.log([...new Set(during.failed)].slice(0, 5).join("\n"));
for (const [bound, holds] of Object.entries(bounds)) console.log(`${holds ? "holds" : "DOES NOT HOLD"}: ${bound}`);
process.exit(Object.values(bounds).every(Boolean) ? 0 : 1);
