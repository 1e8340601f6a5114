/**
 * The attack: all that the limits are for at once, for some minutes, with honest load beside it.
 *
 *   attack.ts MINUTES
 *
 * Prints what came of the honest requests, the memory and the threads; exits with 1 if something did not hold.
 */
import type { Socket } from "node:net";
import process from "node:process";
import { Child } from "../support/child.ts";
import { MESSAGES } from "../support/messages.ts";
import { runtime } from "../support/root.ts";
import { probedThread } from "../support/turns.ts";
import { delay } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { HOST, MIB, REQUEST, requestText, rpc, type Scene, startScene, type Watched } from "./scene.ts";

const [, self = "", mode = "1"] = process.argv;
const MINUTES = Number(mode);
const QUIET_MS = 10_000;
const LARGE = `[${"1,".repeat(MIB)}1]`;
const DEEP = `${'{"x":'.repeat(100_000)}1${"}".repeat(100_000)}`;
const MESSAGE = JSON.stringify({ pad: Array(200).fill(1), v: { name: "a" } });
const RULES = Array.from({ length: 16 }, (_, n) => `where=${encodeURIComponent(`/v/k${n}`)}`).join("&");

/** One round of each attack. A round that is refused has done its part. */
const ROUNDS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "batch of a megabyte of the smallest items": ({ product }) => post(product.url, "/rpc", `[${"1,".repeat(500_000)}1]`),
  "pick of 64 tokens from deep replies": ({ product }) =>
    post(product.url, `${REQUEST}?pick=/result${"/x".repeat(63)}`, rpc(1, "deep")),
  "large replies of small values": ({ product }) => post(product.url, REQUEST, rpc(1, "large")),
  "large replies that nobody reads": async (scene) => {
    await holding(scene, requestText(REQUEST, rpc(1, "large")), 4);
  },
  "half-sent bodies": async (scene) => {
    await holding(scene, requestText(REQUEST, "x".repeat(MIB / 2), { "Content-Length": String(MIB) }), 40);
  },
  "requests of a megabyte that time out, with ids of a megabyte": async ({ product }) => {
    const rounds = Array.from({ length: 8 }, (_, n) =>
      post(product.url, `${REQUEST}?timeout=2s`, rpc("i".repeat(900_000), "never"), {
        "idempotency-key": `${n}-${Math.random()}`,
      }),
    );
    await Promise.all(rounds);
  },
  "requests behind a long poll": async (scene) => {
    const poll = `GET ${MESSAGES}?wait=5s&from=latest HTTP/1.1\r\n${HOST}\r\n\r\n`;
    await holding(scene, poll + `GET /livez HTTP/1.1\r\n${HOST}\r\n\r\n`.repeat(2_000), 2);
  },
  "pollers with sixteen rules on a full journal": async ({ product }) => {
    await post(product.url, REQUEST, rpc(1, "push"));
    await Promise.all(Array.from({ length: 10 }, () => get(product.url, `${MESSAGES}?${RULES}`)));
  },
  "readers of large messages from the beginning": async ({ product }) => {
    await post(product.url, REQUEST, rpc(1, "pushLarge"));
    await Promise.all(Array.from({ length: 10 }, () => get(product.url, MESSAGES)));
  },
};

async function holding(scene: Scene, text: string, count: number): Promise<void> {
  const clients: Socket[] = await Promise.all(Array.from({ length: count }, () => scene.client(text)));
  await delay(3_000);
  for (const client of clients) client.destroy();
}

async function post(url: string, path: string, body: string, headers: Record<string, string> = {}): Promise<void> {
  await (
    await fetch(new URL(path, url), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    })
  ).arrayBuffer();
}

async function get(url: string, path: string): Promise<void> {
  await (await fetch(new URL(path, url))).arrayBuffer();
}

const endings: (() => unknown)[] = [];
const cleanup = { after: (end: () => unknown) => void endings.push(end), diagnostic: console.log };

/** An upstream in a process of its own: the attackers keep this one busy. */
async function serveUpstream(): Promise<never> {
  const upstream = await startUpstream({
    onMessage(message, connection) {
      const { id, method, params } = JSON.parse(String(message));
      const results: Record<string, string> = { large: LARGE, deep: DEEP };
      if (method === "push") for (let n = 0; n < 500; n++) connection.send(MESSAGE);
      if (method === "pushLarge") connection.send(`"${"x".repeat(MIB)}"`);
      if (method !== "never")
        connection.send(`{"jsonrpc":"2.0","id":${id},"result":${results[method] ?? JSON.stringify(params)}}`);
    },
  });
  console.log(upstream.url);
  return new Promise(() => {});
}

if (mode === "upstream") await serveUpstream();
const args =
  runtime === "node" ? [self, "upstream"] : ["run", "--quiet", "--allow-all", "--no-check", self, "upstream"];
const child = await Child.start({ command: process.execPath, args, t: cleanup });
const url = await child.until(() => /^(ws:\S+)\n/.exec(child.stdout)?.[1], { within: 20_000, what: "the upstream" });
const scene = await startScene(cleanup, {}, { upstreams: { default: { url, ...probedThread } } });
await delay(QUIET_MS);
const quiet = await scene.watched();
const until = performance.now() + MINUTES * 60_000;
const counts: Record<string, number> = {};
let held = 0;
const rounds = Object.entries(ROUNDS).map(async ([name, round]) => {
  while (performance.now() < until) {
    await round(scene).catch(() => {});
    counts[name] = (counts[name] ?? 0) + 1;
    await delay(100);
  }
});
const watching = (async () => {
  while (performance.now() < until) {
    held = Math.max(held, (await scene.memory()).held_bytes);
    await delay(500);
  }
})();
await Promise.all([...rounds, watching]);
const during = await scene.watched();
const { limit_bytes } = await scene.memory();
const restarts = scene.product.stderr().split("the sidecar's thread died").length - 1;
const { code, ms } = await scene.product.stop();
for (const end of endings.reverse()) await end();

const shown = ({ served, failed, calls, median, slowest, resident }: Watched): unknown => ({
  served,
  failed: failed.length,
  calls,
  livez: { median, slowest },
  resident_mb: Math.round(resident / MIB),
});
console.log(JSON.stringify({ rounds: counts }, undefined, 2));
console.log(
  JSON.stringify({ quiet: shown(quiet), attack: shown(during), held, limit_bytes, restarts, stop: { code, ms } }),
);
console.log([...new Set(during.failed)].slice(0, 5).join("\n"));
const holds =
  during.failed.length === 0 && during.served > 0 && restarts === 0 && code === 0 && held <= limit_bytes + 64 * MIB;
process.exit(holds ? 0 : 1);
