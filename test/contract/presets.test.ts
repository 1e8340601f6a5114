/** Presets against upstreams that behave as their documentation says: Home Assistant and obs-websocket 5. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { Sidecar } from "../../src/index.ts";
import { type Product, runProduct, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

interface Command {
  readonly id: number;
  readonly type: string;
  readonly access_token?: string;
  readonly delay?: number;
}

/** https://developers.home-assistant.io/docs/api/websocket: it refuses an id that is not larger than the last one. */
function startHomeAssistant(t: Cleanup): Promise<Upstream> {
  const lastIds = new Map<UpstreamConnection, number>();
  return startUpstream({
    t,
    onConnection: (connection) => connection.send({ type: "auth_required", ha_version: "2026.11.0" }),
    onMessage: (message, connection) => {
      const command = JSON.parse(String(message)) as Command;
      const { id, type } = command;
      const last = lastIds.get(connection);
      if (last === undefined) {
        const good = type === "auth" && command.access_token === "the token";
        connection.send(good ? { type: "auth_ok" } : { type: "auth_invalid", message: "Invalid password" });
        if (good) lastIds.set(connection, 0);
        else connection.close();
        return;
      }
      const error = { code: "id_reuse", message: "Identifier values have to increase." };
      if (!(Number.isInteger(id) && id > last)) return connection.send({ id, type: "result", success: false, error });
      lastIds.set(connection, id);
      if (type === "ping") return connection.send({ id, type: "pong" });
      connection.later(command.delay ?? 0, () => {
        connection.send({ id, type: "result", success: true, result: { type } });
        if (type === "subscribe_events") connection.send({ id, type: "event", event: { event_type: "test" } });
      });
    },
  });
}

function speaking(upstream: Upstream, protocol: object, t: Cleanup): Promise<Product> {
  const reconnect = { from: "20ms", to: "100ms", refused: "1h" };
  return startProduct({ config: { upstreams: { default: { url: upstream.url, protocol, reconnect } } }, t });
}

async function resultOf(product: Product, body: object): Promise<unknown> {
  const response = await product.request(body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

describe("home-assistant", () => {
  test("logs in with its token, and sends increasing ids on every connection under concurrency", async (t) => {
    const upstream = await startHomeAssistant(t);
    const product = await speaking(upstream, { preset: "home-assistant", token: "the token" }, t);
    const send = (n: number) => resultOf(product, { id: "mine", type: "get_states", delay: 50 - n });
    const wanted = { id: "mine", type: "result", success: true, result: { type: "get_states" } };
    for (const reply of await Promise.all(Array.from({ length: 50 }, (_, n) => send(n))))
      assert.deepEqual(reply, wanted);
    assert.deepEqual(await resultOf(product, { type: "ping" }), { type: "pong" });
    upstream.last.kill();
    await until(() => upstream.connections.length === 2, { what: "the next connection" });
    await product.ready();
    assert.deepEqual(await send(0), wanted);
  });

  test("events are messages, although they carry the id of their subscription", async (t) => {
    const upstream = await startHomeAssistant(t);
    const product = await speaking(upstream, { preset: "home-assistant", token: "the token" }, t);
    const reply = await resultOf(product, { type: "subscribe_events" });
    assert.deepEqual(reply, { type: "result", success: true, result: { type: "subscribe_events" } });
    const messageCount = async () => ((await product.state()).counters as { messages: number }).messages;
    await until(async () => (await messageCount()) >= 1, { what: "the event" });
  });

  test("a wrong token is refused once and reported, without showing the token", async (t) => {
    const upstream = await startHomeAssistant(t);
    const product = await speaking(upstream, { preset: "home-assistant", token: "the-wrong-one" }, t);
    await until(async () => (await product.state()).phase === "refused", { what: "the login to be refused" });
    const response = await product.request({ type: "ping" });
    assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [502, "login_refused"]);
    await response.body?.cancel();
    assert.equal(upstream.connections.length, 1);
    assert.ok(!product.child.output().includes("the-wrong-one"));
  });
});

describe("obs", () => {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64");

  /**
   * https://github.com/obsproject/obs-websocket: Hello, Identify, Identified, then requests, one of which gets no
   * reply. With a `password` it demands the response to a challenge that differs for each connection.
   */
  function startObs(t: Cleanup, password?: string): Promise<Upstream> {
    const salt = sha256("salt");
    const challengeOf = (connection: UpstreamConnection) => sha256(`challenge ${connection.number}`);
    return startUpstream({
      t,
      subprotocol: (offered) => offered.find((name) => name === "obswebsocket.json"),
      onConnection: (connection) => {
        const authentication = password === undefined ? undefined : { challenge: challengeOf(connection), salt };
        connection.send({ op: 0, d: { obsWebSocketVersion: "5.6.0", rpcVersion: 1, authentication } });
      },
      onMessage: (message, connection) => {
        const { op, d } = JSON.parse(String(message)) as { op: number; d: Record<string, unknown> };
        const { requestId, requestType } = d;
        if (op === 1) {
          const answer = sha256(sha256(`${password}${salt}`) + challengeOf(connection));
          if (password !== undefined && d.authentication !== answer)
            return connection.close(4009, "Authentication failed.");
          connection.send({ op: 2, d: { negotiatedRpcVersion: d.rpcVersion } });
        }
        const requestStatus = { result: true, code: 100 };
        connection.send({ op: 5, d: { eventType: "InputNameChanged", eventIntent: 8 } });
        if (op === 6) connection.send({ op: 7, d: { requestType, requestId, requestStatus } });
        if (op === 8) connection.send({ op: 9, d: { requestId, results: [] } });
      },
    });
  }

  test("identifies itself and sends requests, single or concurrent, under ids of their own kind", async (t) => {
    const upstream = await startObs(t);
    const product = await speaking(upstream, { preset: "obs" }, t);
    const [one, batch] = await Promise.all([
      resultOf(product, { op: 6, d: { requestType: "GetVersion", requestId: "mine" } }),
      resultOf(product, { op: 8, d: { requestId: 8, requests: [] } }),
    ]);
    const requestStatus = { result: true, code: 100 };
    assert.deepEqual(one, { op: 7, d: { requestType: "GetVersion", requestId: "mine", requestStatus } });
    assert.deepEqual(batch, { op: 9, d: { requestId: 8, results: [] } });
    assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { op: 1, d: { rpcVersion: 1 } });
  });

  const PASSWORD = "canary pässword";

  test("logs in with its password on every connection, without showing the password", async (t) => {
    const upstream = await startObs(t, PASSWORD);
    const protocol = { preset: "obs", password: "${OBS_PASSWORD}", events: 0 };
    const settings = { url: upstream.url, protocol, reconnect: { from: "20ms", to: "100ms" } };
    const env = { OBS_PASSWORD: PASSWORD };
    const config = { upstreams: { default: settings } };
    const product = await startProduct({ config, env, args: ["--log-level", "trace"], t });
    const makeRequest = async () => {
      const reply = await resultOf(product, { op: 6, d: { requestType: "GetVersion" } });
      assert.equal((reply as { op: number }).op, 7);
    };
    await makeRequest();
    upstream.last.kill();
    await until(() => upstream.connections.length === 2, { what: "the next connection" });
    await product.ready();
    await makeRequest();
    const state = JSON.stringify(await product.state());
    assert.doesNotMatch([...upstream.texts, state, product.child.output()].join(), /canary/);
  });

  test("a password in a file is read for every attempt", async (t) => {
    const upstream = await startObs(t, PASSWORD);
    const file = await written(t, "password", "an old one\n");
    const protocol = { preset: "obs", password: `\${file:${file}}` };
    const settings = { url: upstream.url, protocol, reconnect: { from: "20ms", to: "100ms", refused: "200ms" } };
    const product = await startProduct({ config: { upstreams: { default: settings } }, t });
    await until(async () => (await product.state()).phase === "refused", { what: "the old password to be refused" });
    await writeFile(file, PASSWORD);
    await product.ready();
    assert.equal(((await resultOf(product, { op: 8, d: { requests: [] } })) as { op: number }).op, 9);
  });

  for (const [what, password] of [
    ["a wrong password", { password: "canary wrong" }],
    ["no password although one is required", {}],
  ] as const) {
    test(`${what} is a refused login that is not retried soon`, async (t) => {
      const upstream = await startObs(t, PASSWORD);
      const product = await speaking(upstream, { preset: "obs", ...password }, t);
      await until(async () => (await product.state()).phase === "refused", { what: "the login to be refused" });
      const response = await product.request({ op: 6, d: { requestType: "GetVersion" } });
      const detail = /refused the greeting.*4009 \(Authentication failed/;
      await problem(response, { status: 502, code: "login_refused", sent: "no", detail });
      assert.equal(upstream.connections.length, 1);
      assert.doesNotMatch([...upstream.texts, product.child.output()].join(), /canary/);
    });
  }

  test("a password that the server does not require is ignored", async (t) => {
    const upstream = await startObs(t);
    const product = await speaking(upstream, { preset: "obs", password: PASSWORD }, t);
    await resultOf(product, { op: 8, d: { requests: [] } });
    assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { op: 1, d: { rpcVersion: 1 } });
  });
});

describe("text with ids", () => {
  /** Lines `#12 get /lamp`, answered out of order by `#12 OK get /lamp`, after an acknowledgement. */
  function startLines(t: Cleanup): Promise<Upstream> {
    return startUpstream({
      t,
      onMessage: (message, connection) => {
        const [, id, text = ""] = /^#(\w+) (.*)$/s.exec(String(message)) ?? [];
        if (id === undefined) return connection.send("ERR what?");
        connection.send(`#${id} ACK`);
        connection.send(`* somebody said ${text}`);
        connection.later(Number(/\d+$/.exec(text)?.[0] ?? 0), () => connection.send(`#${id} OK ${text}`));
      },
    });
  }
  const rules = { skip: ["^#\\w+ ACK$"], errors: { when: "^ERR ", do: "fail_oldest" } };
  const plain = { headers: { "content-type": "text/plain" } };

  test("concurrent requests get their own replies without our id; a line without one is a message", async (t) => {
    const upstream = await startLines(t);
    const id = { out: "#$id $message", in: "^(?<cut>#(?<id>\\d+) )" };
    const product = await speaking(upstream, { preset: "text", id, ...rules }, t);
    const requests = Array.from({ length: 50 }, async (_, n) => {
      const response = await product.request(`wait ${50 - n}`, plain);
      assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
      assert.equal(await response.text(), `OK wait ${50 - n}`);
    });
    await Promise.all(requests);
    assert.match(upstream.texts[0] ?? "", /^#\d+ wait \d+$/);
    assert.equal(new Set(upstream.texts.map((line) => line.split(" ")[0])).size, 50);
    const { counters, protocol } = (await product.state()) as { counters: Record<string, number>; protocol: string };
    assert.deepEqual([protocol, counters.replies, counters.messages, counters.late], ["text", 50, 100, 0]);
  });

  test("the caller's own id is replaced on the wire and restored; a kept id travels unchanged", async (t) => {
    const id = { out: "^#(?<id>\\w+) ", in: "^#(?<id>\\w+) " };
    for (const kind of ["int", "keep"]) {
      const upstream = await startLines(t);
      const product = await speaking(upstream, { preset: "text", id: { ...id, kind }, ...rules }, t);
      const response = await product.request("#mine get /lamp", plain);
      assert.equal(await response.text(), "#mine OK get /lamp");
      assert.match(upstream.texts.at(-1) ?? "", kind === "keep" ? /^#mine get/ : /^#\d+ get/);
      const without = await product.request("get /lamp", plain);
      await problem(without, { status: 400, code: "invalid_request", sent: "no", detail: /no id: the pattern/ });
      const pending = product.request("#other wait 5000", plain);
      await upstream.until(() => upstream.texts.some((line) => line.endsWith("wait 5000")));
      const sent = await product.post("/v1/upstreams/default/send", "rubbish", plain);
      assert.equal(sent.status, 204);
      await problem(await pending, { status: 502, code: "invalid_reply", sent: "yes" });
    }
  });

  test("an invalid pattern ends the start with code 2, which names it and its place", async (t) => {
    const upstream = await startLines(t);
    const file = await written(
      t,
      "lines.yaml",
      [
        "upstreams:",
        "  default:",
        `    url: ${upstream.url}`,
        `    protocol: { preset: text, id: { out: "#$id $message", in: "^#(" } }`,
        "",
      ].join("\n"),
    );
    for (const args of [
      ["check-config", file],
      ["--config", file, "--port", "0"],
    ]) {
      const { code, stdout, stderr } = await runProduct(args);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /lines\.yaml:4:63: upstreams\.default\.protocol\.id\.in: must be an RE2 pattern: missing/);
    }
    const options = { url: upstream.url, protocol: { preset: "text", id: { out: "#", in: "#" } } } as const;
    await assert.rejects(Sidecar.start(options), { code: "invalid_config", message: /id\.out must have a group/ });
  });
});

test("an error without an id fails what the configuration says, and a kept id travels unchanged", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, bad } = JSON.parse(String(message)) as { id: unknown; bad?: boolean };
      connection.send(bad ? { error: "what?" } : { id, ok: true });
    },
  });
  const errors = { when: { has: ["/error"], lacks: ["/id"] }, do: "fail_oldest" };
  const product = await speaking(upstream, { preset: "json", id: { kind: "keep" }, errors }, t);
  assert.deepEqual(await resultOf(product, { id: "mine", n: 1 }), { id: "mine", ok: true });
  assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { id: "mine", n: 1 });
  const failed = await product.request({ id: "other", bad: true });
  assert.deepEqual(
    [failed.status, failed.headers.get("sidesocket-code"), failed.headers.get("sidesocket-sent")],
    [502, "invalid_reply", "maybe"],
  );
  await failed.body?.cancel();
  const nameless = await product.request({ n: 1 });
  assert.equal(nameless.status, 400);
  assert.match(await nameless.text(), /keeps your id/);
});
