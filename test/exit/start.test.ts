/** Stops while the service starts: it ends with code 0 or by the signal, never hangs, and never half starts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../contract/expect.ts";
import { written } from "../contract/files.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { RawConnection } from "../support/http.ts";
import { productCommand, startProduct } from "../support/product.ts";
import { logLines, reportsIn } from "../support/report.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { ALL_DONE, outcomes, stopBy } from "./stopping.ts";

const AT_ONCE_MS = 1_500;

/** Spawns the process and returns at once. */
async function spawned(t: Cleanup, args: readonly string[]): Promise<Child> {
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", NODE_OPTIONS: undefined };
  return Child.start({ ...productCommand(args), env, t });
}

/** Spawns the process with an upstream and a protocol module that never finishes loading. */
async function loading(t: Cleanup, module: string): Promise<{ readonly child: Child; readonly url: string }> {
  const upstream: Upstream = await startUpstream({ t });
  const port = await freePort();
  const protocol = await written(t, "dialect.mjs", module);
  const child = await spawned(t, ["--port", String(port), "--upstream", upstream.url, "--protocol", protocol]);
  const url = `http://127.0.0.1:${port}`;
  const alive = () =>
    fetch(`${url}/livez`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(alive, { what: () => `/livez ${child.output()}` });
  return { child, url };
}

test("a signal at any moment of the start ends it, by its default effect or with code 0 and a report", async (t) => {
  const upstream = await startUpstream({ t });
  const first = await spawned(t, ["--port", "0", "--upstream", upstream.url]);
  await first.until(() => first.stdout.includes("listening"));
  const startMs = performance.now() - first.startedAt;
  await first.stop();
  const moments = Array.from({ length: 10 }, (_, n) => (startMs * 1.2 * n) / 9);
  for (const moment of moments) {
    const child = await spawned(t, ["--port", "0", "--upstream", upstream.url]);
    await delay(moment);
    const { code, signal, ms } = await child.stop("SIGTERM", 5_000);
    assert.ok(ms < AT_ONCE_MS, `${ms} ms, ${moment} ms after the start`);
    const reports = reportsIn(logLines(child.stderr));
    if (signal === "SIGTERM") assert.deepEqual([code, reports, child.stdout], [null, [], ""], "it had not begun");
    else assert.deepEqual([code, reports.map(outcomes)], [0, [ALL_DONE]], child.output());
  }
  await upstream.until(() => upstream.live.length === 0, { what: "no connection to be left" });
});

for (const cause of ["SIGTERM", "/shutdown"] as const) {
  test(`${cause} during an endless load of a protocol module is code 0, and notifies callers`, async (t) => {
    const { child, url } = await loading(t, "await new Promise((resolve) => setTimeout(resolve, 1e9));");
    const headers = { "Content-Type": "application/json" };
    const waiting = fetch(`${url}/rpc`, { method: "POST", headers, body: '{"jsonrpc":"2.0","id":1,"method":"x"}' });
    await delay(50);
    const answered = cause === "/shutdown" ? fetch(`${url}/shutdown`, { method: "POST" }) : undefined;
    if (cause === "SIGTERM") child.signal(cause);
    const response = await waiting;
    assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [503, "shutting_down"]);
    assert.equal((await child.ended(5_000)).code, 0, child.output());
    const [report] = reportsIn(logLines(child.stderr));
    assert.ok(report && report.ms < AT_ONCE_MS, child.stderr);
    assert.deepEqual(outcomes(report), ALL_DONE);
    assert.equal(child.stdout, "", "it never printed that it listens");
    if (answered) assert.deepEqual(await (await answered).json(), report);
  });
}

test("a request during the load of a protocol module waits no longer than its timeout, unsent", async (t) => {
  const { child, url } = await loading(t, "await new Promise((resolve) => setTimeout(resolve, 1e9));");
  for (const path of ["/rpc", "/v1/upstreams/default/request", "/v1/upstreams/default/send", "/graphql"]) {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const [response, ms] = await timed(fetch(`${url}${path}?timeout=200ms`, init));
    const { status, headers } = response;
    const facts = [status, headers.get("sidesocket-code"), headers.get("sidesocket-sent")];
    assert.deepEqual(facts, [503, "upstream_down", "no"], await response.text());
    assert.ok(ms < 1_000, `${path}: ${ms} ms`);
  }
  assert.equal((await child.stop("SIGTERM", 5_000)).code, 0, child.output());
});

test("the wait for a protocol module counts towards a request's timeout", async (t) => {
  const encode = "encode: (frame) => ({ frame, expectsReply: true })";
  const protocol = `{ name: "mute", ${encode}, decode: () => ({ type: "message" }) }`;
  const slow = `await new Promise((resolve) => setTimeout(resolve, 2_500));\nexport default ${protocol};`;
  const { child, url } = await loading(t, slow);
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
  const [response, ms] = await timed(fetch(`${url}/v1/upstreams/default/request?timeout=3s`, init));
  assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [504, "reply_timeout"]);
  assert.ok(ms < 4_500, `${ms} ms`);
  assert.equal((await child.stop("SIGTERM", 5_000)).code, 0, child.output());
});

test("a protocol module that loops while it loads is terminated after the join bound: code 1", async (t) => {
  // The module connects to report that it loops; until then the thread can still end when asked to.
  const watcher = await startFaultUpstream({}, { t });
  const signal = `await new Promise((resolve) => connect(${watcher.port}, "127.0.0.1", resolve));`;
  const { child } = await loading(t, `import { connect } from "node:net";\n${signal}\nfor (;;);`);
  await watcher.until(() => watcher.peers.length === 1, { what: "the module to be loaded" });
  await delay(100);
  const { code, ms } = await child.stop("SIGTERM", 10_000);
  assert.equal(code, 1, child.output());
  assert.ok(ms < 4_000, `${ms} ms`);
  const [report] = reportsIn(logLines(child.stderr));
  assert.deepEqual(report && outcomes(report), [...ALL_DONE.slice(0, 4), "join forced"]);
});

test("a signal ends it with code 0 while a crashing thread is being restarted", async (t) => {
  const { child } = await loading(t, "await new Promise((resolve) => setTimeout(resolve, 400)); process.exit(3);");
  await delay(700);
  const { code, ms } = await child.stop("SIGTERM", 10_000);
  assert.equal(code, 0, child.output());
  assert.ok(ms < AT_ONCE_MS, `${ms} ms`);
});

test("a silent connection to the demo does not hold the exit", async (t) => {
  const product = await startProduct({ t });
  const [, port] =
    (await product.until(() => /started a demo upstream at ws:\/\/127\.0\.0\.1:(\d+)/.exec(product.stderr()))) ?? [];
  const silent = await RawConnection.open(`http://127.0.0.1:${port}`, t);
  const half = await RawConnection.open(`http://127.0.0.1:${port}`, t);
  half.write("GET / HTTP/1.1\r\nUpg");
  const { code, report } = await stopBy(product, "SIGTERM");
  assert.deepEqual([code, outcomes(report)], [0, ALL_DONE], product.stderr());
  for (const connection of [silent, half]) await connection.closed(1_000);
});
