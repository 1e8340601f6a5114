/** Fault rows 51 to 53: standard streams that nobody reads, pid 1 of a read-only container, invalid values. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { written } from "../contract/files.ts";
import { shutDown } from "../exit/stopping.ts";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { type Config, type Product, productCommand, runProduct, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { deeds, sayAndSee } from "./deeds.ts";

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });

/** The time for the last lines if nobody reads them (250 ms), the exit itself, and a busy machine. */
const HELD_AT_MOST_MS = 1_500;

/** Every connection attempt logs a few lines. */
const TALKATIVE: Config = { reconnect: { from: "1ms", to: "1ms" }, required: false };

async function started(t: Cleanup, wrapper: readonly string[] = [], args: readonly string[] = []) {
  const [upstream, gone] = [await startUpstream({ t }), await startUpstream({ t })];
  await gone.stop();
  const upstreams = { default: { url: upstream.url }, gone: { url: gone.url, ...TALKATIVE } };
  const product = await startProduct({ config: { upstreams }, args: ["--log-level", "trace", ...args], wrapper, t });
  await product.ready();
  return { product, upstream };
}

/** Asserts that it serves and goes on logging. */
async function servesOn(product: Product, attempts: number): Promise<void> {
  await until(async () => Number((await product.state("gone")).attempts) > attempts, {
    what: "many log lines",
    every: 50,
  });
  for (let n = 0; n < 20; n += 1) {
    const response = await product.post("/v1/upstreams/default/request", call("echo", [n]));
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: [n] });
  }
}

async function endsBoth(product: Product, upstream: Upstream): Promise<void> {
  const { code, signal, ms } = await product.stop("SIGTERM", 10_000);
  assert.deepEqual([code, signal], [0, null]);
  assert.ok(ms < HELD_AT_MOST_MS, `${ms} ms`);
  assert.equal(upstream.last.closed?.code, 1001);
}

for (const stream of ["stdout", "stderr"] as const) {
  test(`row 51: the service keeps serving when the reader of ${stream} goes away, and ends as always`, async (t) => {
    const { product, upstream } = await started(t);
    product.child.pipes[stream]?.destroy();
    await servesOn(product, 100);
    await endsBoth(product, upstream);
  });
}

test("row 51: a reader of stderr that stops reading holds up neither the service nor its exit", async (t) => {
  const { product, upstream } = await started(t);
  product.child.pipes.stderr?.pause();
  await servesOn(product, 1_500);
  await endsBoth(product, upstream);
});

/** Builds a pipe that is full from the start, and that the shell's child keeps open without ever reading. */
const full = (fifo: string, redirect: string): string[] => [
  "sh",
  "-c",
  `mkfifo ${fifo} && exec 3<>${fifo} && head -c 65536 /dev/zero >&3 && exec "$@" ${redirect}`,
  "sh",
];

for (const cause of ["SIGTERM", "/shutdown"] as const) {
  test(`row 51: a standard error that is a full pipe does not hold ${cause}`, async (t) => {
    const fifo = `${await written(t, "made", "")}.pipe`;
    const { product, upstream } = await started(t, full(fifo, "2>&3"));
    await servesOn(product, 100);
    if (cause === "SIGTERM") return endsBoth(product, upstream);
    const report = await shutDown(product);
    assert.equal(report.exit_code, 0);
    const began = performance.now();
    assert.equal((await product.ended()).code, 0);
    assert.ok(performance.now() - began < HELD_AT_MOST_MS);
  });
}

test("row 51: a standard error that never had a reader holds up neither the service nor its exit", async (t) => {
  const fifo = `${await written(t, "made", "")}.pipe`;
  const unread = ["sh", "-c", `mkfifo ${fifo} && exec 3<>${fifo} 2>${fifo} 3>&- && exec "$@"`, "sh"];
  const { product, upstream } = await started(t, unread);
  await servesOn(product, 100);
  const { code, signal, ms } = await product.stop("SIGTERM", 10_000);
  assert.deepEqual([code, signal], [0, null]);
  assert.ok(ms < HELD_AT_MOST_MS, `${ms} ms`);
  assert.equal(upstream.last.closed?.code, 1001);
});

test("row 51: a standard output that is a full pipe does not hold the start", async (t) => {
  const fifo = `${await written(t, "made", "")}.pipe`;
  const upstream = await startUpstream({ t });
  const port = await freePort();
  const wrapper = full(fifo, ">&3");
  const child = await Child.start({
    ...productCommand(["--port", String(port), "--upstream", upstream.url], { wrapper }),
    t,
  });
  const alive = () =>
    fetch(`http://127.0.0.1:${port}/livez`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(alive, { what: () => `/livez ${child.output()}` });
  await upstream.connected();
  await child.until(() => child.stderr.includes("ready"));
  assert.ok(await alive(), "printing that it listens does not block");
  const { code, ms } = await child.stop();
  assert.equal(code, 0, child.output());
  assert.ok(ms < HELD_AT_MOST_MS, `${ms} ms`);
});

/** The reason why a process cannot be pid 1 of its own namespace, read-only, as nobody; undefined if it can. */
const CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--mount", "--kill-child"];
const READ_ONLY = ["sh", "-c", 'mount --bind / / && mount -o remount,ro,bind / && cd "$PWD" && exec "$@"', "sh"];
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

function works(wrapper: readonly string[]): boolean {
  const [command = "", ...args] = [...wrapper, "true"];
  return spawnSync(command, args).status === 0;
}

/** The process that is pid 1 in its own namespace, by its number outside. */
async function innerPid(product: Product): Promise<number> {
  const children = `/proc/${product.pid}/task/${product.pid}/children`;
  return Number(await until(() => readFileSync(children, "utf8").trim(), { what: "the process in the namespace" }));
}

test("row 52: pid 1 on a read-only file system, as nobody, starts, and SIGTERM ends it with code 0", async (t) => {
  const wrapper = [...CONTAINER, ...READ_ONLY, ...NOBODY];
  if (!works(wrapper)) return t.skip("namespaces require root here");
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, wrapper, t });
  await product.ready();
  assert.equal((await product.request(call("echo"))).status, 200);
  const pid = await innerPid(product);
  assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\s+65534.*^NSpid:.*\s1$/ms);
  const began = performance.now();
  process.kill(pid, "SIGTERM");
  assert.equal((await product.ended()).code, 0, product.stderr());
  assert.ok(performance.now() - began < HELD_AT_MOST_MS);
  assert.equal(product.report().exit_code, 0);
  assert.equal(upstream.last.closed?.code, 1001);
});

test("row 52: pid 1 with a thread stuck in a native call still ends, by abort if need be", async (t) => {
  if (!works(CONTAINER)) return t.skip("namespaces require root here");
  const { upstream, upstreams, pipe } = await deeds(t);
  const bound = "200ms";
  const shutdown = { drain: bound, close: bound, flush: bound, join: bound, kill: bound, answer: bound };
  const product = await startProduct({ config: { shutdown, upstreams }, wrapper: CONTAINER, t });
  await product.ready();
  await sayAndSee(product, `block ${pipe}`, upstream);
  const began = performance.now();
  process.kill(await innerPid(product), "SIGTERM");
  const end = await product.ended();
  assert.ok(performance.now() - began < 1_200 + HELD_AT_MOST_MS);
  // As pid 1 Node cannot kill itself, so it aborts; a signal from within is ignored as well, so it ends by a fault.
  const expected = runtime === "node" ? { code: null, signal: "SIGSEGV" } : { code: 1, signal: null };
  assert.deepEqual(end, expected, product.stderr());
  assert.equal(product.report().exit_code, runtime === "node" ? 70 : 1);
});

const wrong: readonly (readonly [setting: string, key: RegExp])[] = [
  ["shutdown: { close: 2147483648ms }", /shutdown\.close/],
  ["shutdown: { join: -1s }", /shutdown\.join/],
  ["shutdown: { drain: .nan }", /shutdown\.drain/],
  ["shutdown: { drain: 2147483647ms, close: 2147483647ms }", /shutdown.*adds up/],
  ["shutdown: { stop: 1s }", /shutdown\.stop/],
];

test("row 53: senseless exit bounds are refused at the start, by name", async (t) => {
  const ends = wrong.map(async ([yaml, key]) => {
    const file = await written(t, "side.yaml", yaml);
    const { code, stderr, stdout } = await runProduct(["--config", file, "--port", "0"], { t });
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, key);
  });
  await Promise.all(ends);
});
