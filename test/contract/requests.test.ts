/** Successful requests: messages up, replies down, and the headers of the responses. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";
import type { RpcAnswer } from "./expect.ts";

const call = (id: unknown, method = "echo", params: unknown = ["x"]) => ({ jsonrpc: "2.0", id, method, params });
const note = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", method, params });

/** A reply with everything that a parser would change: order, spaces, numbers beyond a double, escapes. */
const verbatim = (id: string): string =>
  `{"zeta":1, "result": [12345678901234567890, 1.0, 1e400, "\\u00fc", ""] ,"id":${id},"jsonrpc" : "2.0","alpha":{}}`;

function answer(message: Message, connection: UpstreamConnection): void {
  const wire = typeof message === "string" && /"method":"verbatim"/.test(message) && /"id":(\d+)/.exec(message)?.[1];
  if (wire) connection.send(verbatim(wire));
  else answerJsonRpc(message, connection);
}

describe("in front of a JSON-RPC upstream", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream({ onMessage: answer });
    product = await startProduct({ config: { upstreams: { only: { url: upstream.url } } } });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  const rpc = async (body: unknown, status = 200): Promise<RpcAnswer[]> => {
    const response = await product.rpc(body);
    assert.equal(response.status, status);
    return (await response.json()) as RpcAnswer[];
  };

  for (const path of ["/v1/upstreams/only/request", "/v1/upstreams/default/request", "/rpc", "/rpc/only"]) {
    test(`${path} responds with the upstream's reply`, async () => {
      const response = await product.post(path, call(1, "echo", { deep: [1, "ü", null] }));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: { deep: [1, "ü", null] } });
    });
  }

  const ids = ['"a"', '""', '"日本 \\u0041\\n\\""', "9007199254740993", "1.0", "1e2", "-7", "-0", "0", "null"];
  for (const id of ids) {
    test(`the caller's id ${id} comes back exactly as written and never goes up`, async () => {
      for (const path of ["/v1/upstreams/default/request", "/rpc"]) {
        const response = await product.post(path, `{"jsonrpc":"2.0","id":${id},"method":"echo","params":["x"]}`);
        assert.equal(await response.text(), `{"jsonrpc":"2.0","id":${id},"result":["x"]}`);
        assert.match(upstream.last.texts.at(-1) ?? "", /^\{"jsonrpc":"2\.0","id":\d{1,9},"method":"echo"/);
      }
    });
  }

  test("ids on the wire are never reused", async () => {
    await Promise.all(Array.from({ length: 50 }, () => product.rpc(call(1)).then((response) => response.text())));
    const wire = upstream.texts.map((text) => (JSON.parse(text) as { id?: number }).id).filter(Boolean);
    assert.equal(new Set(wire).size, wire.length);
  });

  test("a message without an id gets its reply on /request, without an id", async () => {
    const response = await product.request(note("echo", ["x"]));
    assert.equal(await response.text(), '{"jsonrpc":"2.0","result":["x"]}');
  });

  test("a message without an id is a notification on /rpc: 204, sent unchanged", async () => {
    const response = await product.rpc('{"method":"note","jsonrpc":"2.0","params":["rpc notification"]}');
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
    await upstream.until(() =>
      upstream.texts.includes('{"method":"note","jsonrpc":"2.0","params":["rpc notification"]}'),
    );
  });

  test("/send responds 204 without waiting for a reply, and the upstream gets the message", async () => {
    const response = await product.post("/v1/upstreams/default/send", note("silent", ["by send"]));
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("cache-control"), "no-store");
    await upstream.until(() => upstream.texts.some((text) => text.includes("by send")));
    const sent = await product.post("/v1/upstreams/default/send", call(7, "silent", ["with an id"]));
    assert.equal(sent.status, 204);
    assert.equal((await product.state()).in_flight, 0);
  });

  test("a batch goes up one frame per item, and its replies come in the caller's order", async () => {
    const from = upstream.texts.length;
    const replies = await rpc([call("slow", "sleep", [60]), call("quick"), note("silent"), call(3, "sleep", [20])]);
    assert.deepEqual(
      replies.map(({ id }) => id),
      ["slow", "quick", 3],
    );
    const frames = upstream.texts.slice(from).map((text) => (JSON.parse(text) as { method: string }).method);
    assert.deepEqual(frames, ["sleep", "echo", "silent", "sleep"]);
  });

  test("equal ids inside a batch are each answered", async () => {
    const replies = await rpc([1, 2, 3].map((n) => call("same", "echo", n)));
    assert.deepEqual(
      replies,
      [1, 2, 3].map((result) => ({ jsonrpc: "2.0", id: "same", result })),
    );
  });

  test("a batch of one is an array, a batch of notifications is 204", async () => {
    assert.deepEqual(await rpc([call(1)]), [{ jsonrpc: "2.0", id: 1, result: ["x"] }]);
    const response = await product.rpc([note("note", ["batch of notes"]), note("note")]);
    assert.equal(response.status, 204);
    await upstream.until(() => upstream.texts.some((text) => text.includes("batch of notes")));
  });

  test("an invalid item of a batch gets -32600 with its id, and the others get their replies", async () => {
    const replies = await rpc([call("good"), 1, { jsonrpc: "2.0", id: "bad", method: 5 }, { id: 9, method: "echo" }]);
    assert.deepEqual(
      replies.map(({ id, error }) => [id, error?.code, error?.data?.sent]),
      [
        ["good", undefined, undefined],
        [null, -32600, "no"],
        ["bad", -32600, "no"],
        [9, -32600, "no"],
      ],
    );
  });

  test("an upstream's error is a reply: 200, untouched", async () => {
    for (const path of ["/v1/upstreams/default/request", "/rpc"]) {
      const response = await product.post(path, call(5, "error", [-32042, "no luck", { why: [1] }]));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("sidesocket-code"), null);
      const error = { code: -32042, message: "no luck", data: { why: [1] } };
      assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 5, error });
    }
  });

  test("no byte except the id is changed, neither up nor down", async () => {
    const sent =
      `{ "zeta":1,"method":"verbatim", "params":[9007199254740993, 1.0,1e400,"\\u00fc"],` +
      `"id":"mine" ,"jsonrpc":"2.0"}`;
    const response = await product.request(sent);
    assert.equal(await response.text(), verbatim('"mine"'));
    const up = upstream.last.texts.find((text) => text.includes("verbatim"));
    assert.equal(up?.replace(/"id":\d+/, '"id":"mine"'), sent);
  });

  test("a body of exactly limits.request_bytes is served, and a reply of many megabytes arrives whole", async () => {
    const around = JSON.stringify(call(1, "echo", [""])).length;
    const response = await product.request(call(1, "echo", ["x".repeat(1024 * 1024 - around)]));
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { result: string[] }).result[0]?.length, 1024 * 1024 - around);
    const big = (await (await product.rpc(call(1, "big", [12_000_000]))).json()) as { result: string };
    assert.equal(big.result.length, 12_000_000);
  });

  test("a reply of JSON in a binary frame is application/json", async () => {
    const response = await product.request(call("b", "binary"));
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: "b", result: ["x"] });
  });

  test("any JSON media type is accepted, with parameters and in any case", async () => {
    for (const type of ["Application/JSON; charset=utf-8", "application/vnd.example+json"]) {
      assert.equal((await product.request(call(1), { headers: { "content-type": type } })).status, 200);
    }
  });

  test("a harmless X-Request-Id is echoed, any other is replaced", async () => {
    const idOf = async (given: string) =>
      (await product.request(call(1), { headers: { "x-request-id": given } })).headers.get("x-request-id");
    assert.equal(await idOf("Order_1:a.b-c"), "Order_1:a.b-c");
    for (const harmful of ["a b", "a,b", 'x"', "x".repeat(129)]) {
      assert.match((await idOf(harmful)) ?? "", /^[0-9a-f-]{36}$/);
    }
  });

  test("every response forbids caching and has an id, a reply also its timings", async () => {
    for (const path of ["/livez", "/readyz", "/healthz", "/version", "/v1/upstreams", "/v1/upstreams/only", "/none"]) {
      const { headers, body } = await product.fetch(path);
      assert.equal(headers.get("cache-control"), "no-store", path);
      assert.ok(headers.get("x-request-id"), path);
      await body?.cancel();
    }
    const { headers } = await product.request(call(1, "sleep", [30]));
    assert.equal(headers.get("cache-control"), "no-store");
    const timing = /^queue;dur=([\d.]+), upstream;dur=([\d.]+), total;dur=([\d.]+)$/;
    const [, queue, up, total] = (timing.exec(headers.get("server-timing") ?? "") ?? []).map(Number);
    assert.ok(up !== undefined && up >= 29 && total !== undefined && queue !== undefined && total >= up + queue - 0.2);
  });

  test("Prefer: wait is honoured and acknowledged; an excessive one is clamped; ?timeout wins over it", async () => {
    const applied = async (prefer: string, query = "") =>
      (await product.post(`/rpc${query}`, call(1), { headers: { prefer } })).headers.get("preference-applied");
    assert.equal(await applied("wait=7"), "wait=7");
    assert.equal(await applied("handling=strict, wait = 7"), "wait=7");
    assert.equal(await applied("wait=999"), "wait=120");
    assert.equal(await applied(`wait=${"9".repeat(400)}`), "wait=120");
    assert.equal(await applied("wait=7", "?timeout=9"), null);
    for (const malformed of ["wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "await=7"]) {
      assert.equal(await applied(malformed), null, malformed);
    }
  });

  test("?timeout takes seconds, and durations with a unit", async () => {
    for (const timeout of ["1", "2.5", "120", "500ms", "10s", "2m"]) {
      assert.equal((await product.post(`/rpc?timeout=${timeout}`, call(1))).status, 200, timeout);
    }
  });

  test("the state and the version are served", async () => {
    const state = await product.state("only");
    assert.equal(state.phase, "ready");
    assert.equal(state.url, `ws://127.0.0.1:${upstream.port}`);
    assert.equal(state.in_flight, 0);
    const { upstreams } = (await (await product.fetch("/v1/upstreams")).json()) as { upstreams: { name: string }[] };
    assert.deepEqual(
      upstreams.map(({ name }) => name),
      ["only"],
    );
    assert.match(JSON.stringify(await (await product.fetch("/version")).json()), /"version":"\d+\.\d+\.\d+/);
  });

  test("/openapi.json lists exactly the routes and methods that are served", async () => {
    const { openapi, paths, components } = (await (await product.fetch("/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, object>;
      components: { schemas: object; securitySchemes: object };
    };
    assert.equal(openapi, "3.1.0");
    assert.deepEqual(Object.keys(components.securitySchemes), ["token"]);
    for (const path of ["/v1/upstreams/{upstream}/request", "/v1/upstreams/{upstream}/send", "/rpc", "/shutdown"]) {
      assert.ok(path in paths, path);
    }
    for (const name of ["Problem", "Upstream", "ExitReport", "Page"]) assert.ok(name in components.schemas, name);
    for (const [path, described] of Object.entries(paths)) {
      const methods = Object.keys(described).map((method) => method.toUpperCase());
      const answer = await product.fetch(path.replace("{upstream}", "only").replace("{id}", "x"), { method: "PUT" });
      assert.equal(answer.status, 405, path);
      const allow = methods.includes("GET") ? [...methods, "HEAD"] : methods;
      assert.deepEqual(answer.headers.get("allow")?.split(", ").sort(), allow.sort(), path);
    }
  });
});
