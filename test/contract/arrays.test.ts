/** Messages that are JSON arrays, over HTTP, in front of upstreams of four dialects. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { startUpstream, type UpstreamConnection } from "../support/upstream.ts";

const any = (...types: readonly number[]) => ({ any: types.map((type) => ({ match: { "/0": type } })) });

const PROTOCOLS = {
  ocpp: {
    id: { out: "/1", in: "/1", kind: "string" },
    reply: any(3, 4),
    answers: [{ when: { match: { "/0": 2, "/2": "Heartbeat" } }, send: [3, null, { at: 1 }], copy: { "/1": "/1" } }],
  },
  phoenix: { id: { out: "/1", in: "/1", kind: "string" }, reply: { match: { "/3": "phx_reply" } } },
  wamp: {
    id: { out: { at: "/1", when: { not: any(1) } }, in: [{ at: "/2", when: any(8) }, "/1"] },
    reply: any(8, 50),
  },
  nostr: {
    id: { out: { at: "/1", when: { match: { "/0": "REQ" } } }, in: "/1", kind: "string" },
    final: [{ match: { "/0": "EOSE" } }],
    collect: {},
    cancel: ["CLOSE", "$id"],
  },
};

const GREETINGS: Readonly<Record<string, unknown>> = {
  wamp: [{ send: [1, "realm1", {}] }, { expect: { match: { "/0": 2 } } }],
};

/** Each upstream's dialect is the path of its URL. */
function upstreamFor([first, id, third, fourth, fifth]: readonly unknown[], connection: UpstreamConnection): void {
  switch (connection.path) {
    case "/ocpp":
      if (first !== 2) return;
      connection.send([2, id, "Heartbeat", {}]);
      connection.send(third === "Reset" ? [3, id, { status: "Accepted" }] : [4, id, "NotSupported", "no", {}]);
      return;
    case "/phoenix":
      connection.send([first, null, third, "shout", { body: "hi" }]);
      connection.send([first, id, third, "phx_reply", { status: "ok", response: fifth }]);
      return;
    case "/wamp":
      if (first === 1) connection.send([2, 1, { realm: id }]);
      else connection.send(fourth === "add" ? [50, id, {}, [3]] : [8, 48, id, {}, "wamp.error.no_such_procedure"]);
      return;
    case "/nostr":
      if (first === "REQ") for (const content of ["a", "b"]) connection.send(["EVENT", id, { content }]);
      if (first === "REQ" && third !== null) connection.send(["EOSE", id]);
      if (first === "EVENT") connection.send(["OK", "e1", true, ""]);
  }
}

test("requests, replies, answers and messages may be arrays", async (t) => {
  const upstream = await startUpstream({
    onMessage: (message, connection) => upstreamFor(JSON.parse(String(message)), connection),
    t,
  });
  const upstreams = Object.fromEntries(
    Object.entries(PROTOCOLS).map(([name, protocol]) => [
      name,
      { url: `${upstream.url}${name}`, protocol: { preset: "json", ...protocol }, greeting: GREETINGS[name] ?? [] },
    ]),
  );
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  const post = (to: string, message: unknown) => product.post(`/v1/upstreams/${to}`, message);
  const ask = async (name: string, message: unknown) => {
    const response = await post(`${name}/request`, message);
    assert.equal(response.headers.get("content-type"), "application/json");
    return response.json();
  };
  const messagesOf = async (name: string, query: string) => {
    const page = await product.fetch(`/v1/upstreams/${name}/messages?after=earliest&${query}`);
    return ((await page.json()) as { messages: { data: unknown }[] }).messages.map(({ data }) => data);
  };

  // Equal ids at once: each gets its own reply.
  const [accepted, refused] = await Promise.all([
    ask("ocpp", [2, "x", "Reset", {}]),
    ask("ocpp", [2, "x", "Reboot", {}]),
  ]);
  assert.deepEqual(accepted, [3, "x", { status: "Accepted" }]);
  assert.deepEqual(refused, [4, "x", "NotSupported", "no", {}]);
  const ocpp = upstream.connections.find(({ path }) => path === "/ocpp");
  await upstream.until(() => ocpp?.texts.filter((text) => /^\[3,"\d+",{"at":1}\]$/.test(text)).length === 2);

  const joined = await ask("phoenix", ["1", null, "room:1", "phx_join", { a: 1 }]);
  assert.deepEqual(joined, ["1", null, "room:1", "phx_reply", { status: "ok", response: { a: 1 } }]);
  const shout = ["1", null, "room:1", "shout", { body: "hi" }];
  assert.deepEqual(await messagesOf("phoenix", "where=/3=shout"), [shout]);
  assert.deepEqual(await messagesOf("phoenix", "where=/3=other"), []);
  const picked = await post("phoenix/request?pick=/4/response/a", ["1", null, "room:1", "phx_join", { a: 7 }]);
  assert.equal(await picked.text(), "7");

  assert.deepEqual(await ask("wamp", [48, null, {}, "add", [1, 2]]), [50, null, {}, [3]]);
  assert.deepEqual(await ask("wamp", [48, 9, {}, "sub"]), [8, 48, 9, {}, "wamp.error.no_such_procedure"]);

  const events = [{ content: "a" }, { content: "b" }].map((event) => ["EVENT", "s", event]);
  assert.deepEqual(await ask("nostr", ["REQ", "s", {}]), [...events, ["EOSE", "s"]]);
  assert.equal((await post("nostr/send", ["EVENT", { kind: 1 }])).status, 204);
  assert.deepEqual(await messagesOf("nostr", "wait=5"), [["OK", "e1", true, ""]]);
  const leaving = new AbortController();
  const left = product.post("/v1/upstreams/nostr/request", ["REQ", "s", null], { signal: leaving.signal });
  const endless = await upstream.until(() => upstream.texts.find((text) => text.endsWith(",null]")));
  leaving.abort();
  await assert.rejects(left);
  const id = JSON.parse(endless)[1];
  await upstream.until(() => upstream.texts.includes(JSON.stringify(["CLOSE", id])));
  const wrong = await post("nostr/request", ["EVENT", { kind: 1 }]);
  assert.equal(wrong.status, 400);
  assert.match(((await wrong.json()) as { detail: string }).detail, /gets no reply: it meets no condition of "\/1"/);
});

test("a place of an id that is none ends the start with what it can be", async () => {
  const config = (id: object) => ({
    upstreams: { default: { url: "ws://127.0.0.1:9/", protocol: { preset: "json", id } } },
  });
  for (const [id, why] of [
    [{ in: "1" }, /protocol\.id\.in\b.*must be a JSON pointer, such as \/id/],
    [{ out: { at: "/1", wen: {} } }, /protocol\.id\.out\.wen\b.*is not a known key \(.*when/],
    [{ in: [] }, /protocol\.id\.in\b.*must have at least one place/],
  ] as const) {
    await assert.rejects(startProduct({ config: config(id) }), (error: Error) => {
      assert.match(error.message, why);
      return true;
    });
  }
});
