/** Presets against upstreams that speak as their documentation says: Home Assistant, and obs-websocket 5. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startFaultUpstream } from "../faults/upstream.ts";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

interface Command {
  readonly id: number;
  readonly type: string;
  readonly access_token?: string;
  readonly delay?: number;
}

/** https://developers.home-assistant.io/docs/api/websocket: it refuses an id that is not larger than the one before. */
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

async function asked(product: Product, body: object): Promise<unknown> {
  const response = await product.request(body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

describe("home-assistant", () => {
  test("logs in with its token, and its ids increase however many ask at once, on every connection", async (t) => {
    const upstream = await startHomeAssistant(t);
    const product = await speaking(upstream, { preset: "home-assistant", token: "the token" }, t);
    const ask = (n: number) => asked(product, { id: "mine", type: "get_states", delay: 50 - n });
    const wanted = { id: "mine", type: "result", success: true, result: { type: "get_states" } };
    for (const reply of await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n))))
      assert.deepEqual(reply, wanted);
    assert.deepEqual(await asked(product, { type: "ping" }), { type: "pong" });
    upstream.last.kill();
    await until(() => upstream.connections.length === 2, { what: "the next connection" });
    await product.ready();
    assert.deepEqual(await ask(0), wanted);
  });

  test("its events are messages, though they bear the id of their subscription", async (t) => {
    const upstream = await startHomeAssistant(t);
    const product = await speaking(upstream, { preset: "home-assistant", token: "the token" }, t);
    const reply = await asked(product, { type: "subscribe_events" });
    assert.deepEqual(reply, { type: "result", success: true, result: { type: "subscribe_events" } });
    const told = async () => ((await product.state()).counters as { messages: number }).messages;
    await until(async () => (await told()) >= 1, { what: "the event" });
  });

  test("a wrong token is refused once, and said; the token is nowhere to be seen", async (t) => {
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
  /** https://github.com/obsproject/obs-websocket: Hello, Identify, Identified; then requests, one of which has no answer. */
  function startObs(t: Cleanup): Promise<Upstream> {
    return startUpstream({
      t,
      subprotocol: (offered) => offered.find((name) => name === "obswebsocket.json"),
      onConnection: (connection) => connection.send({ op: 0, d: { obsWebSocketVersion: "5.6.0", rpcVersion: 1 } }),
      onMessage: (message, connection) => {
        const { op, d } = JSON.parse(String(message)) as { op: number; d: Record<string, unknown> };
        const { requestId, requestType } = d;
        if (op === 1) connection.send({ op: 2, d: { negotiatedRpcVersion: d.rpcVersion } });
        const requestStatus = { result: true, code: 100 };
        connection.send({ op: 5, d: { eventType: "InputNameChanged", eventIntent: 8 } });
        if (op === 6) connection.send({ op: 7, d: { requestType, requestId, requestStatus } });
        if (op === 8) connection.send({ op: 9, d: { requestId, results: [] } });
      },
    });
  }

  test("identifies itself, and asks under ids of the request's own kind, one or several at once", async (t) => {
    const upstream = await startObs(t);
    const product = await speaking(upstream, { preset: "obs" }, t);
    const [one, batch] = await Promise.all([
      asked(product, { op: 6, d: { requestType: "GetVersion", requestId: "mine" } }),
      asked(product, { op: 8, d: { requestId: 8, requests: [] } }),
    ]);
    const requestStatus = { result: true, code: 100 };
    assert.deepEqual(one, { op: 7, d: { requestType: "GetVersion", requestId: "mine", requestStatus } });
    assert.deepEqual(batch, { op: 9, d: { requestId: 8, results: [] } });
    assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { op: 1, d: { rpcVersion: 1 } });
  });

  test("authentication that failed is a refusal, and not tried again soon", async (t) => {
    const upstream = await startFaultUpstream(
      {
        onOpen: (peer) => peer.json({ op: 0, d: {} }),
        onMessage: (peer) => peer.close(4009, "Authentication failed."),
      },
      { t },
    );
    const product = await startProduct({
      config: { upstreams: { default: { url: upstream.url, protocol: "obs", subprotocols: [] } } },
      t,
    });
    await until(async () => ["refused", "waiting"].includes(String((await product.state()).phase)));
    const { phase, last_error } = await product.state();
    assert.equal(phase, "refused");
    assert.match(String(last_error), /4009/);
  });
});

test("an error without an id is what the configuration says, and a kept id travels as it is", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, bad } = JSON.parse(String(message)) as { id: unknown; bad?: boolean };
      connection.send(bad ? { error: "what?" } : { id, ok: true });
    },
  });
  const errors = { when: { has: ["/error"], lacks: ["/id"] }, do: "fail_oldest" };
  const product = await speaking(upstream, { preset: "json", id: { kind: "keep" }, errors }, t);
  assert.deepEqual(await asked(product, { id: "mine", n: 1 }), { id: "mine", ok: true });
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
