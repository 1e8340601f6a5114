/** Bounds of the exit: kept whatever hangs, allowed to be zero, and changed by `delay` and force. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { test } from "node:test";
import { written } from "../contract/files.ts";
import { deeds, say, sayAndSee } from "../faults/deeds.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { rawRequest } from "../support/http.ts";
import { type Config, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { ALL_DONE, endOf, outcomes, shutDown, stepOf, stopBy } from "./stopping.ts";

const SMALL = { drain: "300ms", close: "300ms", flush: "300ms", join: "300ms", kill: "300ms", answer: "300ms" };
const SMALL_MS = 1_800;
const NOTHING = { drain: "0s", close: "0s", flush: "0s", join: "0s", kill: "0s", answer: "0s" };

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });

for (const cause of ["SIGTERM", "/shutdown"] as const) {
  test(`a hung thread does not hold ${cause}: within the whole bound and 250 ms, with code 1`, async (t) => {
    const { upstream, upstreams } = await deeds(t);
    const product = await startProduct({ config: { shutdown: SMALL, upstreams }, t });
    await product.ready();
    const pending = say(product, "never");
    await upstream.until(() => upstream.texts.length === 1);
    const { answer } = await sayAndSee(product, "hang", upstream);
    const { code, report } = await stopBy(product, cause, SMALL_MS);
    assert.equal(code, 1, product.stderr());
    assert.deepEqual(outcomes(report), ["drain forced", "stop done", "close forced", "cancel done", "join forced"]);
    assert.ok(report.ms <= SMALL_MS + 250, `${report.ms} ms`);
    assert.deepEqual(stepOf(report, "cancel").counts?.cancelled, { no: 0, maybe: 2, yes: 0 });
    assert.deepEqual(stepOf(report, "join").counts, { joined: 1, threads: 1 });
    for (const response of await Promise.all([pending, answer])) {
      assert.equal(response.headers.get("sidesocket-code"), "cancelled");
    }
    await upstream.until(() => upstream.live.length === 0, { within: 500, what: "the thread's socket to end" });
  });
}

test("a hung thread without callers is not drained", async (t) => {
  const { upstreams } = await deeds(t);
  const product = await startProduct({ config: { shutdown: { ...SMALL, drain: "20s" }, upstreams }, t });
  await product.ready();
  assert.equal((await say(product, "hang", "?timeout=300ms")).status, 504);
  const { code, report } = await stopBy(product, "SIGTERM", SMALL_MS);
  assert.equal(code, 1, product.stderr());
  assert.deepEqual(outcomes(report), ["drain done", "stop done", "close forced", "cancel done", "join forced"]);
});

test("a thread that dies while it drains is not awaited any longer, and not restarted", async (t) => {
  const { upstream, upstreams } = await deeds(t);
  const product = await startProduct({ config: { shutdown: { drain: "30s" }, upstreams }, t });
  await product.ready();
  const pending = say(product, "perish 500");
  await upstream.until(() => upstream.texts.length === 1);
  const { code, report } = await stopBy(product, "SIGTERM", 5_000);
  assert.equal((await pending).headers.get("sidesocket-code"), "sidecar_crashed");
  assert.equal(code, 0, product.stderr());
  assert.deepEqual(outcomes(report), ALL_DONE);
  assert.deepEqual(stepOf(report, "join").counts, { joined: 1, threads: 1 });
});

test("a thread that is busy when the close begins keeps to its bound and destroys the socket itself", async (t) => {
  // Our close frame is answered, but TCP stays open: the thread must end it once the bound has passed.
  const peer = await startFaultUpstream({ onClose: (each, { code }) => each.close(code), onEnd: false }, { t });
  const { upstreams } = await deeds(t);
  const settings = { ...(upstreams.default as Config), url: peer.url };
  const shutdown = { drain: "0s", close: "1500ms" };
  const product = await startProduct({ config: { shutdown, upstreams: { default: settings } }, t });
  await product.ready();
  const { answer } = await sayAndSee(product, "toil 600", peer);
  const { code, report } = await stopBy(product, "SIGTERM");
  assert.equal((await answer).headers.get("sidesocket-code"), "cancelled");
  assert.equal(code, 0, product.stderr());
  assert.deepEqual(outcomes(report), ["drain forced", ...ALL_DONE.slice(1)]);
  assert.deepEqual(stepOf(report, "close").counts, {
    upstreams: [{ upstream: "default", code: 1001, by: "us", forced: false }],
  });
});

test("zero bounds: the steps run in order and at once, and pending requests are still counted", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({
    config: { shutdown: NOTHING, upstreams: { default: { url: upstream.url } } },
    t,
  });
  await product.ready();
  // The process ends before the response can be read.
  const pending = product.request(call("silent")).catch(() => undefined);
  await upstream.until(() => upstream.messages.length === 1);
  const { code, report } = await stopBy(product, "SIGTERM", 300);
  await pending;
  assert.equal(code, 1, "the peer had no time to answer the close frame");
  assert.deepEqual(outcomes(report), ["drain forced", "stop done", "close forced", "cancel done", "join done"]);
  assert.deepEqual(stepOf(report, "cancel").counts?.cancelled, { no: 0, maybe: 1, yes: 0 });
  await upstream.until(() => upstream.live.length === 0, { within: 500 });
});

test("during `delay` it serves as before but is not ready, so that load balancers can look away", async (t) => {
  const upstream = await startUpstream({ t });
  const shutdown = { delay: "700ms" };
  const product = await startProduct({ config: { shutdown, upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  const began = performance.now();
  product.child.signal("SIGTERM");
  await until(async () => (await rawRequest(product, { path: "/readyz" })).status === 503, { within: 500 });
  assert.equal((await rawRequest(product, { path: "/livez" })).status, 200);
  for (let n = 0; performance.now() - began < 500; n += 1) {
    const response = await product.request(call("echo", [n]));
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: [n] });
  }
  const { code, report } = await endOf(product, began);
  assert.equal(code, 0);
  assert.deepEqual(outcomes(report), ALL_DONE);
  const drain = stepOf(report, "drain");
  assert.ok(drain.ms >= 695 && drain.ms < 1_200, `${drain.ms} ms`);
});

test("a slow reader of standard error still gets the report", async (t) => {
  for (let round = 1; ; round += 1) {
    const pipe = `${await written(t, "made", "")}.pipe`;
    const script = `mkfifo ${pipe} && exec 3<>${pipe} && head -c 65536 /dev/zero >&3 && exec "$@" 2>&3`;
    const product = await startProduct({ wrapper: ["sh", "-c", script, "sh"], t });
    await product.ready();
    const reader = createReadStream(pipe, { encoding: "utf8" });
    const over = once(reader, "end");
    const report = await shutDown(product);
    let read = "";
    reader.on("data", (text) => (read += text));
    assert.equal((await product.ended()).code, 0);
    await over;
    if (read.includes(`${JSON.stringify(report).slice(1)}\n`)) return;
    // On a busy machine this test may itself have read too late.
    assert.ok(round < 5, `no report in ${read.replaceAll("\0", "")}`);
  }
});

for (const waits of ["delay", "drain", "close"] as const) {
  test(`/shutdown?force=true ends a waiting ${waits}, and both callers get the same report`, async (t) => {
    const upstream = await startUpstream({ t });
    const shutdown = { [waits]: "20s" };
    const product = await startProduct({ config: { shutdown, upstreams: { default: { url: upstream.url } } }, t });
    await product.ready();
    const pending = waits === "drain" ? product.request(call("silent")) : undefined;
    if (pending) await upstream.until(() => upstream.messages.length === 1);
    if (waits === "close") upstream.last.socket.pause();
    const first = shutDown(product);
    await until(async () => (await rawRequest(product, { path: "/readyz" })).status === 503);
    if (waits === "close") await until(async () => (await product.state()).phase === "closing");
    const forced = await shutDown(product, "?force=true");
    const { code, report } = await endOf(product, performance.now());
    await product.said(/shutdown: the bounds add up to \d+ s: a container's default grace period/);
    assert.ok(report.ms < 3_000, `${report.ms} ms`);
    assert.deepEqual([await first, forced], [report, report]);
    assert.deepEqual([report.cause, code], ["/shutdown", report.exit_code]);
    assert.equal((await pending)?.headers.get("sidesocket-code"), pending && "cancelled");
  });
}
