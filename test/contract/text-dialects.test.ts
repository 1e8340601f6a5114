/** A protocol of lines by configuration alone: login, heartbeat, subscriptions, refusals, and JSON among the lines. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Item, page } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const plain = { headers: { "content-type": "text/plain" } };

/** A board of topics: `+` and `-` begin replies, everything else comes by itself. */
function linesAfter(line: string): readonly string[] {
  const [word = "", first = "", second = ""] = line.split(" ");
  switch (word) {
    case "LOGIN":
      return second === "right" ? ["+LOGIN"] : [`-LOGIN [403] no such password (${second})`];
    case "BEAT":
      return [`+BEAT ${first}`];
    case "SUB":
      if (first !== "news") return ["-SUB [404] no such topic"];
      return ["EVENT 170 before", "+SUB 17 news", "EVENT 17 one", "EVENT 170 other", "EVENT 17 two"];
    case "UNSUB":
      return [`+UNSUB ${first}`];
    case "GET":
      return ["NOTE reading", '{"note":{"n":7}}', `+GET ${first}`];
    case "SHOW":
      return [`{"shown":"${first}"}`];
    default:
      return [];
  }
}

const items = async (product: Product, path: string): Promise<readonly Item[]> =>
  (await page(product, "", path)).messages;

const settings = (url: string, password: string) => ({
  url,
  protocol: {
    preset: "text",
    reply: { any: ["^[+-]", { has: ["/shown"] }] },
    answers: [{ when: "^PING (?<token>.*)", send: "PONG $token" }],
  },
  capture: [{ when: "^HELLO (?<session>\\S+) every (?<every>\\d+)", values: { session: "$session", every: "$every" } }],
  greeting: [
    { expect: "^HELLO " },
    {
      send: `LOGIN \${conn:session} ${password}`,
      expect: "^[+]LOGIN",
      reject: "^-LOGIN \\[\\d+\\] (?<detail>no such password)",
    },
  ],
  keepalive: {
    heartbeat: { send: "BEAT ${conn:session}", every: "${conn:every}ms", expect: "^[+]BEAT" },
  },
  reconnect: { from: "20ms", to: "50ms", refused: "30s" },
  required: false,
});

const named = (text: string) => ({ text, match: { $n: "$id" } });
const topic = (name: string) => ({
  name,
  request: `SUB ${name}`,
  id: "$n",
  agreed: "^[+]SUB (?<n>\\d+)",
  refused: "^-SUB (?<detail>.*)",
  ...named("^EVENT (?<n>\\d+) "),
  ended: named("^[+]UNSUB (?<n>\\d+)"),
  unsubscribe: "UNSUB $id",
});

describe("a protocol of lines", () => {
  const cleanups: (() => unknown)[] = [];
  const t: Cleanup = { after: (cleanup) => cleanups.push(cleanup) } as Cleanup;
  let upstream: Upstream;
  let product: Product;
  const state = (name: string) => product.state(name);

  before(async () => {
    upstream = await startUpstream({
      t,
      onConnection: (connection) => {
        for (const line of ["HELLO s7 every 100", "PING t1"]) connection.send(line);
      },
      onMessage: (message, connection) => {
        for (const line of linesAfter(String(message))) connection.send(line);
      },
    });
    const id = { out: "$message @$id", in: "^(?:OK|NO)(?<cut> @(?<id>\\d+))" };
    const errors = { when: "^ERR \\d+ (?<detail>.*)", do: "fail_oldest" };
    const tagged = await startUpstream({
      t,
      onMessage: (message, connection) => {
        const [, text, wire] = /^(.*) @(\d+)$/.exec(String(message)) ?? [];
        connection.send(text === "bad" ? "ERR 400 what is bad?" : `OK @${wire} ${text}`);
      },
    });
    const config = {
      upstreams: {
        default: settings(upstream.url, "right"),
        refused: settings(upstream.url, "wrong"),
        tagged: { url: tagged.url, protocol: { preset: "text", id, errors } },
      },
    };
    product = await startProduct({ config, t });
    await until(async () => (await state("default")).phase === "ready", { what: "the login" });
    await until(async () => (await state("tagged")).phase === "ready", { what: "the other one" });
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  test("a value from the banner goes into the login and the heartbeat, whose replies reach nobody", async () => {
    const connection = () => upstream.connections.find(({ texts }) => texts.some((text) => text.includes("right")));
    const beats = () => connection()?.texts.filter((text) => text === "BEAT s7") ?? [];
    await until(() => beats().length >= 2, { what: "two heartbeats" });
    assert.ok(connection()?.texts.includes("LOGIN s7 right"));
    const { counters, captured } = (await state("default")) as Record<string, Record<string, unknown>>;
    assert.equal(counters?.unclaimed, 0);
    assert.deepEqual(captured?.session, { present: true, secret: false, keep: false, value: "s7", fault: null });
  });

  test("what the upstream asks is answered with what its pattern has found, also during the login", async () => {
    const texts = () => upstream.connections.flatMap((connection) => connection.texts);
    await until(() => texts().includes("PONG t1"), { what: "the answer" });
  });

  test("a refused login is told by the group `detail` of what refused it", async () => {
    await until(async () => (await state("refused")).phase === "refused", { what: "the refusal" });
    const { last_error } = await state("refused");
    assert.equal(last_error, "the upstream refused the greeting: step 2 received no such password");
  });

  test("a subscription is active by a pattern, gets its own messages under our name, and ends by a pattern", async () => {
    const created = await product.post("/v1/upstreams/default/subscriptions", topic("news"));
    assert.equal(created.status, 201, await created.clone().text());
    const path = "/v1/upstreams/default/subscriptions/news";
    await until(async () => (await items(product, `${path}/messages`)).length === 2, { what: "both events" });
    const messages = await items(product, `${path}/messages`);
    assert.deepEqual(
      messages.map(({ data }) => data),
      ["EVENT news one", "EVENT news two"],
    );
    assert.equal((await product.fetch(path, { method: "DELETE" })).status, 204);
    assert.ok(upstream.connections.some(({ texts }) => texts.includes("UNSUB 17")));
  });

  test("a refused subscription says why, by the group `detail`", async () => {
    const refused = await product.post("/v1/upstreams/default/subscriptions", topic("gossip"));
    await problem(refused, {
      status: 502,
      code: "invalid_reply",
      sent: "yes",
      detail: /refused it: \[404\] no such topic$/,
    });
  });

  test("JSON among the lines is JSON for readers and filters, and a line stays a text", async () => {
    assert.equal(await (await product.request("GET x", plain)).text(), "+GET x");
    const all = "/v1/upstreams/default/messages";
    await until(async () => (await items(product, `${all}?where=/note/n=7`)).length === 1, { what: "the JSON" });
    const [json] = await items(product, `${all}?where=/note/n=7`);
    assert.deepEqual(json?.data, { note: { n: 7 } });
    const texts = (await items(product, all)).map(({ data }) => data).filter((data) => typeof data === "string");
    assert.ok(texts.includes("NOTE reading"));
  });

  test("a reply that is JSON has its media type, and a value can be picked from it", async () => {
    const reply = await product.request("SHOW lamp", plain);
    assert.equal(reply.headers.get("content-type"), "application/json");
    assert.deepEqual(await reply.json(), { shown: "lamp" });
    const picked = await product.fetch("/v1/upstreams/default/request?pick=/shown", {
      method: "POST",
      body: "SHOW it",
      ...plain,
    });
    assert.equal(await picked.text(), "it");
  });

  test("the id is taken out alone or with what `cut` has around it, and an error without one is told by its detail", async () => {
    const ask = (body: string) => product.fetch("/v1/upstreams/tagged/request", { method: "POST", body, ...plain });
    assert.equal(await (await ask("lamp")).text(), "OK lamp");
    await problem(await ask("bad"), {
      status: 502,
      code: "invalid_reply",
      sent: "maybe",
      detail: /names no request; this request is the oldest: what is bad\?$/,
    });
  });
});
