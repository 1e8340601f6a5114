/** Reload: a changed configuration comes into force without a restart, and a wrong one changes nothing. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const FIRST = "first-token-of-this-test-0123456789";
const SECOND = "second-token-of-this-test-0123456789";
const OPERATOR = "operator-token-of-this-test-0123456789";

interface Report {
  readonly changed: Record<string, string>;
  readonly unchanged: string[];
  readonly applied: string[];
  readonly needs_restart: string[];
  readonly files: string[];
}

const call = (id: number, method = "echo", params: unknown[] = [id]) => ({ jsonrpc: "2.0", id, method, params });
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** One service for all tests of this file; each leaves it as it found it: with `a` and `b`. */
let folder: string;
let product: Product;
let a: Upstream;
let b: Upstream;
let secret: string;
let upstreams: Record<string, Record<string, unknown>>;

async function write(config: unknown): Promise<void> {
  await writeFile(join(folder, "config.yaml"), typeof config === "string" ? config : JSON.stringify(config));
}

async function reload(token = OPERATOR): Promise<Response> {
  return await product.post("/reload", "", bearer(token));
}

/** Writes the configuration and reloads it. */
async function change(config: unknown): Promise<Report> {
  await write(config);
  const response = await reload();
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Report;
}

async function restore(): Promise<void> {
  await change({ upstreams });
}

const request = (upstream: string, body: unknown, token = FIRST) =>
  product.post(`/v1/upstreams/${upstream}/request`, body, bearer(token));

const list = async () =>
  (await (await product.fetch("/v1/upstreams", bearer(FIRST))).json()) as {
    upstreams: { name: string; phase: string; webhooks: { url: string }[] }[];
    reload: { success: boolean; error: string | null; successes: number; failures: number } | null;
  };

const phaseOf = async (name: string) => (await list()).upstreams.find((each) => each.name === name)?.phase;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sidesocket-reload-"));
  [a, b] = await Promise.all([startUpstream(), startUpstream()]);
  secret = join(folder, "secret");
  await writeFile(secret, "login-one");
  upstreams = {
    a: { url: a.url },
    b: { url: b.url, headers: { authorization: `\${file:${secret}}` } },
  };
  await write({ upstreams });
  await writeFile(join(folder, "token"), FIRST);
  await writeFile(join(folder, "operator"), OPERATOR);
  const args = ["--config", join(folder, "config.yaml"), "--token-file", join(folder, "token"), "--log-level", "trace"];
  product = await startProduct({ args: [...args, "--shutdown-token-file", join(folder, "operator")] });
  await product.ready();
});

after(async () => {
  await product.stop("SIGTERM");
  await Promise.all([a.stop(), b.stop()]);
  await rm(folder, { recursive: true });
});

test("an unchanged upstream keeps its connection and its request in flight while others come and go", async () => {
  const c = await startUpstream();
  const connections = a.connections.length;
  const pending = request("a", call(1, "sleep", [400]));
  await a.until(() => a.texts.some((text) => text.includes('"sleep"')));
  const added = await change({ upstreams: { ...upstreams, c: { url: c.url } } });
  assert.deepEqual([added.changed, added.unchanged], [{ c: "added" }, ["a", "b"]]);
  assert.equal((await request("c", call(2))).status, 200);
  const removed = await change({ upstreams });
  assert.deepEqual(removed.changed, { c: "removed" });
  assert.equal(c.last.closed?.code, 1001, "the removed upstream has run its exit steps");
  await problem(await request("c", call(3)), { status: 404, code: "not_found", sent: "no" });
  assert.equal((await pending).status, 200);
  assert.equal(a.connections.length, connections);
  await c.stop();
});

test("a wrong file changes nothing, and the response, the log and the state say where it is wrong", async () => {
  const connections = [a.connections.length, b.connections.length];
  const before = (await list()).reload;
  await write(`upstreams:\n  a:\n    url: ${a.url}\n    limits: { in_flight: 0 }\n`);
  const facts = await problem(await reload(), { status: 400, code: "invalid_request", sent: "no" });
  assert.match(facts.detail, /config\.yaml:4:\d+: upstreams\.a\.limits\.in_flight: must be/);
  const line = await product.line(({ message }) => String(message).includes("config.yaml:4:"));
  assert.match(String(line.message), /nothing has changed/);
  const { reload: state } = await list();
  assert.deepEqual([state?.success, state?.failures], [false, (before?.failures ?? 0) + 1]);
  assert.match(String(state?.error), /in_flight/);
  await write(`upstreams:\n  a:\n    url: ${a.url}\n    protocol: ./missing.js\n`);
  assert.equal((await reload()).status, 400);
  await writeFile(join(folder, "broken.js"), "export default 42;\n");
  await write({ upstreams: { ...upstreams, d: { url: a.url, protocol: "./broken.js" } } });
  await problem(await reload(), { status: 400, code: "invalid_request", sent: "no", detail: /^d: the protocol/ });
  assert.equal((await request("a", call(4))).status, 200);
  assert.equal((await request("b", call(5))).status, 200);
  await restore();
  assert.equal((await list()).reload?.success, true);
  await until(() => a.live.length === 1, { what: "the discarded upstream's connection to end" });
  assert.equal(b.connections.length, connections[1]);
});

test("a changed address is rotated to: the request in flight gets its own reply from the former one", async (t) => {
  const next = await startUpstream({ t });
  const leaving = (method: string) => ({ farewell: [{ send: { method, params: [`\${file:${secret}}`] } }] });
  const silent = b.last;
  await change({ upstreams: { ...upstreams, b: { ...upstreams.b, ...leaving("logout b") } } });
  await b.until(() => silent.closed !== undefined && b.live.length === 1);
  const pending = request("b", call(6, "sleep", [300]));
  await b.until(() => b.texts.some((text) => text.includes('"sleep"')));
  await writeFile(secret, "login-next");
  const moved = { ...upstreams.b, url: next.url, ...leaving("logout next") };
  const { changed } = await change({ upstreams: { ...upstreams, b: moved } });
  assert.deepEqual(changed, { b: "rotated" });
  await next.connected();
  await until(async () => (await request("b", call(7))).status === 200 && next.texts.length > 0);
  assert.equal((await pending).status, 200);
  await until(() => b.live.length === 0, { what: "the former connection to close" });
  const [sleep, ...later] = b.last.texts;
  assert.ok(sleep?.includes('"sleep"'));
  // Until the next connection is logged in, the former one takes what comes.
  const rest = later.filter((text) => !text.includes('"echo"'));
  assert.equal(later.at(-1), rest[0], "the farewell is its last frame");
  assert.deepEqual(rest, ['{"method":"logout b","params":["login-one"]}'], "its own farewell, with its own secret");
  assert.deepEqual(
    silent.texts.filter((text) => text.includes("logout")),
    [],
    "it had no farewell",
  );
  const traced = await product.line(({ message }) => String(message).includes("logout b"));
  assert.match(String(traced.message), /sent .*"params":\["\(redacted\)"\]/);
  await writeFile(secret, "login-one");
  await restore();
  await next.until(() => next.last.closed);
  await b.until(() => b.live.length === 1);
  assert.equal(next.last.texts.at(-1), '{"method":"logout next","params":["login-next"]}');
  await next.stop();
});

test("a secret that has changed in its file is logged in with anew, with the file of the configuration as it was", async () => {
  const { length } = b.connections;
  await writeFile(secret, "login-two");
  const report = await change({ upstreams });
  assert.deepEqual([report.changed, report.unchanged], [{ b: "rotated" }, ["a"]]);
  await b.until(() => b.connections.length === length + 1);
  assert.equal(b.last.headers.authorization, "login-two");
  assert.deepEqual((await change({ upstreams })).changed, {});
});

test("limits and journals change in place, on the same connection", async () => {
  const { length } = a.connections;
  const { changed } = await change({ upstreams: { ...upstreams, a: { ...upstreams.a, limits: { in_flight: 1 } } } });
  assert.deepEqual(changed, { a: "in_place" });
  const pending = request("a", call(8, "sleep", [300]));
  await a.until(() => a.texts.at(-1)?.includes('"sleep"'));
  await problem(await request("a", call(9)), { status: 429, code: "too_many_in_flight", sent: "no" });
  assert.equal((await pending).status, 200);
  a.broadcast({ n: 1 });
  a.broadcast({ n: 2 });
  a.broadcast({ n: 3 });
  const messages = async () => {
    const response = await product.fetch("/v1/upstreams/a/messages?limit=10", bearer(FIRST));
    return ((await response.json()) as { messages: { data?: { n: number }; gap?: { dropped: number } }[] }).messages;
  };
  await until(async () => (await messages()).length === 3);
  await change({ upstreams: { ...upstreams, a: { ...upstreams.a, messages: { count: 2 } } } });
  const kept = await messages();
  assert.deepEqual(
    kept.flatMap(({ data }) => data?.n ?? []),
    [2, 3],
  );
  assert.equal(a.connections.length, length);
  await restore();
});

test("another protocol is another upstream: the former one delivers its reply, and its cursors are gone", async () => {
  const page = await product.fetch("/v1/upstreams/a/messages", bearer(FIRST));
  const { next } = (await page.json()) as { next: string };
  const pending = request("a", call(10, "sleep", [300]));
  await a.until(() => a.texts.at(-1)?.includes('"sleep"'));
  const { changed } = await change({ upstreams: { ...upstreams, a: { url: a.url, protocol: "text" } } });
  assert.deepEqual(changed, { a: "replaced" });
  assert.equal((await pending).status, 200);
  const resumed = await product.fetch(`/v1/upstreams/a/messages?after=${next}`, bearer(FIRST));
  await problem(resumed, { status: 410, code: "gone", sent: "no" });
  assert.deepEqual((await change({ upstreams })).changed, { a: "replaced" });
  await until(async () => (await phaseOf("a")) === "ready");
});

test("subscriptions come and go in place, each with its own journal", async () => {
  const subscribed = {
    ...upstreams.a,
    subscriptions: {
      ticks: { request: { jsonrpc: "2.0", method: "tick" }, match: { "/t": 1 }, agreed: { match: { "/t": 1 } } },
    },
  };
  const { length } = a.connections;
  assert.deepEqual((await change({ upstreams: { ...upstreams, a: subscribed } })).changed, { a: "in_place" });
  await a.until(() => a.texts.some((text) => text.includes('"tick"')));
  const path = "/v1/upstreams/a/subscriptions/ticks";
  assert.equal((await product.fetch(path, bearer(FIRST))).status, 200);
  await restore();
  assert.equal((await product.fetch(path, bearer(FIRST))).status, 404);
  assert.equal(a.connections.length, length);
});

test("tokens change in place, and neither token of the API reloads", async () => {
  await writeFile(join(folder, "token"), `${FIRST}\n${SECOND}\n`);
  await problem(await reload(FIRST), { status: 401, code: "unauthorized", sent: "no" });
  assert.equal((await request("a", call(11), SECOND)).status, 401);
  assert.deepEqual((await change({ upstreams })).applied, ["tokens"]);
  assert.equal((await request("a", call(12), SECOND)).status, 200);
  const issued = await product.post("/v1/tickets", { route: "/v1/events" }, bearer(SECOND));
  const { ticket } = (await issued.json()) as { readonly ticket: string };
  await writeFile(join(folder, "token"), FIRST);
  await change({ upstreams });
  assert.equal((await request("a", call(13), SECOND)).status, 401);
  const stream = await product.fetch(`/v1/events?ticket=${ticket}`, { headers: { Accept: "text/event-stream" } });
  assert.equal(stream.status, 401, "a ticket ends with its token");
});

test("a webhook goes on where it was with other settings, and ends with its entry", async (t) => {
  const deliveries: { key: unknown; numbers: number[] }[] = [];
  const receiver = createServer(async (incoming, response) => {
    let text = "";
    for await (const chunk of incoming) text += chunk;
    const { messages } = JSON.parse(text) as { messages: { data: { n: number } }[] };
    deliveries.push({ key: incoming.headers["x-key"], numbers: messages.map(({ data }) => data.n) });
    response.writeHead(204).end();
  }).listen(0, "127.0.0.1");
  t.after(() => receiver.close());
  await until(() => receiver.listening);
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const pushing = (key: string) => ({
    upstreams: { ...upstreams, a: { url: a.url, webhooks: [{ url, headers: { "x-key": key }, after: "latest" }] } },
  });
  assert.deepEqual((await change(pushing("one"))).changed, { a: "in_place" });
  await until(
    async () => {
      a.broadcast({ n: 1 });
      return deliveries.length > 0;
    },
    { every: 50 },
  );
  await change(pushing("two"));
  a.broadcast({ n: 100 });
  await until(() => deliveries.some(({ key, numbers }) => key === "two" && numbers.includes(100)));
  assert.equal(deliveries.filter(({ numbers }) => numbers.includes(100)).length, 1);
  await restore();
  assert.deepEqual((await list()).upstreams.find(({ name }) => name === "a")?.webhooks, []);
});

test("a key that needs a restart is named each time, and everything else is in force", async () => {
  for (const round of [1, 2]) {
    const report = await change({ upstreams, listen: { port: 9, connections: 17 }, quota: { keys: 7 } });
    assert.deepEqual(report.needs_restart, ["listen.connections"]);
    assert.deepEqual(report.applied, round === 1 ? ["quota.keys"] : []);
  }
  await restore();
});

test("SIGHUP reloads; reloads that are requested at once are one after another", async () => {
  const { reload: state } = await list();
  const c = await startUpstream();
  await write({ upstreams: { ...upstreams, c: { url: c.url } } });
  product.child.signal("SIGHUP");
  await until(async () => (await phaseOf("c")) === "ready");
  await write({ upstreams });
  const statuses = await Promise.all([reload(), reload(), reload(), reload()]);
  assert.deepEqual(
    statuses.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.equal((await list()).reload?.failures, state?.failures);
  assert.equal(await phaseOf("c"), undefined);
  await c.stop();
});

test("watch: true sees a file that is written in place, renamed over, and swapped as Kubernetes does", async (t) => {
  const here = await mkdtemp(join(tmpdir(), "sidesocket-watch-"));
  t.after(() => rm(here, { recursive: true }));
  const file = join(here, "config.yaml");
  const text = (in_flight: number) =>
    JSON.stringify({ watch: true, upstreams: { a: { url: a.url, limits: { in_flight } } } });
  await mkdir(join(here, "v1"));
  await writeFile(join(here, "v1", "config.yaml"), text(1));
  await symlink("v1", join(here, "..data"));
  await symlink(join("..data", "config.yaml"), file);
  const watching = await startProduct({ args: ["--config", file], t });
  await watching.ready();
  const reloads = () =>
    watching.log().filter(({ message }) => String(message).startsWith("the configuration was reloaded")).length;
  const seen = (count: number) => watching.until(() => reloads() === count, { what: `reload ${count}` });
  await mkdir(join(here, "v2"));
  await writeFile(join(here, "v2", "config.yaml"), text(2));
  await symlink("v2", join(here, "..data_tmp"));
  await rename(join(here, "..data_tmp"), join(here, "..data"));
  await seen(1);
  await writeFile(join(here, "new"), text(3));
  await rename(join(here, "new"), file);
  await seen(2);
  await writeFile(file, text(4));
  await seen(3);
  await watching.stop("SIGTERM");
});

test("an exit during a reload wins, and a reload during an exit is refused", async (t) => {
  const here = await mkdtemp(join(tmpdir(), "sidesocket-exit-"));
  t.after(() => rm(here, { recursive: true }));
  const file = join(here, "config.yaml");
  const text = (names: readonly string[]) =>
    JSON.stringify({
      shutdown: { drain: "20s" },
      upstreams: Object.fromEntries(names.map((name) => [name, { url: a.url }])),
    });
  await writeFile(file, text(["a", "b"]));
  const ending = await startProduct({ args: ["--config", file], t });
  await ending.ready();
  const begun = a.texts.length;
  const pending = ending.post("/v1/upstreams/b/request", call(20, "sleep", [700]));
  await a.until(() => a.texts.length > begun);
  await writeFile(file, text(["a"]));
  const reloaded = ending.post("/reload", "");
  await until(async () => (await ending.fetch("/v1/upstreams/b")).status === 404);
  ending.child.signal("SIGTERM");
  await until(async () => (await ending.fetch("/readyz")).status === 503);
  await problem(await ending.post("/reload", ""), { status: 503, code: "shutting_down", sent: "no" });
  assert.deepEqual([(await pending).status, (await reloaded).status], [200, 200]);
  const { code } = await ending.ended();
  const joined = ending.report().steps.find(({ step }) => step === "join");
  assert.deepEqual([code, joined?.outcome], [0, "done"], ending.stderr());
});
