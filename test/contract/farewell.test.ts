/** The farewell of a connection that is closed in order: at the exit and after a rotation, and never for long. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { startUpstream, type UpstreamConnection } from "../support/upstream.ts";

interface Rpc {
  readonly id?: number;
  readonly method: string;
}

const farewell = [
  { send: { jsonrpc: "2.0", id: "bye", method: "bye" }, expect: { match: { "/id": "bye" }, within: "30s" } },
  { send: { jsonrpc: "2.0", method: "gone" } },
];

const methods = ({ texts }: UpstreamConnection) => texts.map((text) => (JSON.parse(text) as Rpc).method);

test("a connection says its farewell before its close frame, if it was ready, and waits a bounded time", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage(message, connection) {
      if (connection.path === "/lines") connection.send(`you said ${message}`);
      if (message === "QUIT") for (const reply of ["OK 1", "OK bye"]) connection.send(reply);
      if (connection.path !== "/calls") return;
      const { id, method } = JSON.parse(String(message)) as Rpc;
      if (method === "hold") return;
      // The last words of an upstream on its way out are no part of the farewell.
      if (method === "bye") connection.send({ jsonrpc: "2.0", method: "so soon" });
      if (id !== undefined) connection.send({ jsonrpc: "2.0", id, result: method });
    },
  });
  const rotate = { on: { match: { "/method": "going" } } };
  const at = (path: string, more: object) => ({ url: `${upstream.url}${path}`, ...more });
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        calls: at("calls", { farewell, reconnect: { rotate } }),
        lines: at("lines", {
          protocol: "text",
          farewell: [{ send: "BYE", expect: "^you said BYE$" }, { send: "${conn:never}" }, { send: "unsaid" }],
          capture: [{ when: "^never (?<said>.*)", values: { never: "$said" } }],
        }),
        silent: at("silent", { farewell }),
        ordered: at("ordered", { protocol: "text", farewell: [{ send: "QUIT", expect: "^OK" }] }),
        greeting: at("greeting", {
          farewell,
          greeting: [{ expect: { match: {}, within: "30s" } }],
          required: false,
        }),
      },
      shutdown: { drain: "0s", close: "1s" },
    },
  });
  await product.ready();
  const on = (path: string) => upstream.connections.filter((connection) => connection.path === `/${path}`);
  await upstream.until(() => on("greeting").length === 1);

  const [first] = on("calls");
  assert.ok(first);
  first.send({ jsonrpc: "2.0", method: "going" });
  await upstream.until(() => first.closed, { what: "the end of the first connection" });
  assert.deepEqual(methods(first), ["bye", "gone"]);
  assert.notEqual((JSON.parse(first.texts[0] ?? "") as Rpc).id, "bye", "its id is one of ours");
  const page = await product.fetch("/v1/upstreams/calls/messages?after=earliest");
  const { messages } = (await page.json()) as { messages: readonly { readonly data: Rpc }[] };
  assert.deepEqual(
    messages.map(({ data }) => data.method),
    ["going", "so soon"],
  );

  const held = product.post("/v1/upstreams/calls/request", { jsonrpc: "2.0", id: 1, method: "hold" });
  await upstream.until(() => on("calls").some(({ texts }) => texts.some((text) => text.includes("hold"))));
  const ordered = product.post("/v1/upstreams/ordered/request", "FIRST");
  await upstream.until(() => on("ordered")[0]?.texts.length === 1);
  await product.stop();
  assert.equal((await held).status, 503);
  assert.equal((await ordered).status, 503, "nothing that the farewell brings is taken for its reply");
  assert.deepEqual(on("ordered")[0]?.texts, ["FIRST"]);
  assert.deepEqual(methods(on("calls")[1] as UpstreamConnection), ["hold", "bye", "gone"]);
  assert.deepEqual(on("lines")[0]?.texts, ["BYE"]);
  assert.deepEqual(methods(on("silent")[0] as UpstreamConnection), ["bye", "gone"], "the rest is said all the same");
  assert.deepEqual(on("greeting")[0]?.texts, [], "it was never greeted");
  for (const { closed, path } of upstream.connections) assert.equal(closed?.code, 1001, path);
  const { forced, steps } = product.report();
  const close = steps.find(({ step }) => step === "close");
  assert.equal(forced, false);
  assert.ok(close && close.ms >= 490, `the silent one has half of the time: ${close?.ms} ms`);
});

test("a session of WAMP is left with one goodbye, whichever side says it first", async (t) => {
  const [HELLO, WELCOME, GOODBYE] = [1, 2, 6];
  const upstream = await startUpstream({
    t,
    subprotocol: ([offered]) => offered,
    onMessage(message, connection) {
      const [kind, , why] = JSON.parse(String(message));
      if (kind === HELLO) connection.send([WELCOME, connection.number, {}]);
      // A router that leaves its socket open: whatever is said after the goodbyes would be seen.
      if (kind === GOODBYE && why === "wamp.close.close_realm")
        connection.send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
    },
  });
  const wamp = (path: string, rest: object = {}) => ({ url: upstream.url + path, protocol: "wamp", ...rest });
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        router: wamp("router"),
        noticing: wamp("noticing", { reconnect: { rotate: { on: { match: { "/0": "leaving" } } } } }),
        staying: wamp("staying", { reconnect: { rotate: null } }),
      },
    },
  });
  await product.ready();
  const at = (path: string) => upstream.connections.filter((connection) => connection.path === `/${path}`);
  const [router, noticing, staying] = [at("router")[0], at("noticing")[0], at("staying")[0]];
  assert.ok(router && noticing && staying);
  router.send([GOODBYE, {}, "wamp.close.system_shutdown"]);
  noticing.send(["leaving"]);
  staying.send([GOODBYE, {}, "wamp.close.system_shutdown"]);
  await upstream.until(() => router.closed && noticing.closed, {
    what: "the ends of the connections that are replaced",
  });
  await upstream.until(() => staying.texts.length === 2, { what: "the answer on the one that stays" });
  await product.stop();
  const goodbyes = (path: string) => at(path).map(({ texts }) => texts.slice(1).map((text) => JSON.parse(text)));
  const [answer, farewell] = [
    [GOODBYE, {}, "wamp.close.goodbye_and_out"],
    [GOODBYE, {}, "wamp.close.close_realm"],
  ];
  assert.deepEqual(goodbyes("router"), [[answer], [farewell]]);
  assert.deepEqual(goodbyes("noticing"), [[farewell], [farewell]], "its condition says nothing about the session");
  assert.deepEqual(goodbyes("staying"), [[answer]], "its session is over all the same");
  for (const { closed } of upstream.connections) assert.equal(closed?.code, 1001);
  assert.equal(product.report().forced, false);
});
