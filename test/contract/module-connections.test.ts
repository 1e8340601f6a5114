/** A protocol module that exports a function, which is called for each connection: state of its own, from end to end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { written } from "./files.ts";

/** Each message carries the token of its connection; each reply says how many frames the connection has brought. */
const MODULE = `
export default (connection) => {
  if (connection?.number === 3) throw new Error("no state-" + "today");
  let token = "no-token";
  let frames = 0;
  return {
    name: "stateful",
    accepts: "any",
    encode: (message, id) => ({ frame: id + " " + token + " " + message }),
    decode(frame) {
      frames++;
      const [first, ...words] = String(frame).split(" ");
      if (first === "hello") token = words[0];
      if (!/^[0-9]+$/.test(first)) return { type: "message" };
      return { type: "reply", id: Number(first), render: () => words.join(" ") + " " + frames };
    },
    end: () => console.log("ended-" + connection.number + "-" + frames),
  };
};`;

describe("a module that exports a function", () => {
  test("has state for each connection, is told of each frame once and of the end, and fails alone", async (t) => {
    const upstream = await startUpstream({
      t,
      onConnection: (connection) => connection.send(`hello token-${connection.number}`),
      onMessage: (message, connection) => connection.send(message),
    });
    const protocol = await written(t, "stateful.mjs", MODULE);
    const greeting = [{ expect: { text: "^hello" } }];
    const main = { url: upstream.url, protocol, greeting, reconnect: { from: "20ms", to: "50ms" } };
    const product = await startProduct({ config: { upstreams: { main } }, t });
    const text = async (body: string) =>
      (await product.request(body, { headers: { "content-type": "text/plain" } })).text();
    const logged = (pattern: RegExp) => until(() => pattern.test(product.stderr()));

    await product.ready();
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
    assert.equal((await product.stop()).code, 0);
    assert.match(product.stderr(), /ended-4-2/);
  });
});
