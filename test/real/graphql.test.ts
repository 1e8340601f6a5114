/** A graphql-ws server behind GraphQL over HTTP: queries, subscriptions as streams, and its closes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "../support/child.ts";
import { Stream } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { findOnPath, root } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { type GraphqlServer, startGraphql } from "./graphql.ts";

/** The codes of the errors of a result. */
function codesOf(result: unknown): readonly unknown[] {
  const { errors } = result as { readonly errors: readonly { readonly extensions?: { readonly code?: unknown } }[] };
  return errors.map(({ extensions }) => extensions?.code);
}

const RESPONSE_TYPE = "application/graphql-response+json";

function inFrontOf(url: string, protocol: unknown = "graphql-transport-ws"): Promise<Product> {
  return startProduct({ config: { upstreams: { default: { url, protocol } } } });
}

describe("in front of a graphql-ws server", () => {
  let server: GraphqlServer;
  let product: Product;
  before(async () => {
    server = await startGraphql();
    product = await inFrontOf(server.url);
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await server?.stop();
  });

  const makeRequest = (body: object, accept = "application/json", path = "/graphql"): Promise<Response> =>
    product.post(path, body, { headers: { accept } });

  test("a query over plain HTTP gets its result, by either name of the upstream", async () => {
    for (const path of ["/graphql", "/graphql/default"]) {
      const response = await makeRequest({ query: "{ hello }" }, "application/json", path);
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
      assert.equal(await response.text(), '{"data":{"hello":"hello world"}}');
    }
  });

  test("a one-line curl gets its result", async () => {
    const args = [
      "-sS",
      "--max-time",
      "10",
      "-H",
      "Content-Type: application/json",
      "--data-binary",
      '{"query":"{ hello }"}',
    ];
    const curl = await run({ command: findOnPath("curl"), args: [...args, `${product.url}/graphql`] });
    assert.deepEqual(JSON.parse(curl.stdout), { data: { hello: "hello world" } });
  });

  test("variables and operationName reach the server", async () => {
    const query = "query A($n: String) { hello(name: $n) } query B { hello }";
    const response = await makeRequest({ query, operationName: "A", variables: { n: "you" }, extensions: null });
    assert.deepEqual(await response.json(), { data: { hello: "hello you" } });
  });

  test("concurrent mutations run once each", async () => {
    const sums = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const response = await makeRequest({ query: "mutation { count(by: 1) }" });
        return ((await response.json()) as { data: { count: number } }).data.count;
      }),
    );
    assert.deepEqual(
      sums.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
  });

  test("a request that cannot be executed is 200 as JSON, and 400 in the newer media type", async () => {
    for (const query of ["{ nobody }", "{ hello(nobody: 1) }"]) {
      for (const [accept, status] of [
        ["application/json", 200],
        ["*/*", 200],
        [RESPONSE_TYPE, 400],
      ] as const) {
        const response = await makeRequest({ query }, accept);
        const { data, errors } = (await response.json()) as { data?: unknown; errors: { message: string }[] };
        assert.deepEqual([response.status, data, errors.length], [status, undefined, 1], `${query} for ${accept}`);
      }
    }
  });

  test("a document for which graphql-ws would close the socket is refused, and disturbs nobody", async () => {
    const slow = makeRequest({ query: "{ slow(ms: 500) }" });
    for (const [body, status, code] of [
      [{ query: "{" }, 200, "GRAPHQL_PARSE_FAILED"],
      [{ query: "{ hello }", variables: [] }, 400, "BAD_REQUEST"],
      [{ query: "{ hello }", operationName: 1 }, 400, "BAD_REQUEST"],
      [{ operationName: "A" }, 400, "BAD_REQUEST"],
    ] as const) {
      for (const accept of ["application/json", RESPONSE_TYPE]) {
        const response = await makeRequest(body, accept);
        assert.equal(response.status, accept === RESPONSE_TYPE ? 400 : status, JSON.stringify(body));
        assert.equal(response.headers.get("content-type"), `${accept}; charset=utf-8`);
        assert.deepEqual([response.headers.get("sidesocket-sent"), codesOf(await response.json())], ["no", [code]]);
      }
      const message = await product.request({ type: "subscribe", payload: body });
      assert.equal(message.status, 400);
      await message.body?.cancel();
    }
    assert.deepEqual(await (await slow).json(), { data: { slow: 500 } });
    assert.equal(server.inits.length, 1, "still the first connection");
  });

  test("a syntax error has its place, also for a caller of events", async () => {
    const response = await makeRequest({ query: "{\n  hello(" }, "text/event-stream");
    assert.deepEqual([response.status, response.headers.get("content-type")], [400, "application/json; charset=utf-8"]);
    const { errors } = (await response.json()) as { errors: { message: string; locations: object[] }[] };
    assert.deepEqual(errors[0]?.locations, [{ line: 2, column: 9 }]);
    assert.match(errors[0]?.message ?? "", /cannot be parsed: expected a name at line 2, column 9/);
  });

  const get = (parameters: Record<string, string>, accept = "application/json", path = "/graphql") =>
    product.fetch(`${path}?${new URLSearchParams(parameters)}`, { headers: { accept } });

  test("a query by GET gets its result, with variables and the name of its operation, and in time", async () => {
    const query = "query A($n: String) { hello(name: $n) } query B { hello }";
    for (const path of ["/graphql", "/graphql/default"]) {
      const response = await get(
        { query, operationName: "A", variables: '{"n":"you"}', timeout: "5s" },
        RESPONSE_TYPE,
        path,
      );
      assert.deepEqual([response.status, await response.json()], [200, { data: { hello: "hello you" } }]);
    }
    const stream = await get({ query: "subscription { countdown(from: 2) }" }, "text/event-stream");
    assert.match(
      await stream.text(),
      /^event: next\ndata: {"data":{"countdown":2}}\n\nevent: next[\s\S]*event: complete/,
    );
  });

  test("a mutation by GET is refused, whatever else the document has, and so are parameters that are not JSON", async () => {
    const both = "mutation M { count(by: 1) } query Q { hello }";
    for (const parameters of [{ query: "mutation { count(by: 1) }" }, { query: both, operationName: "M" }]) {
      const response = await get(parameters);
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
      assert.match(((await response.json()) as { detail: string }).detail, /send it by POST/);
    }
    assert.deepEqual(await (await get({ query: both, operationName: "Q" })).json(), { data: { hello: "hello world" } });
    const unnamed = (await (await get({ query: both })).json()) as { errors: object[]; data?: unknown };
    assert.deepEqual([unnamed.errors.length, unnamed.data], [1, undefined]);
    const query = "query A { hello } mutation B { count(by: 1) }";
    for (const wrong of [
      { query, operationName: "A", variables: "{" },
      { query, operationName: "A", variables: '{},"operationName":"B"' },
      { query, operationName: "A", variables: "[]" },
      { query, extensions: '{}} {"a":{}' },
      {},
    ]) {
      const response = await get(wrong as Record<string, string>);
      assert.deepEqual(
        [response.status, codesOf(await response.json())],
        [400, ["BAD_REQUEST"]],
        JSON.stringify(wrong),
      );
    }
    assert.equal((await get({ query, mutation: "x" })).status, 400, "an unknown parameter");
    const counted = await makeRequest({ query: "mutation { count(by: 0) }" });
    assert.deepEqual(await counted.json(), { data: { count: 20 } }, "none of them was executed");
  });

  test("a persisted query is sent once, and named by its hash from then on", async () => {
    const query = "query P($n: String) { hello(name: $n) }";
    const sha256Hash = createHash("sha256").update(query).digest("hex");
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    const variables = { n: "you" };
    const hashOnly = (accept?: string) => makeRequest({ extensions, variables }, accept);
    for (const [accept, status] of [
      ["application/json", 200],
      [RESPONSE_TYPE, 400],
    ] as const) {
      const unknown = await hashOnly(accept);
      assert.equal(unknown.status, status);
      const { errors } = (await unknown.json()) as { errors: object[] };
      assert.deepEqual(errors, [
        { message: "PersistedQueryNotFound", extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } },
      ]);
    }
    const other = await makeRequest({ query: "{ hello }", extensions });
    assert.deepEqual([other.status, codesOf(await other.json())], [400, ["BAD_REQUEST"]], "a hash of another document");
    assert.equal(codesOf(await (await hashOnly()).json())[0], "PERSISTED_QUERY_NOT_FOUND");
    const expected = { data: { hello: "hello you" } };
    assert.deepEqual(await (await makeRequest({ query, extensions, variables })).json(), expected);
    assert.deepEqual(await (await hashOnly()).json(), expected);
    const parameters = { extensions: JSON.stringify(extensions), variables: JSON.stringify(variables) };
    assert.deepEqual(await (await get(parameters)).json(), expected);
    const mutation = "mutation { count(by: 0) }";
    const hash = createHash("sha256").update(mutation).digest("hex");
    const ofMutation = { persistedQuery: { version: 1, sha256Hash: hash.toUpperCase() } };
    assert.equal((await makeRequest({ query: mutation, extensions: ofMutation })).status, 200);
    assert.equal((await get({ extensions: JSON.stringify(ofMutation) })).status, 405);
  });

  test("an execution that failed is 200, in the media type accepted first", async () => {
    const response = await makeRequest({ query: "{ fails hello }" }, `${RESPONSE_TYPE}, application/json;q=0.9`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^application\/graphql-response\+json/);
    const { data, errors } = (await response.json()) as { data: unknown; errors: unknown[] };
    assert.deepEqual([data, errors.length], [{ fails: null, hello: "hello world" }, 1]);
  });

  test("a subscription without an Accept for events is refused clearly, and never sent", async () => {
    const response = await makeRequest({ query: "subscription { tick }" });
    assert.equal(response.status, 400);
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.deepEqual(
      [response.headers.get("sidesocket-code"), response.headers.get("sidesocket-sent")],
      ["invalid_request", "no"],
    );
    assert.match(await response.text(), /queries and mutations/);
  });

  test("a body that is no request is refused, and an expired deadline is a problem as elsewhere", async () => {
    for (const [body, said] of [
      ["{", /not usable JSON/],
      ["{}", /query.*missing/],
    ] as const) {
      const response = await product.post("/graphql", body);
      assert.equal(response.status, 400);
      assert.match(await response.text(), said);
    }
    const late = await makeRequest({ query: "{ slow(ms: 5000) }" }, "application/json", "/graphql?timeout=100ms");
    assert.deepEqual([late.status, late.headers.get("sidesocket-code")], [504, "reply_timeout"]);
    const other = await product.fetch("/graphql", { method: "DELETE" });
    assert.deepEqual([other.status, other.headers.get("allow")], [405, "POST, GET, HEAD"]);
  });

  test("messages to /request work as well: a reply is the array of its frames, with the caller's id", async () => {
    const response = await product.request({ id: "mine", type: "subscribe", payload: { query: "{ hello }" } });
    assert.deepEqual(await response.json(), [
      { id: "mine", type: "next", payload: { data: { hello: "hello world" } } },
      { id: "mine", type: "complete" },
    ]);
  });

  test("the frames of a message arrive as lines, too", async () => {
    const message = { type: "subscribe", payload: { query: "subscription { countdown(from: 2) }" } };
    const response = await product.request(message, { headers: { accept: "application/x-ndjson" } });
    const next = (n: number) => `{"type":"next","payload":{"data":{"countdown":${n}}}}\n`;
    assert.equal(await response.text(), `${next(2)}${next(1)}{"type":"complete"}\n`);
  });

  const subscribe = (query: string, t: Cleanup) =>
    Stream.open(product, "/graphql", { accept: "text/event-stream" }, t, { query });

  test("a subscription is a stream of its results, and ends with the last", async (t) => {
    const stream = await subscribe("subscription { countdown(from: 3) }", t);
    assert.match(stream.response.headers.get("content-type") ?? "", /^text\/event-stream/);
    await stream.until(() => stream.ended, { what: "the end" });
    assert.deepEqual(
      stream.events.map(({ name, data }) => [name, data]),
      [...[3, 2, 1].map((n) => ["next", `{"data":{"countdown":${n}}}`]), ["complete", ""]],
    );
  });

  test("a reader that leaves ends its subscription at the server, and no other", async (t) => {
    const [stays, leaves] = [await subscribe("subscription { tick }", t), await subscribe("subscription { tick }", t)];
    await until(() => server.ticking() === 2, { what: "both subscriptions at the server" });
    await leaves.until(() => leaves.events.length >= 3);
    await leaves.leave();
    await until(() => server.ticking() === 1, { what: "the subscription to end at the server" });
    const before = stays.events.length;
    await stays.until(() => stays.events.length > before + 2, { what: "more events for the remaining reader" });
    await stays.leave();
    await until(() => server.ticking() === 0, { what: "the other one to end, too" });
    assert.equal(server.inits.length, 1, "still the first connection");
    assert.deepEqual(await (await makeRequest({ query: "{ hello }" })).json(), { data: { hello: "hello world" } });
  });

  test("a failed subscription's error is its only result; a query may be requested in the same way", async (t) => {
    const wrong = await subscribe("subscription { nobody }", t);
    await wrong.until(() => wrong.ended);
    assert.deepEqual(
      wrong.events.map(({ name }) => name),
      ["next", "complete"],
    );
    assert.match(wrong.events[0]?.data ?? "", /^\{"errors":\[\{"message":"Cannot query field/);
    const query = await subscribe("{ hello }", t);
    await query.until(() => query.ended);
    assert.equal(query.events[0]?.data, '{"data":{"hello":"hello world"}}');
  });

  test("the web site of the examples renders a query, and streams a subscription that ends with it", async () => {
    const module = pathToFileURL(join(root, "examples", "graphql-web", "site.mjs")).href;
    const { site } = (await import(module)) as { site(service: string): { request(path: string): Promise<Response> } };
    const app = site(product.url);
    assert.match(await (await app.request("/")).text(), /<li>&lt;tea&gt;: <b id="&lt;tea&gt;">4<\/b><\/li>/);
    const others = server.ticking();
    const reader = (await app.request("/live")).body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.ok(reader);
    let read = "";
    while (!read.includes('data: {"data":{"price":{"name":"tea","price":2}}}')) {
      const { value, done } = await reader.read();
      assert.ok(!done, read);
      read += value;
    }
    assert.equal(server.ticking(), others + 1);
    await reader.cancel();
    await until(() => server.ticking() === others, { what: "the end of the subscription" });
  });

  test("curl reads a subscription", async () => {
    const args = [
      "-sSN",
      "--max-time",
      "20",
      "-H",
      "Accept: text/event-stream",
      "-H",
      "Content-Type: application/json",
    ];
    const body = ["--data-binary", '{"query":"subscription { countdown(from: 2) }"}'];
    const curl = await run({ command: findOnPath("curl"), args: [...args, ...body, `${product.url}/graphql`] });
    const next = (n: number) => `event: next\ndata: {"data":{"countdown":${n}}}\n\n`;
    assert.equal(curl.stdout, `${next(2)}${next(1)}event: complete\ndata: \n\n`);
  });

  test("stops cleanly", async () => {
    const { code } = await product.stop();
    assert.equal(code, 0, product.stderr());
  });
});

test("the payload of connection_init logs in, and a server that refuses it is not stormed", async (t) => {
  const server = await startGraphql({ token: "open sesame", t });
  const knows = await inFrontOf(server.url, { preset: "graphql-transport-ws", payload: { token: "open sesame" } });
  t.after(() => knows.kill());
  await knows.ready();
  const response = await knows.post("/graphql", { query: "{ hello }" });
  assert.equal(response.status, 200);

  const stranger = await inFrontOf(server.url, { preset: "graphql-transport-ws", payload: { token: "wrong" } });
  t.after(() => stranger.kill());
  await until(async () => (await stranger.state()).phase === "refused", { what: "the login to be refused" }); // 4403
  assert.equal(server.inits.length, 2);
});

test("a subscription ends with an error on a lost connection, without renewal, and at the exit", async (t) => {
  const server = await startGraphql({ t });
  const product = await inFrontOf(server.url);
  t.after(() => product.kill());
  await product.ready();
  const open = async () => {
    const stream = await Stream.open(product, "/graphql", { accept: "text/event-stream" }, t, {
      query: "subscription { tick }",
    });
    await stream.until(() => stream.dataEvents.length > 0, { what: "the first tick" });
    return stream;
  };
  const lost = await open();
  for (const client of server.server.clients) client.terminate();
  await lost.until(() => lost.ended);
  const fate = (stream: Stream) => {
    const { name, data } = stream.events.at(-1) ?? {};
    const { code, sent } = JSON.parse(data ?? "{}");
    return [name, code, sent];
  };
  assert.deepEqual(fate(lost), ["error", "connection_lost", "yes"]);
  await until(() => server.inits.length === 2, { what: "the next connection" });
  await product.ready();
  assert.equal(server.ticking(), 0);

  const last = await open();
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
  await last.until(() => last.ended);
  assert.deepEqual(fate(last), ["error", "cancelled", "yes"]);
  const [drain, stop] = product.report().steps;
  assert.deepEqual([drain?.outcome, drain?.counts?.left, stop?.counts], ["done", 0, { readers: 1 }]);
  assert.equal(server.ticking(), 0);
});

test("/graphql serves only upstreams that speak it", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  const response = await product.post("/graphql", { query: "{ a }" });
  assert.equal(response.status, 404);
  assert.match(await response.text(), /speaks json-rpc, not graphql-transport-ws/);
  assert.equal((await product.post("/graphql/nobody", { query: "{ a }" })).status, 404);
});

test("pings of the server are answered, so that it keeps the connection", async (t) => {
  const pongs: string[] = [];
  const upstream = await startUpstream({
    t,
    subprotocol: (offered) => offered[0],
    onMessage: (message, connection) => {
      const { type } = JSON.parse(String(message)) as { type: string };
      if (type === "pong") pongs.push(String(message));
      if (type !== "connection_init") return;
      connection.send({ type: "connection_ack" });
      connection.later(20, () => connection.send({ type: "ping", payload: { at: 1 } }));
    },
  });
  const product = await inFrontOf(upstream.url);
  t.after(() => product.kill());
  await product.ready();
  await until(() => pongs.length > 0, { what: "a pong" });
  assert.deepEqual(JSON.parse(pongs[0] ?? ""), { type: "pong", payload: { at: 1 } });
  const { counters } = (await product.state()) as { counters: { answered: number; messages: number } };
  assert.deepEqual([counters.answered, counters.messages], [1, 0]);
});
