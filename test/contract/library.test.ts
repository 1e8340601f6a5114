/** The library, embedded in this program. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { relative } from "node:path";
import process from "node:process";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { createApp, createSidecars, Sidecar, SidesocketError, type UpstreamState } from "../../src/index.ts";
import { never } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { descriptors, descriptorTargets, threads } from "../support/proc.ts";
import { bounded, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem, type Sent } from "./expect.ts";
import { written } from "./files.ts";

const call = (method: string, params: unknown = [], id: unknown = 1) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
const failsAs = (code: string, sent: Sent) => (error: unknown) => {
  assert.ok(error instanceof SidesocketError, String(error));
  assert.deepEqual([error.code, error.sent, error.retrySafe], [code, sent, sent === "no"], error.message);
  return true;
};

describe("a sidecar", () => {
  let upstream: Upstream;
  before(async () => {
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream?.stop();
  });

  test("text and bytes are sent, and JSON comes back as text, whatever frame it came in", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    assert.equal(await sidecar.request(call("echo", ["ü"], "mine")), '{"jsonrpc":"2.0","id":"mine","result":["ü"]}');
    // The reply comes in a binary frame: JSON is text, whatever the opcode.
    const reply = await sidecar.request(new TextEncoder().encode(call("binary", ["x"])));
    assert.equal(reply, '{"jsonrpc":"2.0","id":1,"result":["x"]}');
    const batch = await sidecar.request(`[${call("sleep", [30], "a")},${call("echo", [], "b")}]`);
    assert.deepEqual(
      (JSON.parse(String(batch)) as { id: string }[]).map(({ id }) => id),
      ["a", "b"],
    );
    const ofBytes = await sidecar.request(`[${call("binary", ["ü"])}]`);
    assert.equal(ofBytes, '[{"jsonrpc":"2.0","id":1,"result":["ü"]}]');
  });

  test("a message beyond limits.request_bytes is refused, from every thread", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, limits: { request_bytes: "1KiB" } });
    const long = call("echo", ["x".repeat(1_024)]);
    await assert.rejects(sidecar.request(long), failsAs("payload_too_large", "no"));
    await assert.rejects(sidecar.send(new TextEncoder().encode(long)), failsAs("payload_too_large", "no"));
    assert.throws(() => sidecar.requestSync(long), failsAs("payload_too_large", "no"));
    await sidecar.request(call("echo", ["x".repeat(900)]));
  });

  test("bytes stay their owner's and can be sent again", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const message = new TextEncoder().encode(call("echo", ["x".repeat(200_000)]));
    for (let n = 0; n < 2; n++) {
      const size = message.byteLength;
      await sidecar.request(message);
      assert.equal(message.byteLength, size);
    }
  });

  test("bytes may be changed or transferred right after the call", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const message = new TextEncoder().encode(call("echo", ["first"]));
    const reply = sidecar.request(message);
    message.fill(0);
    structuredClone(message, { transfer: [message.buffer] });
    assert.match(String(await reply), /first/);
    await assert.rejects(sidecar.request(message), TypeError);
    await assert.rejects(sidecar.send(message), TypeError);
  });

  test("send resolves without a reply", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    assert.equal(await sidecar.send(call("silent", ["by the library"])), undefined);
    await upstream.until(() => upstream.texts.some((text) => text.includes("by the library")));
  });

  test("a partly sent batch claims neither sent nor unsent", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const [good, wrong] = [call("silent", ["in part"]), '{"id":"wrong"}'];
    await assert.rejects(sidecar.send(`[${good},${wrong}]`), failsAs("invalid_request", "maybe"));
    await assert.rejects(sidecar.send(`[${wrong}]`), failsAs("invalid_request", "no"));
    await assert.rejects(sidecar.request(`[${call("echo")},${wrong}]`), failsAs("invalid_request", "yes"));
    await assert.rejects(
      sidecar.request(`[${wrong},${good}]`, { timeoutMs: 300 }),
      (error: SidesocketError) => error.code === "invalid_request" && error.sent !== "no",
    );
    await assert.rejects(sidecar.request(`[${wrong},${wrong}]`), failsAs("invalid_request", "no"));
  });

  test("send with confirm resolves once the peer has the message; without a pong it is maybe", async (t) => {
    const peer = await startFaultUpstream((n) => ({ onMessage: never, ...(n > 1 && { onPing: false }) }), { t });
    const keepalive = { ping: "10m", pong_within: "10m" } as const;
    await using sidecar = await Sidecar.start({ url: peer.url, keepalive, reconnect: { from: "10ms", to: "20ms" } });
    for (let n = 1; n <= 5; n++) {
      assert.equal(await sidecar.send(call("note", [n]), { confirm: true }), undefined);
      assert.equal(peer.texts.length, n, "received before the promise resolved");
    }
    peer.last.reset();
    await until(() => peer.peers.length === 2 && sidecar.state.phase === "ready");
    // The host's own bound comes first if the machine keeps the thread from its timer; it is as uncertain.
    await until(async () => {
      const unproved = sidecar.send(call("note"), { confirm: true, timeoutMs: 300 });
      const error = await unproved.then(
        () => assert.fail("confirmed without a pong"),
        (thrown: SidesocketError) => thrown,
      );
      assert.ok(failsAs("reply_timeout", "maybe")(error));
      return /^no pong came within \d+ ms; no frame came since it was sent/.test(error.message);
    });
  });

  test("reports its phases until unsubscribed", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, reconnect: { from: "10ms", to: "20ms" } });
    await until(() => sidecar.state.phase === "ready");
    assert.ok(sidecar.state.since instanceof Date);
    const phases: UpstreamState["phase"][] = [];
    const stop = sidecar.on("state", ({ phase }) => phases.push(phase));
    upstream.kill();
    await until(() => phases.at(-1) === "ready");
    assert.deepEqual(phases, ["waiting", "connecting", "ready"]);
    stop();
    await sidecar.exit();
    assert.equal(phases.length, 3);
    assert.equal(sidecar.state.phase, "closed");
  });

  test("messages are read as they arrive, or from a cursor, until the exit or the reader's own end", async () => {
    const sidecar = await Sidecar.start({ url: upstream.url });
    await using _end = sidecar;
    await until(() => sidecar.state.phase === "ready");
    const say = (n: number) => upstream.broadcast({ jsonrpc: "2.0", method: n % 2 ? "odd" : "even", params: [n] });
    for (let n = 1; n <= 3; n++) say(n);
    const cursors: string[] = [];
    const seen: unknown[] = [];
    for await (const message of sidecar.messages()) {
      cursors.push(message.cursor);
      seen.push("data" in message && JSON.parse(String(message.data)).params[0]);
      if (seen.length === 3) say(4);
      if (seen.length === 4) break;
    }
    assert.deepEqual(seen, [1, 2, 3, 4]);
    const odd: unknown[] = [];
    const reading = (async () => {
      const options = { after: cursors[0] ?? "", where: { "/method": "odd" } };
      for await (const message of sidecar.messages(options)) odd.push("data" in message && message.kind);
    })();
    await until(() => odd.length === 1);
    const controller = new AbortController();
    const left = (async () => {
      for await (const _ of sidecar.messages({ after: "latest", signal: controller.signal }))
        assert.fail("nothing came");
    })();
    controller.abort();
    await left;
    await assert.rejects(sidecar.messages({ after: "yesterday" }).next(), failsAs("invalid_request", "no"));
    await assert.rejects(sidecar.messages({ where: { kind: 1 } }).next(), failsAs("invalid_request", "no"));
    await sidecar.exit();
    await reading;
    assert.deepEqual(odd, ["json"]);
  });

  test("failures are SidesocketErrors with their code and `sent`", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, limits: { in_flight: 1 } });
    await assert.rejects(sidecar.request("{"), failsAs("invalid_request", "no"));
    await assert.rejects(sidecar.request("{"), { retry: "never" });
    await assert.rejects(sidecar.request(call("silent"), { timeoutMs: 50 }), failsAs("reply_timeout", "maybe"));
    for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
      await assert.rejects(sidecar.request(call("echo"), { timeoutMs }), failsAs("invalid_request", "no"));
    }
    const before = upstream.messages.length;
    const pending = sidecar.request(call("silent"));
    const lost = assert.rejects(pending, failsAs("connection_lost", "maybe"));
    await assert.rejects(sidecar.request(call("echo")), failsAs("too_many_in_flight", "no"));
    await assert.rejects(sidecar.request(call("echo")), { retry: "later" });
    await upstream.until(() => upstream.messages.length > before);
    upstream.kill();
    await lost;
  });

  test("an aborted request rejects with the signal's reason and frees its place", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, limits: { in_flight: 1 } });
    const leaving = new AbortController();
    const before = upstream.messages.length;
    const pending = sidecar.request(call("silent"), { signal: leaving.signal });
    const left = assert.rejects(pending, /lost interest/);
    await upstream.until(() => upstream.messages.length > before);
    leaving.abort(new Error("lost interest"));
    await left;
    assert.ok(String(await sidecar.request(call("echo"))).includes('"result":[]'));
    const already = sidecar.request(call("echo"), { signal: AbortSignal.abort(new Error("never begun")) });
    await assert.rejects(already, /never begun/);
  });

  test("invalid options are refused by name", async (t) => {
    const start = (options: object) => Sidecar.start({ url: upstream.url, ...options });
    await assert.rejects(start({ url: "http://example.org" }), failsAs("invalid_config", "no"));
    await assert.rejects(start({ connect_within: 10 }), /connect_within needs a unit/);
    await assert.rejects(start({ hurry: true }), /hurry is not a known key/);
    const order = { protocol: { preset: "cdp", correlation: "order" } };
    await assert.rejects(start(order), /protocol\.correlation is not a known key of preset cdp \(known to json\)/);
    await assert.rejects(start({ shutdown: { drain: "-1s" } }), /shutdown\.drain/);
    await assert.rejects(start({ webhooks: [{ url: "http://127.0.0.1:1/" }] }), /^SidesocketError: webhooks: only/);
    await assert.rejects(start({ protocol: "/does/not/exist.mjs" }), failsAs("invalid_config", "no"));
    const broken = await written(t, "broken.mjs", "export default { name: 'x' }");
    await assert.rejects(start({ protocol: broken }), /encode/);
  });

  test("nothing internal is among its members", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    assert.deepEqual(Object.keys(sidecar), []);
    const members = Object.getOwnPropertyNames(Sidecar.prototype).sort().join(" ");
    assert.equal(
      members,
      "acknowledge close constructor exit line messages messagesSync name on readState reply request requestSync rpc rpcSync send " +
        "sendSync state subscribe subscribeSync unref unsubscribe unsubscribeSync",
    );
    assert.deepEqual(Object.getOwnPropertyNames(Sidecar).sort(), ["length", "name", "prototype", "start", "startSync"]);
  });

  test("only JSON-RPC has rpc", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, protocol: "text" });
    await assert.rejects(sidecar.rpc("echo"), failsAs("not_found", "no"));
  });

  test("a protocol module is found by its path or its URL", async (t) => {
    const source = `export default {
      name: "upper", correlation: "order", accepts: "any",
      encode: (message) => ({ frame: JSON.stringify({ id: 1, method: "echo", params: String(message) }) }),
      decode: (frame) => ({ type: "reply", render: () => JSON.parse(frame).result.toUpperCase() }),
    }`;
    const file = await written(t, "upper.mjs", source);
    for (const protocol of [file, relative(process.cwd(), file), pathToFileURL(file).href]) {
      await using sidecar = await Sidecar.start({ url: upstream.url, protocol });
      assert.equal(await sidecar.request("hello"), "HELLO", protocol);
    }
  });

  test("exit runs once, however often it is called, and nothing is accepted afterwards", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    await sidecar.request(call("echo"));
    const first = sidecar.exit({ cause: "the test" });
    const [report, again, forced] = await Promise.all([first, sidecar.exit(), sidecar.exit()]);
    assert.deepEqual([report.cause, report.exit_code, report.forced], ["the test", 0, false]);
    assert.deepEqual([again, forced], [report, report]);
    await assert.rejects(sidecar.request(call("echo")), failsAs("shutting_down", "no"));
    await assert.rejects(sidecar.send(call("echo")), failsAs("shutting_down", "no"));
    await upstream.until(() => upstream.live.length === 0);
    assert.equal(upstream.last.closed?.code, 1001);
  });

  test("twenty starts and stops leak no descriptor and no thread", async () => {
    const cycle = async (): Promise<void> => {
      const sidecar = await Sidecar.start({ url: upstream.url });
      await sidecar.request(call("echo"));
      const { exit_code } = await sidecar.exit();
      assert.equal(exit_code, 0);
    };
    const lane = async (cycles: number): Promise<void> => {
      for (let n = 0; n < cycles; n += 1) await bounded(cycle(), { within: 10_000, what: `cycle ${n}` });
    };
    await Promise.all([lane(5), lane(5)]);
    const quiet = () => upstream.until(() => upstream.live.length === 0);
    await quiet();
    const files = descriptors(process.pid);
    const tasks = threads(process.pid);
    await Promise.all([lane(10), lane(10)]);
    await quiet();
    const targets = () => `at first ${files} descriptors and ${tasks} threads: ${descriptorTargets(process.pid)}`;
    await until(() => descriptors(process.pid) <= files && threads(process.pid) <= tasks, { what: targets });
  });
});

describe("several sidecars", () => {
  let upstream: Upstream;
  before(async () => {
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream?.stop();
  });

  test("have their names, and exit together", async () => {
    const other = await startUpstream();
    try {
      const group = await createSidecars({ one: { url: upstream.url }, other: { url: other.url } });
      await using _end = group;
      const { one, other: second } = group.upstreams;
      assert.deepEqual([one.name, second.name], ["one", "other"]);
      assert.deepEqual([await one.rpc("echo", [1]), await second.rpc("echo", [2])], [[1], [2]]);
      assert.deepEqual([upstream.last.texts.length, other.last.texts.length], [1, 1]);
      const app = createApp(group.upstreams);
      assert.equal((await app.request("/v1/upstreams/other")).status, 200);
      const report = await group.exit({ cause: "the test" });
      assert.deepEqual([report.cause, report.exit_code], ["the test", 0]);
      await assert.rejects(one.rpc("echo"), failsAs("shutting_down", "no"));
      await assert.rejects(second.rpc("echo"), failsAs("shutting_down", "no"));
    } finally {
      await other.stop();
    }
  });

  test("are refused as a whole, by the names of the upstream and the option", async () => {
    const start = (upstreams: object, options = {}) => createSidecars(upstreams as Record<string, never>, options);
    const url = upstream.url;
    await assert.rejects(start({ a: { url }, b: { url, hurry: 1 } }), /^SidesocketError: upstreams.b.hurry is not/);
    await assert.rejects(start({ "not a name": { url } }), failsAs("invalid_config", "no"));
    await assert.rejects(start({}), failsAs("invalid_config", "no"));
    await assert.rejects(start({ a: { url } }, { shutDown: {} }), /did you mean shutdown/);
    await assert.rejects(start({ a: { url, webhooks: [{ url: "http://127.0.0.1:1/" }] } }), /webhooks: only the/);
  });
});

describe("the app as a fetch handler", () => {
  let upstream: Upstream;
  before(async () => {
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream?.stop();
  });
  const json = (body: string): RequestInit => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });

  test("names an option that nobody knows", () => {
    assert.throws(() => createApp({}, { token: ["a"] } as object), /^SidesocketError: token is not .* mean tokens\?/);
  });

  test("refuses tokens that no caller could send", () => {
    for (const token of ["with spaces in it", "with,comma", "ümlaut", ""])
      assert.throws(() => createApp({}, { tokens: [token] }), { code: "invalid_config" }, token);
  });

  test("serves requests without a server", async () => {
    await using one = await Sidecar.start({ url: upstream.url });
    await using two = await Sidecar.start({ url: upstream.url, protocol: "text" });
    const app = createApp({ one, two });
    const response = await app.fetch(new Request("http://service/rpc/one", json(call("echo", ["x"], "mine"))));
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '{"jsonrpc":"2.0","id":"mine","result":["x"]}');
    const text = await app.request("/v1/upstreams/two/request", json(call("echo", ["by two"])));
    assert.match(await text.text(), /by two/);
    assert.equal((await app.request("/readyz")).status, 200);
    const lost = { status: 404, code: "not_found", sent: "no", detail: /one, two/ } as const;
    await problem(await app.request("/v1/upstreams/three"), lost);
  });

  test("several sidecars keep their given names in states, keys and reply locations", async () => {
    await using one = await Sidecar.start({ url: upstream.url });
    await using two = await Sidecar.start({ url: upstream.url });
    const app = createApp({ one, two });
    const post = (path: string, message: string, headers: Record<string, string>) => {
      const { headers: type, ...init } = json(message);
      return app.request(path, { ...init, headers: { ...type, ...headers } });
    };
    const accepted = await post("/v1/upstreams/two/request", call("sleep", [30]), { prefer: "respond-async" });
    const fetched = await app.request(`${accepted.headers.get("location")}?wait=10`);
    assert.deepEqual([fetched.status, await fetched.text()], [200, '{"jsonrpc":"2.0","id":1,"result":[30]}']);

    for (const name of ["one", "two"]) {
      const path = `/v1/upstreams/${name}/request`;
      const response = await post(path, call("echo", ["for each"]), { "idempotency-key": "the same" });
      assert.deepEqual([response.status, response.headers.get("idempotency-replayed")], [200, null]);
    }
    const count = () => upstream.texts.filter((text) => text.includes("for each")).length;
    assert.equal(count(), 2);

    const { upstreams } = (await (await app.request("/v1/upstreams")).json()) as { upstreams: { name: string }[] };
    assert.deepEqual(
      upstreams.map(({ name }) => name),
      ["one", "two"],
    );
    const failed = await post("/v1/upstreams/two/request", "{oops", {});
    assert.equal((await problem(failed, { status: 400, code: "invalid_request", sent: "no" })).upstream, "two");
  });

  test("runs inside an app whose middleware reads bodies and sets headers, behind that app's listener", async (t) => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const app = new Hono();
    const read: string[] = [];
    app.use(async (c, next) => {
      if (c.req.method === "POST") read.push(await c.req.text());
      await next();
      c.header("X-Outer", "yes");
    });
    app.route("/", createApp({ default: sidecar }));
    const server = createAdaptorServer({ fetch: app.fetch }) as Server;
    t.after(async () => {
      server.close();
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const message = call("echo", ["twice read"]);
    const response = await fetch(`${url}/rpc`, json(message));
    assert.deepEqual([response.status, response.headers.get("x-outer")], [200, "yes"]);
    assert.match(await response.text(), /twice read/);
    assert.deepEqual(read, [message]);

    upstream.broadcast({ jsonrpc: "2.0", method: "note", params: [1] });
    const headers = { accept: "text/event-stream" };
    const events = async () => await fetch(`${url}/v1/upstreams/default/messages?poll=1`, { headers });
    const text = async () => await (await events()).text();
    await until(async () => (await text()).includes("note"), { what: "the message" });
    assert.equal((await events()).headers.get("x-outer"), "yes");
  });

  test("does not wait for a body whose sender had already left", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const incoming = new PassThrough().destroy();
    await once(incoming, "close");
    const headers = { host: "service", "content-type": "application/json" };
    const bindings = { incoming: Object.assign(incoming, { headers }), outgoing: new PassThrough(), exclusive: true };
    const pending = createApp({ default: sidecar }).fetch(
      new Request("http://service/rpc", json(call("echo"))),
      bindings,
    );
    assert.equal((await bounded(Promise.resolve(pending), { what: "the answer" })).status, 499);
  });

  test("checks tokens, hosts and origins when given some", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const token = "a-token-of-the-library-0123456789";
    const app = createApp(
      { default: sidecar },
      { tokens: [token], hosts: ["api.example"], origins: ["https://ok.example"] },
    );
    const makeRequest = (headers: Record<string, string>, host = "api.example") =>
      app.fetch(new Request(`http://${host}/version`, { headers }));
    const authorization = `Bearer ${token}`;
    assert.equal((await makeRequest({ authorization })).status, 200);
    assert.equal((await makeRequest({ authorization, origin: "https://ok.example" })).status, 200);
    await problem(await makeRequest({}), { status: 401, code: "unauthorized", sent: "no" });
    await problem(await makeRequest({ authorization }, "evil.example"), {
      status: 421,
      code: "misdirected",
      sent: "no",
    });
    const evil = { authorization, origin: "https://evil.example" };
    await problem(await makeRequest(evil), { status: 403, code: "forbidden", sent: "no" });
  });

  test("a sidecar's own exit releases callers in the app, except those waiting for a reply", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const app = createApp({ default: sidecar });
    const late = await app.request("/v1/upstreams/default/request?timeout=300ms", json(call("silent", ["late"])));
    const waiting = app.request(`${late.headers.get("location")}?wait=120`);
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) });
    const half = app.request("/rpc", { ...json(""), body, duplex: "half" } as RequestInit);
    await sidecar.exit();
    const [waited, refused] = await bounded(Promise.all([waiting, half]), { what: "the answers" });
    assert.deepEqual([waited.status, refused.status], [202, 503]);
  });

  test("during the exit's delay the app serves but is not ready, like the service", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url, shutdown: { delay: "700ms" } });
    const app = createApp({ default: sidecar });
    const report = sidecar.exit();
    assert.equal((await app.request("/readyz")).status, 503);
    const served = await app.request("/rpc", json(call("echo", ["still"])));
    assert.equal(served.status, 200, await served.text());
    await report;
    const late = await app.request("/rpc", json(call("echo")));
    assert.deepEqual([late.status, late.headers.get("sidesocket-code")], [503, "shutting_down"]);
  });

  test("/shutdown ends the sidecars and leaves the process alone", async () => {
    await using sidecar = await Sidecar.start({ url: upstream.url });
    const closed = await createApp({ default: sidecar }).request("/shutdown", { method: "POST" });
    await problem(closed, { status: 403, code: "forbidden", sent: "no" });
    const around = new Hono().route("/api", createApp({ default: sidecar }));
    const closedBelow = await around.request("/api/shutdown", { method: "POST" });
    await problem(closedBelow, { status: 403, code: "forbidden", sent: "no" });
    const app = createApp({ default: sidecar }, { openShutdown: true });
    const [one, two] = await Promise.all([1, 2].map(() => app.request("/shutdown", { method: "POST" })));
    const report = (await one?.json()) as { cause: string; exit_code: number };
    assert.deepEqual([report.cause, report.exit_code], ["/shutdown", 0]);
    assert.deepEqual(await two?.json(), report);
    assert.equal(sidecar.state.phase, "closed");
    assert.equal((await app.request("/readyz")).status, 503);
    const late = await app.request("/rpc", json(call("echo")));
    assert.deepEqual([late.status, late.headers.get("sidesocket-code")], [503, "shutting_down"]);
  });
});
