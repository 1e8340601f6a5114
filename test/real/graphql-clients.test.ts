/** GraphQL clients, unchanged, at `/graphql` in front of a graphql-ws server. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { type GraphqlServer, startGraphql } from "./graphql.ts";
import {
  type ClientError,
  loadApollo,
  loadGraphqlRequest,
  loadRelay,
  loadUrql,
  relayArtifact,
  type UrqlResult,
} from "./graphql-clients.ts";

const HELLO = "query Hello($name: String) { hello(name: $name) }";
const COUNT = "mutation Count($by: Int!) { count(by: $by) }";
const FAILS = "query Fails { fails hello }";
const NOBODY = "query Nobody { nobody }";
const BROKEN = "query Broken { hello(";
const COUNTDOWN = "subscription Down($from: Int!) { countdown(from: $from) }";
const PARSE_ERROR = /^the GraphQL document cannot be parsed: expected a name at line 1, column 22$/;

let server: GraphqlServer;
let product: Product;
let url: string;
before(async () => {
  server = await startGraphql();
  product = await startProduct({
    config: { upstreams: { default: { url: server.url, protocol: "graphql-transport-ws" } } },
  });
  await product.ready();
  url = `${product.url}/graphql`;
});
after(async () => {
  await product?.kill();
  await server?.stop();
});

/** The requests of a client: its `fetch`, which notes the method and the members of the body. */
function noting() {
  const requests: string[] = [];
  const noted: typeof fetch = (input, init) => {
    const given = init?.body === undefined || init.body === null ? new URL(String(input)).searchParams : undefined;
    const members = given ? [...given.keys()] : Object.keys(JSON.parse(String(init?.body)) as object);
    requests.push(`${init?.method} ${members.includes("query") ? "query" : "hash"}`);
    return fetch(input, init);
  };
  return { requests, fetch: noted };
}

describe("Apollo Client", () => {
  let apollo: Awaited<ReturnType<typeof loadApollo>>;
  before(async () => {
    apollo = await loadApollo();
  });

  test("a query with variables, by POST and by GET", async () => {
    for (const get of [false, true]) {
      const { requests, fetch } = noting();
      const client = apollo.create(url, { get, fetch });
      const { data } = await client.query({ query: apollo.gql(HELLO), variables: { name: "you" } });
      assert.deepEqual([data, requests], [{ hello: "hello you" }, [get ? "GET query" : "POST query"]]);
      client.stop();
    }
  });

  test("a mutation is a POST also for a client that prefers GET", async () => {
    const client = apollo.create(url, { get: true });
    const { data } = await client.mutate({ mutation: apollo.gql(COUNT), variables: { by: 0 } });
    assert.equal(typeof data?.count, "number");
    client.stop();
  });

  test("an error has its path beside the data, and a document that is refused its message", async () => {
    const client = apollo.create(url);
    const partly = await client.query({ query: apollo.gql(FAILS), errorPolicy: "all" });
    assert.deepEqual(partly.data, { fails: null, hello: "hello world" });
    const [error] = partly.error?.errors ?? [];
    assert.deepEqual([error?.message, error?.path], ["on purpose", ["fails"]]);
    await assert.rejects(client.query({ query: apollo.gql(NOBODY) }), {
      name: "CombinedGraphQLErrors",
      message: /Cannot query field "nobody"/,
    });
    client.stop();
  });

  test("persisted queries: the hash alone, then both, and from then on the hash", async () => {
    const query = apollo.gql("query Persisted($name: String) { greeting: hello(name: $name) }");
    for (const [persisted, expected] of [
      ["post", ["POST hash", "POST query", "POST hash"]],
      // The document is known from then on to every caller.
      ["get", ["GET hash", "GET hash"]],
    ] as const) {
      const { requests, fetch } = noting();
      const client = apollo.create(url, { persisted, fetch });
      for (const name of ["you", "me"]) {
        const { data } = await client.query({ query, variables: { name } });
        assert.deepEqual(data, { greeting: `hello ${name}` });
      }
      assert.deepEqual(requests, expected);
      client.stop();
    }
  });
});

describe("urql", () => {
  let create: Awaited<ReturnType<typeof loadUrql>>;
  before(async () => {
    create = await loadUrql();
  });

  test("a query by GET, its default, and by POST; a mutation", async () => {
    for (const options of [{}, { preferGetMethod: false }]) {
      const { data, error } = await create(url, options).query(HELLO, { name: "you" });
      assert.deepEqual([data, error], [{ hello: "hello you" }, undefined]);
    }
    const { data } = await create(url).mutation(COUNT, { by: 0 });
    assert.equal(typeof data?.count, "number");
  });

  test("an error has its path beside the data, and a document that is refused its message", async () => {
    const client = create(url);
    const partly = await client.query(FAILS, {});
    const [error] = partly.error?.graphQLErrors ?? [];
    assert.deepEqual(
      [partly.data, error?.message, error?.path],
      [{ fails: null, hello: "hello world" }, "on purpose", ["fails"]],
    );
    for (const preferGetMethod of [true, false]) {
      const { error: refused } = await create(url, { preferGetMethod }).query(NOBODY, {});
      assert.match(refused?.graphQLErrors[0]?.message ?? "", /Cannot query field "nobody"/);
    }
  });

  test("a subscription over HTTP, its end, and one that is unsubscribed", async () => {
    const client = create(url, { fetchSubscriptions: true });
    const results: UrqlResult[] = [];
    client.subscription(COUNTDOWN, { from: 3 }).subscribe((result) => results.push(result));
    await until(() => results.at(-1)?.hasNext === false, { what: "the end" });
    assert.deepEqual(
      results.map(({ data, error }) => [data?.countdown, error]).slice(0, 3),
      [3, 2, 1].map((n) => [n, undefined]),
    );
    let ticks = 0;
    const { unsubscribe } = client.subscription("subscription { tick }", {}).subscribe(() => ticks++);
    await until(() => ticks >= 2, { what: "two ticks" });
    unsubscribe();
    await until(() => server.ticking() === 0, { what: "the end of the subscription at the server" });
  });

  test("a subscription whose upstream breaks off ends with an error that says so", async () => {
    const client = create(url, { fetchSubscriptions: true });
    const results: UrqlResult[] = [];
    client.subscription("subscription { tick }", {}).subscribe((result) => results.push(result));
    await until(() => results.length >= 1, { what: "a tick" });
    for (const socket of server.server.clients) socket.terminate();
    await until(() => results.at(-1)?.hasNext === false, { what: "the end" });
    assert.match(results.at(-1)?.error?.message ?? "", /the connection ended without a close frame/);
    assert.equal(results.at(-1)?.error?.graphQLErrors[0]?.extensions?.code, "connection_lost");
    await until(() => server.inits.length === 2, { what: "the next connection" });
    await product.ready();
  });
});

describe("graphql-request", () => {
  let create: Awaited<ReturnType<typeof loadGraphqlRequest>>;
  before(async () => {
    create = await loadGraphqlRequest();
  });

  test("a query by POST and by GET, and a mutation", async () => {
    for (const options of [undefined, { method: "GET" } as const]) {
      assert.deepEqual(await create(url, options).request(HELLO, { name: "you" }), { hello: "hello you" });
    }
    assert.equal(typeof (await create(url).request(COUNT, { by: 0 })).count, "number");
  });

  test("errors carry the path, the data, and the status of what was not executed", async () => {
    await assert.rejects(create(url).request(FAILS), ({ response }: ClientError) => {
      assert.deepEqual([response.status, response.data], [200, { fails: null, hello: "hello world" }]);
      assert.deepEqual(response.errors?.[0]?.path, ["fails"]);
      return true;
    });
    for (const [query, message] of [
      [NOBODY, /Cannot query field "nobody"/],
      [BROKEN, PARSE_ERROR],
    ] as const) {
      await assert.rejects(create(url).request(query), ({ response }: ClientError) => {
        assert.equal(response.status, 400);
        assert.match(response.errors?.[0]?.message ?? "", message);
        return true;
      });
    }
  });
});

describe("Relay", () => {
  let create: Awaited<ReturnType<typeof loadRelay>>;
  before(async () => {
    create = await loadRelay();
  });

  test("a query, a mutation, and a document that is refused", async () => {
    const relay = create(url);
    const data = await relay.fetch(relayArtifact("query", "Hello", HELLO, "hello", "name"), { name: "you" });
    assert.deepEqual(data, { hello: "hello you" });
    const { response, errors } = await relay.mutate(relayArtifact("mutation", "Count", COUNT, "count", "by"), {
      by: 0,
    });
    assert.deepEqual([typeof response.count, errors], ["number", null]);
    for (const [text, message] of [
      [NOBODY, /Cannot query field "nobody"/],
      [BROKEN, /the GraphQL document cannot be parsed/],
    ] as const) {
      await assert.rejects(relay.fetch(relayArtifact("query", "Wrong", text, "hello", "name"), {}), { message });
    }
  });
});
