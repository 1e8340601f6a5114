/** `sidesocket record` and `mock` as real processes: what was recorded is said again, and no secret is in it. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startCommand } from "../support/command.ts";
import { runProduct, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type UpstreamConnection } from "../support/upstream.ts";

/** A secret in each place from which one goes out. */
const CANARY = {
  query: "canary-1-qk2w9x7yz4",
  header: "canary-2-hj3m8v5tr1",
  greeting: "canary-3-gp6n4c8de2",
  payload: "canary-4-pl7s5b9fg3",
  issued: "canary-5-is8a6q1hj4",
};

const configFor = (url: string) => ({
  upstreams: {
    default: {
      url: `${url}feed?key=${CANARY.query}`,
      headers: { authorization: `Bearer ${CANARY.header}` },
      greeting: [
        { send: { jsonrpc: "2.0", id: 1, method: "login", params: [CANARY.greeting] }, expect: { has: ["/result"] } },
      ],
      subscriptions: {
        news: {
          request: { jsonrpc: "2.0", method: "follow", params: { apiKey: CANARY.payload } },
          id: "/result",
          match: { "/method": "news" },
        },
      },
      reconnect: { from: "10ms", to: "10ms" },
    },
  },
});

function serve(message: unknown, connection: UpstreamConnection): void {
  const { id, method, params } = JSON.parse(String(message));
  const reply = (result: unknown) => connection.send({ jsonrpc: "2.0", id, result });
  if (method === "login") reply({ welcome: params, session_token: CANARY.issued });
  else if (method === "follow") {
    reply("s1");
    for (const n of [1, 2]) connection.send({ jsonrpc: "2.0", method: "news", params: { subscription: "s1", n } });
  } else if (method === "leave") connection.socket.close(4321, "enough");
  else if (method === "bytes")
    connection.send(new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, result: "é" })));
  else reply([connection.number, method, params]);
}

/** The dialogue: each request with the id that the caller gives it. */
const REQUESTS = [
  { jsonrpc: "2.0", id: "one", method: "price", params: ["eth", 1.5] },
  { jsonrpc: "2.0", id: 7, method: "bytes" },
  { jsonrpc: "2.0", id: null, method: "price", params: ["btc"] },
];

async function converse(url: string) {
  const post = async (body: unknown) => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${url}/v1/upstreams/default/request`, init);
    return [response.status, await response.text()] as const;
  };
  const state = async () => (await (await fetch(`${url}/v1/upstreams/default`)).json()) as { phase: string };
  await until(async () => (await state()).phase === "ready");
  const replies = [];
  for (const request of REQUESTS) replies.push(await post(request));
  const subscription = `${url}/v1/upstreams/default/subscriptions/news/messages?wait=5`;
  const news = (await (await fetch(subscription)).json()) as { messages: { data?: { params: unknown } }[] };
  const [status, problem] = await post({ jsonrpc: "2.0", id: 1, method: "leave" });
  const { detail } = JSON.parse(problem) as { detail: string };
  await until(async () => (await state()).phase === "ready");
  replies.push(await post({ jsonrpc: "2.0", id: 2, method: "again" }));
  return { replies, news: news.messages.map(({ data }) => data?.params), left: [status, detail] };
}

describe("a recorded dialogue", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-record-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("is said again by the mock, and has no secret in it", async (t) => {
    const upstream = await startUpstream({ t, onMessage: serve });
    const config = join(folder, "config.json");
    await writeFile(config, JSON.stringify(configFor(upstream.url)));
    const recorded = await startCommand(["record", "--config", config, "--port", "0"], t);
    const real = await converse(recorded.url);
    await recorded.child.stop("SIGTERM", 10_000);
    assert.deepEqual([recorded.child.exit?.code, real.left[0]], [0, 502], recorded.child.output());
    const { stdout } = recorded.child;

    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const [place, secret] of Object.entries(CANARY)) assert.ok(!stdout.includes(secret.slice(9)), place);
    const [head, open] = lines;
    assert.deepEqual([head.recording, head.upstream, head.protocol], [1, "default", "json-rpc"]);
    assert.deepEqual(open.headers, { authorization: "(redacted)" });
    assert.equal(open.url, `${upstream.url}feed?…`);
    const closes = lines.filter(({ event }) => event === "close");
    assert.deepEqual(
      closes.map(({ connection, by, code, reason }) => [connection, by, code, reason]),
      [
        [1, "peer", 4321, "enough"],
        [2, "us", 1001, ""],
      ],
    );
    assert.deepEqual([lines.at(-1).event, lines.at(-1).why], ["end", "SIGTERM"]);

    const file = join(folder, "recording.ndjson");
    await writeFile(file, stdout);
    const mock = await startCommand(["mock", file, "--immediate"], t);
    const product = await startProduct({ config: configFor(`${mock.url}/`), t });
    const played = await converse(product.url);
    assert.deepEqual(played, real);
    assert.equal(mock.child.stderr, "");

    const other = await product.request({ jsonrpc: "2.0", id: 1, method: "never" }, { headers: { prefer: "wait=1" } });
    assert.equal(other.status, 504);
    await mock.child.until(() => /^connection 2: not in the recording: .*"never"/m.test(mock.child.stderr));
    assert.equal((await mock.child.stop("SIGTERM", 5_000)).code, 1);
  });

  test("in STOMP has no secret in its headers and bodies, and is said again", async (t) => {
    const upstream = await startUpstream({
      t,
      subprotocol: ([offered]) => offered,
      onMessage(message, connection) {
        const frame = String(message);
        const receipt = /^receipt:(.*)$/m.exec(frame)?.[1];
        if (frame.startsWith("CONNECT")) connection.send("CONNECTED\nversion:1.2\n\n\0");
        if (receipt === undefined) return;
        if (frame.startsWith("SEND"))
          connection.send(`MESSAGE\nmessage-id:1\nx-token:${CANARY.issued}\n\n{"token":"${CANARY.issued}","n":1}\0`);
        connection.send(`RECEIPT\nreceipt-id:${receipt}\n\n\0`);
      },
    });
    const configOf = (url: string) => ({
      upstreams: { default: { url, protocol: { preset: "stomp", login: CANARY.header, password: CANARY.query } } },
    });
    const config = join(folder, "stomp.json");
    await writeFile(config, JSON.stringify(configOf(upstream.url)));
    const recorded = await startCommand(["record", "--config", config, "--port", "0"], t);
    const order = {
      command: "SEND",
      headers: { destination: "/a", Authorization: CANARY.greeting, receipt: "1" },
      body: { password: CANARY.payload, n: 1 },
    };
    const say = async (url: string) => {
      const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
      const reply = await fetch(`${url}/v1/upstreams/default/request`, init);
      const messages = await (await fetch(`${url}/v1/upstreams/default/messages?wait=5`)).json();
      return [reply.status, await reply.json(), (messages as { messages: readonly object[] }).messages.length];
    };
    const real = await say(recorded.url);
    assert.deepEqual(real, [200, { command: "RECEIPT", headers: { "receipt-id": "1" }, body: "" }, 1]);
    await recorded.child.stop("SIGTERM", 10_000);
    const { stdout } = recorded.child;
    for (const [place, secret] of Object.entries(CANARY)) assert.ok(!stdout.includes(secret.slice(9)), place);
    assert.match(stdout, /accept-version:1\.2/);
    assert.match(stdout, /passcode:\(redacted\)/);

    const file = join(folder, "stomp.ndjson");
    await writeFile(file, stdout);
    const mock = await startCommand(["mock", file, "--immediate"], t);
    const product = await startProduct({ config: configOf(`${mock.url}/`), t });
    assert.deepEqual(await say(product.url), real);
    assert.equal(mock.child.stderr, "");
  });

  test("ends by itself after a time", async () => {
    const ran = await runProduct(["record", "--port", "0", "--for", "100ms"]);
    assert.equal(ran.code, 0, ran.stderr);
    const last = JSON.parse(ran.stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.deepEqual([last.event, last.why], ["end", "time"]);
  });

  test("of which nothing is usable is exit code 2, with the line", async () => {
    const file = join(folder, "broken.ndjson");
    await writeFile(file, '{"recording":1,"protocol":{"module":"tagged.js"}}\n{"event":"sent","text":"a"}\n');
    const ran = await runProduct(["mock", file]);
    assert.deepEqual([ran.code, ran.stdout], [2, ""]);
    assert.match(ran.stderr, /made with the module tagged\.js: give its path with --protocol/);
  });
});
