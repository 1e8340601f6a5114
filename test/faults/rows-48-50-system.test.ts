/** Fault rows 37 and 48 to 50: the system's effects on the process: descriptors, addresses, time. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { timed } from "../contract/expect.ts";
import { written } from "../contract/files.ts";
import { stopBy } from "../exit/stopping.ts";
import { RawConnection } from "../support/http.ts";
import { descriptors } from "../support/proc.ts";
import { runProduct, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { type Behaviour, startFaultUpstream } from "./upstream.ts";

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });

const FEW = 64;

test(`row 48: the service survives all ${FEW} descriptors being taken and serves again with free ones`, async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, reconnect: { from: "20ms", to: "100ms" } } } };
  const product = await startProduct({ config, t });
  await product.ready();
  // Applied after the start, which briefly needs more for its modules.
  const limited = spawnSync("prlimit", ["--pid", String(product.pid), `--nofile=${FEW}`]);
  assert.equal(limited.status, 0, String(limited.stderr));
  const kept = await RawConnection.open(product, t);
  const makeRequest = async (method: string): Promise<number> => {
    const body = JSON.stringify(call(method));
    kept.send({ method: "POST", path: "/rpc", headers: { "Content-Type": "application/json" }, body });
    return (await kept.response()).status;
  };
  assert.equal(await makeRequest("echo"), 200);
  const crowd = await Promise.all(Array.from({ length: FEW }, () => RawConnection.open(product, t)));
  await until(() => descriptors(product.pid) >= FEW - 2, { what: "the descriptors to be taken" });
  assert.equal(await makeRequest("echo"), 200, "existing connections are served");
  upstream.kill("reset");
  await upstream.until(() => upstream.live.length === 0);
  const statuses = new Set<number>();
  for (let n = 0; n < 10; n += 1) statuses.add(await makeRequest("echo"));
  // 502 is for requests that came between the loss and our notice of it: on /rpc only 200 can mean sent.
  assert.ok(
    [...statuses].every((status) => [200, 502, 503].includes(status)),
    [...statuses].join(),
  );
  for (const connection of crowd) connection.destroy();
  await product.ready();
  assert.equal((await product.request(call("echo"))).status, 200);
  const { code } = await stopBy(product, "SIGTERM");
  assert.equal(code, 0, product.stderr());
  assert.doesNotMatch(product.stderr(), /unhandled|panick|internal error/i);
});

test("row 48: connections beyond listen.connections are turned away, until others leave", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { listen: { connections: 3 }, upstreams: { default: { url: upstream.url } } };
  const product = await startProduct({ config, t });
  const open = () => RawConnection.open(product, t);
  const serves = async (connection: RawConnection): Promise<void> => {
    connection.send({ path: "/livez" });
    assert.equal((await connection.response()).status, 200);
  };
  const there = [await open(), await open(), await open()];
  for (const each of there) await serves(each);
  for (const late of [await open(), await open()])
    await until(() => late.ended !== undefined, { what: "a refused connection" });
  for (const each of there) await serves(each);
  there[0]?.destroy();
  await until(async () => {
    const next = await open();
    next.send({ path: "/livez" });
    await until(() => next.ended !== undefined || next.received !== "");
    return next.received.startsWith("HTTP/1.1 200");
  });
  await until(() => product.stderr().includes("(listen.connections)"));
  assert.equal(product.stderr().split("(listen.connections)").length, 2, "logged once, though there were more");
  const { code } = await stopBy(product, "SIGTERM");
  assert.equal(code, 0, product.stderr());
});

test("row 49: an unavailable address ends the start with code 2 and one line, before any connection", async (t) => {
  const upstream = await startUpstream({ t });
  const taken = await startUpstream({ t });
  const unprivileged = ["setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"];
  const [command = "", ...rest] = [
    ...unprivileged,
    "sh",
    "-c",
    "test $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) -gt 1",
  ];
  const canBePrivileged = spawnSync(command, rest).status === 0;
  const env = { SIDESOCKET_TOKEN: "a-token-that-is-long-enough-for-this-test" };
  const cases: [args: string[], wrapper: string[], why: RegExp][] = [
    [["--port", String(taken.port)], [], /EADDRINUSE|already in use/i],
    [["--host", "192.0.2.1"], [], /192\.0\.2\.1/],
  ];
  if (canBePrivileged) cases.push([["--port", "1"], unprivileged, /EACCES|permission denied/i]);
  for (const [args, wrapper, why] of cases) {
    const { code, stdout, stderr, ms } = await runProduct([...args, "--upstream", upstream.url], { env, wrapper, t });
    // Besides the warning that the token is in the environment.
    const said = stderr
      .trim()
      .split("\n")
      .filter((line) => !line.includes("SIDESOCKET_TOKEN"));
    assert.deepEqual([code, stdout, said.length], [2, "", 1], stderr);
    assert.match(said[0] ?? "", why);
    assert.ok(ms < 3_000, `${ms} ms`);
  }
  assert.equal(upstream.connections.length, 0);
});

test("row 50: after a suspension it blames neither its thread nor its upstream, and requests go on", async (t) => {
  const slowly: Behaviour = { onPing: (peer, payload) => peer.later(50, () => peer.pong(payload)) };
  const upstream = await startFaultUpstream(slowly, { t });
  const keepalive = { ping: "100ms", pong_within: "800ms" };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, keepalive } } }, t });
  await product.ready();
  for (const suspendedMs of [1_200, 900, 2_600]) {
    const pending = product.request(call("echo", [suspendedMs]));
    const pings = upstream.last.pings.length;
    await upstream.until(() => upstream.last.pings.length > pings, { what: "a ping" });
    // Its pong arrives while nobody can read it, and is there when its deadline is long past.
    product.child.signal("SIGSTOP");
    await delay(suspendedMs);
    product.child.signal("SIGCONT");
    assert.equal((await pending).status, 200);
  }
  await delay(500);
  assert.equal((await product.request(call("echo"))).status, 200);
  assert.equal(upstream.peers.length, 1, product.stderr());
  assert.doesNotMatch(product.stderr(), /died|waiting/);
  assert.equal((await product.stop()).code, 0);
});

/** The library of Debian's package faketime, or FAKETIME_LIBRARY; undefined if it is not installed. */
function faketime(): string | undefined {
  const libraries = [
    process.env.FAKETIME_LIBRARY ?? "",
    ...["x86_64", "aarch64"].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`),
  ];
  return libraries.find((path) => path !== "" && existsSync(path));
}

test("row 50: a wall clock that jumps an hour forth and back moves no deadline and breaks no connection", async (t) => {
  const library = faketime();
  if (library === undefined) return t.skip("libfaketime is not installed");
  const clock = await written(t, "clock", "+0s");
  const upstream = await startUpstream({ t });
  const keepalive = { ping: "200ms", pong_within: "2s" };
  const config = { upstreams: { default: { url: upstream.url, keepalive } } };
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  const product = await startProduct({ config, env, t });
  await product.ready();
  for (const offset of ["+3600s", "-3600s"]) {
    const pending = timed(product.request(call("sleep", [1_500])));
    const expiring = timed(product.post("/v1/upstreams/default/request?timeout=1s", call("silent")));
    await upstream.until(() => upstream.texts.filter((text) => /sleep|silent/.test(text)).length % 2 === 0);
    await writeFile(clock, offset);
    const [expired, expiredMs] = await expiring;
    const [replied, repliedMs] = await pending;
    assert.deepEqual([expired.status, replied.status], [504, 200]);
    assert.ok(expiredMs >= 950 && expiredMs < 5_000, `${expiredMs} ms`);
    assert.ok(repliedMs >= 1_450 && repliedMs < 5_000, `${repliedMs} ms`);
    const date = Date.parse((await product.fetch("/livez")).headers.get("date") ?? "");
    const moved = Math.abs(date - Date.now()) / 3_600_000;
    assert.ok(moved > 0.9, `its clock did not jump: ${moved} h`);
  }
  const pings = upstream.last.pings;
  await upstream.until(() => upstream.last.pings > pings, { what: "pings to go on" });
  assert.equal(upstream.connections.length, 1, product.stderr());
  assert.equal((await product.stop()).code, 0);
});

/** Blocks the main thread on request, as a long garbage collection or misplaced code would. */
const BLOCKER = `import { isMainThread } from "node:worker_threads";
if (isMainThread) process.on("SIGWINCH", () => {
  const end = performance.now() + 4_000;
  while (performance.now() < end);
});`;

async function preload(t: Cleanup, text: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "preload.mjs");
  await writeFile(file, text);
  return runtime === "node" ? ["--import", file] : ["--preload", file];
}

test("row 37: a main thread blocked for 4 s blames neither thread nor upstream, and loses no reply", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  const keepalive = { ping: "200ms", pong_within: "1s" };
  const config = { upstreams: { default: { url: upstream.url, keepalive } } };
  const product = await startProduct({ config, runtimeArgs: await preload(t, BLOCKER), t });
  await product.ready();
  const pending = Array.from({ length: 50 }, (_, n) => product.request(call("echo", [n])));
  await upstream.until(() => upstream.texts.length === 50);
  product.child.signal("SIGWINCH");
  for (const [n, response] of (await Promise.all(pending)).entries()) {
    assert.deepEqual(((await response.json()) as { result: unknown }).result, [n]);
  }
  const later = product.request(call("echo", ["later"]));
  assert.equal((await later).status, 200);
  assert.equal(upstream.peers.length, 1, product.stderr());
  assert.doesNotMatch(product.stderr(), /died|waiting/);
  assert.equal((await product.stop()).code, 0);
});
