/** GraphQL clients, unchanged, at `/graphql` in front of graphql-ws servers; and results in parts, as they read them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { type GraphqlServer, startGraphql } from "./graphql.ts";
import {
  type ApolloResult,
  type ClientError,
  loadApollo,
  loadGraphqlRequest,
  loadRelay,
  loadUrql,
  type PartsHandler,
  relayArtifact,
  type UrqlResult,
} from "./graphql-clients.ts";
import { type GraphqlVersion, type PartsServer, startPartsServer } from "./graphql-parts.ts";

const HELLO = "query Hello($name: String) { hello(name: $name) }";
const COUNT = "mutation Count($by: Int!) { count(by: $by) }";
const FAILS = "query Fails { fails hello }";
const NOBODY = "query Nobody { nobody }";
const BROKEN = "query Broken { hello(";
const COUNTDOWN = "subscription Down($from: Int!) { countdown(from: $from) }";
const PARSE_ERROR = /^the GraphQL document cannot be parsed: expected a name at line 1, column 22$/;

const DEFERRED = 'query Product { product { name ... @defer(label: "rest") { rating } } }';
const STREAMED = "query Words { words @stream(initialCount: 1) }";
const PRODUCT = { name: "tea", rating: 5 };

const FORMATS = [
  ["graphql-17-alpha-2", "Defer20220824Handler", "deferSpec=20220824"],
  ["graphql-17-alpha-9", "GraphQL17Alpha9Handler", "incrementalSpec=v0.2"],
] as const satisfies readonly (readonly [GraphqlVersion, PartsHandler, string])[];

interface Subscribe {
  readonly type: string;
  readonly id?: string;
}

/** Sends 500 parts of 50 kB at once. */
async function startFlood(t: Cleanup) {
  const cancelled: string[] = [];
  const upstream = await startUpstream({
    t,
    subprotocol: (offered) => offered[0],
    onMessage: (message, connection) => {
      const { type, id } = JSON.parse(String(message)) as Subscribe;
      if (type === "connection_init") connection.send({ type: "connection_ack" });
      if (type === "complete") cancelled.push(String(id));
      if (type !== "subscribe") return;
      const items = ["x".repeat(50_000)];
      connection.send({ id, type: "next", payload: { data: { words: [] }, hasNext: true } });
      for (let n = 0; n < 500; n++) {
        const payload = { incremental: [{ path: ["words", n], items }], hasNext: true };
        connection.send({ id, type: "next", payload });
      }
    },
  });
  return { url: upstream.url, cancelled };
}

let servers: Readonly<Record<GraphqlVersion, PartsServer>>;
let subscriptions: GraphqlServer;
let flood: Awaited<ReturnType<typeof startFlood>>;
let product: Product;
/** The address for clients of the server without parts. */
let url: string;
const cleanups: (() => unknown)[] = [];
before(async () => {
  const t: Cleanup = { after: (cleanup) => void cleanups.push(cleanup as () => unknown) };
  servers = {
    "graphql-17-alpha-2": await startPartsServer("graphql-17-alpha-2", t),
    "graphql-17-alpha-9": await startPartsServer("graphql-17-alpha-9", t),
  };
  subscriptions = await startGraphql({ t });
  flood = await startFlood(t);
  const upstream = ({ url }: { readonly url: string }, more = {}) => ({
    url,
    protocol: "graphql-transport-ws",
    ...more,
  });
  const upstreams = {
    "graphql-17-alpha-2": upstream(servers["graphql-17-alpha-2"]),
    "graphql-17-alpha-9": upstream(servers["graphql-17-alpha-9"]),
    subscriptions: upstream(subscriptions),
    flood: upstream(flood, { limits: { reply_bytes: "1MiB" } }),
  };
  product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  url = urlOf("subscriptions");
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const NEWER = "graphql-17-alpha-9";

function urlOf(upstream: string): string {
  return `${product.url}/graphql/${upstream}`;
}

function post(query: string, accept: string, variables: object = {}, upstream: string = NEWER): Promise<Response> {
  return product.post(`/graphql/${upstream}`, { query, variables }, { headers: { accept } });
}

/** Reads a response that goes on. */
class Parts {
  text = "";
  ended: "no" | "well" | "cut" = "no";
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(response: Response, t: Cleanup) {
    assert.ok(response.body);
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    t.after(() => this.leave());
    void this.#read();
  }

  /** The JSON of the parts that are whole. */
  get bodies(): readonly string[] {
    return this.text
      .split("\r\n---")
      .slice(1, -1)
      .map((part) => part.slice(part.indexOf("\r\n\r\n") + 4));
  }

  async leave(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        this.text += value;
      }
      this.ended = "well";
    } catch {
      this.ended = "cut";
    }
  }
}

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
    await until(() => subscriptions.ticking() === 0, { what: "the end of the subscription at the server" });
  });

  test("a subscription whose upstream breaks off ends with an error that says so", async () => {
    const client = create(url, { fetchSubscriptions: true });
    const results: UrqlResult[] = [];
    client.subscription("subscription { tick }", {}).subscribe((result) => results.push(result));
    await until(() => results.length >= 1, { what: "a tick" });
    for (const socket of subscriptions.server.clients) socket.terminate();
    await until(() => results.at(-1)?.hasNext === false, { what: "the end" });
    assert.match(results.at(-1)?.error?.message ?? "", /the connection ended without a close frame/);
    assert.equal(results.at(-1)?.error?.graphQLErrors[0]?.extensions?.code, "connection_lost");
    await until(() => subscriptions.inits.length === 2, { what: "the next connection" });
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

for (const [version, handler, format] of FORMATS) {
  test(`Apollo Client and urql read parts of ${format} as they come`, async (t) => {
    const apollo = await loadApollo();
    const create = await loadUrql();
    const server = servers[version];
    const url = urlOf(version);
    const client = apollo.create(url, { parts: handler });
    t.after(() => client.stop());
    const read = (query: string) => {
      const results: ApolloResult[] = [];
      const observed = client.watchQuery({ query: apollo.gql(query), fetchPolicy: "no-cache" });
      const subscription = observed.subscribe({ next: (result) => void results.push(result) });
      t.after(() => subscription.unsubscribe());
      return results;
    };
    const [deferred, streamed] = [read(DEFERRED), read(STREAMED)];
    // urql accepts events first.
    const [urql, urqlByEvents] = [{ accept: "multipart/mixed" }, {}].map((headers) => {
      const results: UrqlResult[] = [];
      const source = create(url, { preferGetMethod: false, fetchOptions: { headers } }).query(DEFERRED, {});
      t.after(source.subscribe((result) => results.push(result)).unsubscribe);
      return results;
    }) as [UrqlResult[], UrqlResult[]];
    await until(() => deferred.some(({ data }) => data?.product !== undefined), { what: "the first part" });
    await until(() => streamed.some(({ data }) => data?.words !== undefined), { what: "the first word" });
    await until(() => urql.length > 0 && urqlByEvents.length > 0, { what: "the first part for urql" });
    assert.deepEqual(deferred.at(-1)?.data, { product: { name: "tea", __typename: "Product" } });
    assert.deepEqual(streamed.at(-1)?.data, { words: ["one"] });
    for (const results of [urql, urqlByEvents]) {
      assert.deepEqual([results.at(-1)?.data, results.at(-1)?.hasNext], [{ product: { name: "tea" } }, true]);
    }
    assert.equal(server.open, 4);

    server.release();
    await until(() => (deferred.at(-1)?.data?.product as { rating?: number } | undefined)?.rating === 5, {
      what: () => `the rating in ${JSON.stringify(deferred.at(-1))}`,
    });
    await until(() => (streamed.at(-1)?.data?.words as string[] | undefined)?.length === 2, {
      what: "the second word",
    });
    for (const results of [urql, urqlByEvents]) {
      await until(() => results.at(-1)?.hasNext === false, { what: "urql's last part" });
      assert.deepEqual([results.at(-1)?.data, results.at(-1)?.error], [{ product: PRODUCT }, undefined]);
    }
    await until(() => server.open === 0, { what: "the end of all operations" });
  });

  test(`the parts of ${format} are those of the upstream, and an error in one has its path`, async (t) => {
    const server = servers[version];
    const query = "{ product { name ... @defer { broken } } }";
    const response = await post(query, "multipart/mixed, application/json", {}, version);
    const type = `multipart/mixed; boundary="-"; ${format}`;
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
    const parts = new Parts(response, t);
    await until(() => parts.bodies.length === 1, { what: "the first part" });
    assert.match(parts.bodies[0] ?? "", /^\{"data":\{"product":\{"name":"tea"\}\},.*"hasNext":true\}$/);
    server.release();
    await until(() => parts.ended === "well", { what: "the end" });
    assert.match(parts.bodies.at(-1) ?? "", /"hasNext":false/);
    assert.match(parts.text, /"message":"on purpose".*"path":\["product","broken"\]/);
    assert.ok(parts.text.endsWith("\r\n-----\r\n"), JSON.stringify(parts.text.slice(-20)));
  });
}

describe("in front of a server that sends parts", () => {
  let server: PartsServer;
  before(() => {
    server = servers[NEWER];
  });

  test("a caller who accepts no parts is refused before anything is sent", async () => {
    const mutation = "mutation { add { ...F } } fragment F on Product { ... @defer { rating } }";
    const asked = server.operations;
    for (const accept of ["application/json", "*/*", "application/graphql-response+json", "multipart/mixed;q=0"]) {
      for (const query of [DEFERRED, STREAMED, mutation]) {
        const response = await post(query, accept);
        assert.deepEqual([response.status, response.headers.get("sidesocket-sent")], [400, "no"], accept);
        const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] };
        assert.match(
          errors[0]?.message ?? "",
          /send Accept: multipart\/mixed or text\/event-stream, or leave the directives out/,
        );
        assert.deepEqual(errors[0]?.extensions, { code: "BAD_REQUEST" });
      }
    }
    assert.equal(server.operations, asked);
  });

  test("a result that comes whole is JSON, also for a caller who accepts parts", async () => {
    const off = "query P($defer: Boolean!) { product { name ... @defer(if: $defer) { name } } }";
    for (const [query, accept, type] of [
      [off, "multipart/mixed, application/json", "application/json; charset=utf-8"],
      ["{ product { ... @defer(if: false) { name } } }", "*/*", "application/json; charset=utf-8"],
      [off, "application/graphql-response+json, multipart/mixed", "application/graphql-response+json; charset=utf-8"],
    ] as const) {
      const response = await post(query, accept, { defer: false });
      assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
      assert.deepEqual(await response.json(), { data: { product: { name: "tea" } } });
    }
    for (const [accept, status] of [
      ["multipart/mixed, application/json", 200],
      ["application/graphql-response+json, multipart/mixed", 400],
    ] as const) {
      const refused = await post("{ nobody ... @defer { nobody } }", accept);
      assert.equal(refused.status, status);
      assert.match(await refused.text(), /^\{"errors":\[\{"message":"Cannot query field/);
    }
  });

  test("parts in a format that the caller does not read are a failure, and end at the server", async () => {
    const response = await post(DEFERRED, "multipart/mixed;deferSpec=20220824, application/json");
    assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [502, "invalid_reply"]);
    const { detail, sent } = (await response.json()) as { detail: string; sent: string };
    assert.match(detail, /sends parts as incrementalSpec=v0\.2 has them, but Accept names only deferspec=20220824/);
    assert.equal(sent, "yes");
    await until(() => server.open === 0, { what: "the end of the operation at the server" });
  });

  test("a caller of events has the parts as events; one with a key is refused", async (t) => {
    const events = new Parts(await post(DEFERRED, "text/event-stream"), t);
    await until(() => /^event: next\ndata: .*"hasNext":true\}\n\n/.test(events.text), { what: "the first event" });
    await events.leave();
    await until(() => server.open === 0, { what: "the end of the operation at the server" });
    const headers = { accept: "multipart/mixed", "idempotency-key": "once" };
    const keyed = await product.post(`/graphql/${NEWER}`, { query: DEFERRED }, { headers });
    assert.equal(keyed.status, 400);
    assert.match(await keyed.text(), /a stream cannot be replayed/);
  });

  test("a caller that leaves between two parts ends the operation at the server", async (t) => {
    const parts = new Parts(await post(DEFERRED, "multipart/mixed"), t);
    await until(() => parts.bodies.length === 1, { what: "the first part" });
    assert.equal(server.open, 1);
    await parts.leave();
    await until(() => server.open === 0, { what: "the end of the operation at the server" });
  });

  test("a connection that is lost between two parts is the last part, and an error for the clients", async (t) => {
    const [apollo, create] = [await loadApollo(), await loadUrql()];
    const url = urlOf(NEWER);
    const client = apollo.create(url, { parts: "GraphQL17Alpha9Handler" });
    t.after(() => client.stop());
    const results: ApolloResult[] = [];
    const query = apollo.gql(DEFERRED);
    const observed = client.watchQuery({ query, fetchPolicy: "no-cache", errorPolicy: "all" });
    t.after(() => subscription.unsubscribe());
    const subscription = observed.subscribe({ next: (result) => void results.push(result) });
    const urql: UrqlResult[] = [];
    t.after(
      create(url)
        .query(DEFERRED, {})
        .subscribe((result) => urql.push(result)).unsubscribe,
    );
    const parts = new Parts(await post(DEFERRED, "multipart/mixed"), t);
    await until(() => parts.bodies.length === 1 && urql.length === 1, { what: "the first part" });
    await until(() => results.some(({ data }) => data?.product !== undefined), { what: "Apollo's first part" });
    for (const socket of server.server.clients) socket.terminate();
    await until(() => parts.ended === "well", { what: "the end" });
    const { errors, hasNext } = JSON.parse(parts.bodies.at(-1) ?? "");
    assert.deepEqual(
      [errors.length, errors[0].extensions, hasNext],
      [1, { code: "connection_lost", sent: "yes" }, false],
    );
    await until(() => urql.at(-1)?.hasNext === false, { what: "urql's end" });
    assert.equal(urql.at(-1)?.error?.graphQLErrors[0]?.extensions?.code, "connection_lost");
    await until(() => results.at(-1)?.error !== undefined, { what: "Apollo's error" });
    assert.match(results.at(-1)?.error?.message ?? "", /the connection ended without a close frame/);
  });
});

test("parts that come faster than they are read wait, and beyond limits.reply_bytes end the response", async (t) => {
  const response = await post(STREAMED, "multipart/mixed", {}, "flood");
  await until(() => flood.cancelled.length === 1, { what: "the upstream to be notified" });
  const parts = new Parts(response, t);
  await until(() => parts.ended === "well", { what: "the end" });
  const { errors, hasNext } = JSON.parse(parts.bodies.at(-1) ?? "");
  assert.deepEqual([errors[0].extensions.code, hasNext], ["invalid_reply", false]);
  assert.match(errors[0].message, /limits\.reply_bytes/);
  assert.ok(parts.bodies.length < 500, `${parts.bodies.length} parts`);
});

test("Apollo Client reads a subscription in parts, and ends it when it unsubscribes", async (t) => {
  const server = subscriptions;
  const apollo = await loadApollo();
  const client = apollo.create(urlOf("subscriptions"));
  t.after(() => client.stop());
  const counted: unknown[] = [];
  let ended = false;
  const countdown = apollo.gql("subscription Down($from: Int!) { countdown(from: $from) }");
  client.subscribe({ query: countdown, variables: { from: 3 } }).subscribe({
    next: ({ data }) => void counted.push(data),
    complete: () => {
      ended = true;
    },
  });
  await until(() => ended, { what: "the end" });
  assert.deepEqual(counted, [{ countdown: 3 }, { countdown: 2 }, { countdown: 1 }]);

  const open = (): ApolloResult[] & { leave(): void } => {
    const results: ApolloResult[] = [];
    const subscription = client
      .subscribe({ query: apollo.gql("subscription { tick }"), errorPolicy: "all" })
      .subscribe({ next: (result) => void results.push(result) });
    return Object.assign(results, { leave: () => subscription.unsubscribe() });
  };
  const leaves = open();
  await until(() => leaves.length >= 2, { what: "two ticks" });
  leaves.leave();
  await until(() => server.ticking() === 0, { what: "the end of the subscription at the server" });
  const lost = open();
  await until(() => lost.length >= 1, { what: "a tick" });
  for (const socket of server.server.clients) socket.terminate();
  await until(() => lost.at(-1)?.error !== undefined, { what: "the error" });
  assert.match(lost.at(-1)?.error?.message ?? "", /the connection ended without a close frame/);
});

test("the exit ends a response between two parts, and says so", async (t) => {
  await until(async () => (await product.fetch("/readyz")).status === 200, { what: "all connections" });
  const parts = new Parts(await post(DEFERRED, "multipart/mixed"), t);
  await until(() => parts.bodies.length === 1, { what: "the first part" });
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
  await until(() => parts.ended === "well", { what: "the end" });
  assert.equal(JSON.parse(parts.bodies.at(-1) ?? "").errors[0].extensions.code, "cancelled");
});
