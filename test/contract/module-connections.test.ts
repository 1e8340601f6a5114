/** A protocol module that exports a function, which is called for each connection: state of its own, from end to end. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { written } from "./files.ts";

/** Each message carries the token of its connection; each reply says how many frames the connection has brought. */
const MODULE = `
const bytes = new Uint8Array([1, 2]);
export default (connection) => {
  if (connection?.number === 3) throw new Error("no state-" + "today");
  let token = "no-token";
  let frames = 0;
  let ticks = 0;
  return {
    name: "stateful",
    accepts: "any",
    encode: (message, id) => ({ frame: id + " " + token + " " + message }),
    decode(frame) {
      frames++;
      const [first, ...words] = String(frame).split(" ");
      const message = (shown) => ({ type: "message", render: () => shown });
      if (frame instanceof Uint8Array) return message({ bytes: [...frame] });
      if (first === "both") return [message("words"), message(bytes)];
      if (first === "hello") {
        token = words[0];
        connection.tickAfter(0);
      }
      if (!/^[0-9]+$/.test(first)) return message({ [first]: words });
      return { type: "reply", id: Number(first), render: () => words.join(" ") + " " + frames };
    },
    toWire: (frame) => new TextEncoder().encode(frame),
    opened: () => [new Uint8Array([connection.number]), "opened"],
    tick() {
      connection.tickAfter(20);
      if (++ticks === 3) throw new Error("no tick-" + "today");
      return "tick " + ticks;
    },
    end: () => console.log("ended-" + connection.number + "-" + frames),
  };
};`;

describe("a module that exports a function", () => {
  let upstream: Upstream;
  let product: Product;
  let removeModule = async () => {};
  before(async () => {
    upstream = await startUpstream({
      onConnection(connection) {
        for (const frame of [`hello token-${connection.number}`, "both", new Uint8Array([9]), "welcome"])
          connection.send(frame);
      },
      onMessage: (message, connection) => {
        if (typeof message === "string" && /^[0-9]/.test(message)) connection.send(message);
      },
    });
    const protocol = await written({ after: (end) => (removeModule = end) }, "stateful.mjs", MODULE);
    const greeting = [{ send: "greeting" }, { expect: { has: ["/welcome"] } }];
    const main = {
      url: upstream.url,
      protocol,
      greeting,
      farewell: [{ send: "bye" }],
      keepalive: { heartbeat: { send: "beat", every: "30ms" } },
      reconnect: { from: "20ms", to: "50ms", rotate: { on: { has: ["/rotate"] } } },
    };
    product = await startProduct({ config: { upstreams: { main } } });
    await product.ready();
  });
  after(async () => {
    await product.stop();
    await upstream.stop();
    await removeModule();
  });
  const text = async (body: string) =>
    (await product.request(body, { headers: { "content-type": "text/plain" } })).text();
  const wire = (frame: string) => new TextEncoder().encode(frame);
  const logged = (pattern: RegExp) => until(() => pattern.test(product.stderr()));

  test("sends frames when a connection has opened, bytes too, before the greeting, and when it is ticked", async () => {
    const connection = upstream.connections[0];
    await until(() => connection?.texts.includes("tick 4"));
    const isBeat = (message: unknown) => message instanceof Uint8Array && String(message) === String(wire("beat"));
    await until(() => connection?.messages.some(isBeat), { what: "a heartbeat in the form of the wire" });
    const sent = [new Uint8Array([1]), "opened", wire("greeting"), "tick 1", "tick 2", "tick 4"];
    assert.deepEqual(connection?.messages.filter((message) => !isBeat(message)).slice(0, 6), sent);
    await logged(/the protocol's tick threw: Error: no tick-today.*stateful\.mjs:\d+:\d+/);
  });

  test("decides the form of the messages that are kept, those of the greeting too, and that conditions see", async () => {
    const page = await (await product.fetch("/v1/upstreams/main/messages?after=earliest&limit=4")).json();
    const { messages } = page as { messages: readonly { data: unknown; encoding?: string }[] };
    const kept = messages.map(({ data, encoding = "none" }) => [data, encoding]);
    const expected = [[{ hello: ["token-1"] }], ["words"], ["AQI=", "base64"], [{ bytes: [9] }]];
    assert.deepEqual(
      kept,
      expected.map(([data, encoding = "none"]) => [data, encoding]),
    );
  });

  test("has state for each connection, is told of each frame once and of the end, and fails alone", async () => {
    assert.equal(await text("a"), "token-1 a 5");
    assert.equal(await text("b"), "token-1 b 6");
    upstream.connections[0]?.close(1001);
    await logged(/stateful\.mjs.*ended-1-6/);
    await until(async () => (await product.state()).phase === "ready");
    assert.equal(await text("c"), "token-2 c 5");
    upstream.connections[1]?.close(1001);
    await logged(/the protocol's function threw: Error: no state-today.*stateful\.mjs:4:\d+/);
    await until(() => upstream.connections.length === 4);
    await until(async () => (await product.state()).phase === "ready");
    const { last_error, last_cause } = await product.state();
    assert.match(String(last_error), /^the protocol module cannot serve the connection: .* which is in the log$/);
    assert.equal(last_cause, "module");
    assert.equal(await text("d"), "token-4 d 5");
  });

  test("is ticked until a rotation or the exit closes the connection, and told of that end", async () => {
    const [former, next] = [() => upstream.connections[3], () => upstream.connections[4]];
    await until(() => former()?.texts.includes("tick 5"));
    former()?.send("rotate now");
    await until(() => former()?.closed, { what: "the end of the former connection" });
    assert.deepEqual(former()?.messages.at(-1), wire("bye"), "no tick follows the farewell");
    await product.said(/ended-4-6/);
    await until(() => next()?.texts.includes("tick 5"), { what: "ticks of the next connection" });
    assert.equal((await product.stop()).code, 0);
    await product.said(/ended-5-4/);
    assert.equal(next()?.closed?.code, 1001);
    assert.deepEqual(next()?.messages.at(-1), wire("bye"));
    assert.doesNotMatch(product.stderr(), /tick threw: TypeError/, "a connection that is gone was ticked");
  });
});

/** Sends more than can go out: when it has opened, or on its ticks. */
const GREEDY = (when: "opened" | "tick", bytes = 2_000) => `
export default (connection) => {
  connection?.tickAfter(50);
  return {
    name: "greedy",
    accepts: "any",
    encode: (message, id) => ({ frame: id + " " + message }),
    decode: () => ({ type: "message" }),
    ${when}() {
      connection.tickAfter(10);
      return new Uint8Array(${bytes});
    },
  };
};`;

test("a connection whose module sends a frame beyond limits.buffered_bytes is given up, and says so", async (t) => {
  const upstream = await startUpstream({
    t,
    onConnection: ({ path, socket }) => path === "/unread" && socket.pause(),
  });
  const [opened, tick, unread] = [
    await written(t, "opened.mjs", GREEDY("opened")),
    await written(t, "tick.mjs", GREEDY("tick")),
    await written(t, "unread.mjs", GREEDY("tick", 900_000)),
  ];
  const settings = {
    url: upstream.url,
    limits: { request_bytes: "1000B", buffered_bytes: "1000B" },
    reconnect: { from: "10s", to: "10s" },
  };
  const expect = { text: "never" };
  const product = await startProduct({
    config: {
      upstreams: {
        opened: { ...settings, protocol: opened },
        greeting: { ...settings, protocol: tick, greeting: [{ expect }] },
        ready: { ...settings, protocol: tick },
        unread: { ...settings, url: `${upstream.url}unread`, protocol: unread, limits: { buffered_bytes: "1MiB" } },
      },
    },
    t,
  });
  for (const [name, cause] of [
    ["opened", "module"],
    ["greeting", "module"],
    ["ready", "renewed"],
    ["unread", "renewed"],
  ] as const) {
    await until(async () => (await product.state(name)).phase === "waiting", { what: `${name} to be given up` });
    const { last_cause, last_error } = await product.state(name);
    assert.equal(last_cause, cause);
    const fault =
      name === "unread" ? "its protocol sends more than the upstream reads" : "a frame of its protocol is larger";
    assert.ok(String(last_error).includes(fault), String(last_error));
    assert.match(String(last_error), /than limits\.buffered_bytes/);
  }
});
