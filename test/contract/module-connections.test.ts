/** A protocol module that exports a function, which is called for each connection: state of its own, from end to end. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { written } from "./files.ts";

/** Each message carries the token of its connection; each reply says how many frames the connection has brought. */
const MODULE = `
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
      if (first === "hello") {
        token = words[0];
        connection.tickAfter(0);
      }
      if (!/^[0-9]+$/.test(first)) return { type: "message" };
      return { type: "reply", id: Number(first), render: () => words.join(" ") + " " + frames };
    },
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
      onConnection: (connection) => connection.send(`hello token-${connection.number}`),
      onMessage: (message, connection) => {
        if (typeof message === "string" && /^[0-9]/.test(message)) connection.send(message);
      },
    });
    const protocol = await written({ after: (end) => (removeModule = end) }, "stateful.mjs", MODULE);
    const greeting = [{ send: "greeting" }, { expect: { text: "^hello" } }];
    const main = { url: upstream.url, protocol, greeting, reconnect: { from: "20ms", to: "50ms" } };
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
  const logged = (pattern: RegExp) => until(() => pattern.test(product.stderr()));

  test("sends frames when a connection has opened, bytes too, before the greeting, and when it is ticked", async () => {
    const connection = upstream.connections[0];
    await until(() => connection?.texts.includes("tick 4"));
    assert.deepEqual(connection?.messages[0], new Uint8Array([1]));
    assert.deepEqual(connection?.texts.slice(0, 5), ["opened", "greeting", "tick 1", "tick 2", "tick 4"]);
    await logged(/the protocol's tick threw: Error: no tick-today.*stateful\.mjs:\d+:\d+/);
  });

  test("has state for each connection, is told of each frame once and of the end, and fails alone", async () => {
    assert.equal(await text("a"), "token-1 a 2");
    assert.equal(await text("b"), "token-1 b 3");
    upstream.connections[0]?.close(1001);
    await logged(/stateful\.mjs.*ended-1-3/);
    await until(async () => (await product.state()).phase === "ready");
    assert.equal(await text("c"), "token-2 c 2");
    upstream.connections[1]?.close(1001);
    await logged(/the protocol's function threw: Error: no state-today.*stateful\.mjs:3:\d+/);
    await until(() => upstream.connections.length === 4);
    await until(async () => (await product.state()).phase === "ready");
    const { last_error, last_cause } = await product.state();
    assert.match(String(last_error), /^the protocol module cannot serve the connection: .* which is in the log$/);
    assert.equal(last_cause, "module");
    assert.equal(await text("d"), "token-4 d 2");
  });

  test("is ticked until the exit closes the connection, and told of that end", async () => {
    const connection = upstream.connections[3];
    await until(() => connection?.texts.includes("tick 5"));
    assert.equal((await product.stop()).code, 0);
    assert.match(product.stderr(), /ended-4-2/);
    assert.equal(connection?.closed?.code, 1001);
    assert.doesNotMatch(product.stderr(), /tick threw: TypeError/, "a connection that is gone was ticked");
  });
});
