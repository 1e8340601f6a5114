/** Watches a service from a process of its own: whether it lives, how soon it answers, and whether others are served. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { residentBytes } from "../support/proc.ts";
import { delay, until } from "../support/until.ts";
import type { Watched } from "./scene.ts";

const [url = "", pid = "", token = "", ...names] = process.argv.slice(2);
/** The upstreams that are called. */
const UPSTREAMS = names.length > 0 ? names : ["default"];
const WITHIN_MS = 20_000;

const nothing: Watched = { probes: 0, median: 0, slowest: 0, served: 0, failed: [], calls: {}, resident: 0 };
let watched = nothing;
/** Milliseconds of the probes, and of the right replies of each upstream. */
let times: number[] = [];
let replies: Readonly<Record<string, number[]>> = noReplies();

function noReplies(): Readonly<Record<string, number[]>> {
  return Object.fromEntries(UPSTREAMS.map((name) => [name, []]));
}

/** The value that this part of all do not exceed, to a tenth of a millisecond. */
function quantile(all: number[], part: number): number {
  const sorted = all.sort((a, b) => a - b);
  return Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)) / 10;
}

async function answered(path: string, init?: RequestInit): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(WITHIN_MS), ...init });
  return { status: response.status, text: await response.text() };
}

async function probe(): Promise<void> {
  for (;;) {
    const began = performance.now();
    const { status } = await answered("/livez").catch((error) => ({ status: String(error) }));
    times.push(performance.now() - began);
    const resident = Math.max(watched.resident, residentBytes(Number(pid)));
    const failed = status === 200 ? watched.failed : [...watched.failed, `/livez: ${status}`];
    watched = { ...watched, probes: watched.probes + 1, resident, failed };
    await delay(25);
  }
}

/** Calls like an ordinary client, which knows nothing of the attack. */
async function call(upstream: string): Promise<void> {
  for (let n = 0; ; n++) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: n, method: "echo", params: ["honest", n] });
    const init = {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body,
    };
    const began = performance.now();
    const { status, text } = await answered(`/v1/upstreams/${upstream}/request`, init).catch((error) => ({
      status: 0,
      text: String(error),
    }));
    const isRight = status === 200 && text === JSON.stringify({ jsonrpc: "2.0", id: n, result: ["honest", n] });
    if (isRight) replies[upstream]?.push(performance.now() - began);
    if (isRight) watched = { ...watched, served: watched.served + 1 };
    else watched = { ...watched, failed: [...watched.failed, `${status} ${text.slice(0, 200)}`] };
    await delay(25);
  }
}

/** Tells what was found since it was asked last, once there are as many probes as `?probes` says. */
const control = createServer(async (request, response) => {
  const least = Number(new URL(request.url ?? "/", "http://watcher").searchParams.get("probes"));
  await until(() => times.length >= least, { within: WITHIN_MS, every: 5, what: `${least} probes` }).catch(() => {});
  const found = {
    ...watched,
    median: quantile(times, 0.5),
    slowest: quantile(times, 1),
    calls: Object.fromEntries(
      Object.entries(replies).map(([name, all]) => [name, { median: quantile(all, 0.5), p99: quantile(all, 0.99) }]),
    ),
  };
  response.end(JSON.stringify(found satisfies Watched));
  watched = nothing;
  times = [];
  replies = noReplies();
});
control.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(control.address() as AddressInfo).port}\n`);
  void probe();
  for (const name of UPSTREAMS) void call(name);
});
