/** The OpenAPI document: no reference leads nowhere, and every response is one that it describes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DemoUpstream, startDemo } from "../../src/demo/demo-upstream.ts";
import { createApp } from "../../src/index.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";

interface Referring {
  readonly $ref?: string;
}

interface Described {
  readonly description?: string;
  readonly headers?: Readonly<Record<string, Referring>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly responses: Readonly<Record<string, Described & Referring>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly tags: readonly { readonly name: string }[];
}

/** Headers of every response, or of HTTP itself. */
const UNDESCRIBED = /^(?:cache-control|connection|content-|date|keep-alive|transfer-encoding|vary|x-accel|x-content)/;

const TOKEN = "0123456789abcdef0123456789abcdef";
const UPSTREAM = "/v1/upstreams/default";
const call = (method: string, ...params: unknown[]) => ({ jsonrpc: "2.0", id: 1, method, params });
const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body: typeof body === "string" ? body : JSON.stringify(body),
  headers: { "Content-Type": "application/json", ...headers },
});

/** Requests with the statuses of their responses. */
const REQUESTS: readonly (readonly [number, path: string, operation: string, init?: RequestInit | undefined])[] = [
  [200, `${UPSTREAM}/request`, "request", json(call("echo"))],
  [200, `${UPSTREAM}/request?pick=/result/0`, "request", json(call("echo", 1))],
  [200, `${UPSTREAM}/request`, "request", json([call("echo")], { Prefer: "wait=9", "X-Request-Id": "mine" })],
  [202, `${UPSTREAM}/request`, "request", json(call("sleep", 300), { Prefer: "respond-async" })],
  [200, `${UPSTREAM}/request`, "request", json({ jsonrpc: "2.0", method: "echo" }, { Prefer: "wait=1" })],
  [400, `${UPSTREAM}/request?soon=1`, "request", json(call("echo"))],
  [400, `${UPSTREAM}/request`, "request", json("{")],
  [404, "/v1/upstreams/none/request", "request", json(call("echo"))],
  [413, `${UPSTREAM}/request`, "request", json(call("echo", "x".repeat(2_000)))],
  [415, `${UPSTREAM}/request`, "request", { method: "POST", body: "x", headers: { "Content-Type": "text/csv" } }],
  [200, `${UPSTREAM}/request`, "request", json(call("echo", 1), { "Idempotency-Key": "a" })],
  [200, `${UPSTREAM}/request`, "request", json(call("echo", 1), { "Idempotency-Key": "a" })],
  [422, `${UPSTREAM}/request`, "request", json(call("echo", 2), { "Idempotency-Key": "a" })],
  [502, `${UPSTREAM}/request?pick=/result/x`, "request", json(call("echo"))],
  [504, `${UPSTREAM}/request?timeout=50ms`, "request", json(call("sleep", 300))],
  [503, "/v1/upstreams/away/request", "request", json(call("echo"))],
  [204, `${UPSTREAM}/send`, "send", json(call("echo"))],
  [204, `${UPSTREAM}/send?confirm=pong`, "send", json(call("echo"))],
  [400, `${UPSTREAM}/send?confirm=ping`, "send", json(call("echo"))],
  [404, "/v1/requests/none", "fetchReply"],
  [201, "/v1/tickets", "issueTicket", json({ route: "/v1/events" })],
  [400, "/v1/tickets", "issueTicket", json({})],
  [200, "/rpc/default", "callUpstreamRpc", json(call("echo"))],
  [200, "/rpc/default?timeout=50ms", "callUpstreamRpc", json(call("sleep", 300))],
  [204, "/rpc/default", "callUpstreamRpc", json({ jsonrpc: "2.0", method: "echo" })],
  [400, "/rpc/default", "callUpstreamRpc", json("{")],
  [503, "/rpc/away", "callUpstreamRpc", json(call("echo"))],
  [200, "/rpc", "callRpc", json(call("echo"))],
  [404, "/graphql/default", "queryUpstreamGraphql", json({ query: "{ a }" })],
  [404, "/graphql/default?query=%7Ba%7D", "readUpstreamGraphql"],
  [200, `${UPSTREAM}/messages`, "readMessages"],
  [200, `${UPSTREAM}/messages?poll=1`, "readMessages", { headers: { Accept: "text/event-stream" } }],
  [200, `${UPSTREAM}/messages?poll=1`, "readMessages", { headers: { Accept: "application/x-ndjson" } }],
  [410, `${UPSTREAM}/messages?after=aaaaaaaaaaaa-1`, "readMessages"],
  [400, `${UPSTREAM}/messages?after=x`, "readMessages"],
  [410, `${UPSTREAM}/messages/acknowledge?through=aaaaaaaaaaaa-1`, "acknowledgeMessages", { method: "POST" }],
  [400, `${UPSTREAM}/messages/acknowledge`, "acknowledgeMessages", { method: "POST" }],
  [404, `${UPSTREAM}/messages/none/reply`, "replyToMessage", json({ result: null })],
  [410, `${UPSTREAM}/messages/aaaaaaaaaaaa-1/reply`, "replyToMessage", json({ result: null })],
  [
    201,
    `${UPSTREAM}/subscriptions`,
    "createSubscription",
    json({ name: "clock", request: call("subscribe"), id: "/result", match: { "/params/subscription": "$id" } }),
  ],
  [400, `${UPSTREAM}/subscriptions`, "createSubscription", json({})],
  [
    409,
    `${UPSTREAM}/subscriptions`,
    "createSubscription",
    json({ name: "clock", request: call("subscribe"), match: { "/method": "tick" } }),
  ],
  [201, `${UPSTREAM}/instances`, "openInstance", { method: "POST" }],
  [400, `${UPSTREAM}/instances`, "openInstance", json({ params: { none: "" } })],
  [200, `${UPSTREAM}/instances`, "listInstances"],
  [404, `${UPSTREAM}/instances/none`, "deleteInstance", { method: "DELETE" }],
  [200, `${UPSTREAM}/subscriptions`, "listSubscriptions"],
  [200, `${UPSTREAM}/subscriptions/clock`, "getSubscription"],
  [200, `${UPSTREAM}/subscriptions/clock/messages`, "readSubscriptionMessages"],
  [404, `${UPSTREAM}/subscriptions/none/messages`, "readSubscriptionMessages"],
  [
    410,
    `${UPSTREAM}/subscriptions/clock/messages/acknowledge?through=aaaaaaaaaaaa-1`,
    "acknowledgeSubscriptionMessages",
    { method: "POST" },
  ],
  [204, `${UPSTREAM}/subscriptions/clock`, "deleteSubscription", { method: "DELETE" }],
  [404, `${UPSTREAM}/subscriptions/clock`, "deleteSubscription", { method: "DELETE" }],
  [200, "/livez", "getLiveness"],
  [200, "/metrics", "getMetrics"],
  [503, "/readyz", "getReadiness"],
  [503, "/healthz", "getHealth"],
  [200, "/version", "getVersion"],
  [200, "/v1/upstreams", "listUpstreams"],
  [200, UPSTREAM, "getUpstream"],
  [404, "/v1/upstreams/none", "getUpstream"],
  [200, "/v1/upstreams", "listUpstreams", { method: "HEAD", headers: { Accept: "text/event-stream" } }],
  [200, "/v1/events", "readEvents", { method: "HEAD" }],
  [200, "/v1/failures", "listFailures"],
  [200, "/openapi.json", "getDocument"],
  [200, "/reload", "reload", { method: "POST" }],
  [400, "/reload?force=true", "reload", { method: "POST" }],
  [400, "/shutdown?force=perhaps", "shutDown", { method: "POST" }],
];

async function documentOf(fetched: Promise<Response> | Response): Promise<Document> {
  return (await (await fetched).json()) as Document;
}

/** The same requests to an instance: each route of an upstream is one of its instances, too. */
function ofInstance(instance: string): typeof REQUESTS {
  const [, ...below] = instance.split("/v1/upstreams");
  return REQUESTS.filter(([, path]) => /\/default\b/.test(path) && !path.includes("/instances")).map(
    ([status, path, id, init]) => [status, path.replace("/default", below.join()), `${id}OfInstance`, init],
  );
}

/** Finds what a reference leads to. */
function resolve<Type>(document: object, target: Type & Referring): Type {
  if (target.$ref === undefined) return target;
  const [root, ...parts] = target.$ref.split("/");
  assert.equal(root, "#", target.$ref);
  const found = parts.reduce<unknown>(
    (place, part) => (place as Record<string, unknown> | undefined)?.[part],
    document,
  );
  assert.ok(found, `${target.$ref} leads nowhere`);
  return found as Type;
}

function operationsOf({ paths }: Document): readonly Operation[] {
  return Object.values(paths).flatMap((methods) => Object.values(methods));
}

describe("the OpenAPI document", () => {
  let demo: DemoUpstream;
  let product: Product;
  let document: Document;
  before(async () => {
    demo = await startDemo();
    const limits = { request_bytes: "1KiB" };
    const upstreams = { default: { url: demo.url, limits, instances: {} }, away: { url: "ws://127.0.0.1:1" } };
    product = await startProduct({ config: { upstreams } });
    document = await documentOf(product.fetch("/openapi.json"));
  });
  after(async () => {
    await product?.kill();
    await demo?.stop();
  });

  test("every reference leads to something", () => {
    const visit = (value: unknown) => {
      if (typeof value !== "object" || value === null) return;
      if ("$ref" in value) resolve(document, value as Referring);
      for (const inner of Object.values(value)) visit(inner);
    };
    visit(document);
  });

  test("every operation has an id of its own and a tag with a description", () => {
    const operations = operationsOf(document);
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    const known = document.tags.map(({ name }) => name);
    assert.deepEqual([...new Set(operations.flatMap(({ tags }) => tags))].sort(), [...known].sort());
  });

  test("every response has a status, a media type and headers that the document has for it", async () => {
    const isReady = async () => /"phase":"ready"/.test(await (await product.fetch(UPSTREAM)).text());
    await until(isReady, { what: () => "the upstream is ready" });
    const operations = new Map(operationsOf(document).map((operation) => [operation.operationId, operation]));
    const untested = new Set(operations.keys());
    const { path: instance } = (await (await product.fetch(`${UPSTREAM}/instances`, { method: "POST" })).json()) as {
      path: string;
    };
    for (const [status, path, id, init] of [...REQUESTS, ...ofInstance(instance)]) {
      untested.delete(id);
      const response = await product.fetch(path, init);
      const where = `${status} of ${id} at ${path}`;
      assert.equal(response.status, status, `${where}: ${await response.text()}`);
      const referred = operations.get(id)?.responses[status];
      assert.ok(referred, `${where} is not described`);
      const { headers = {}, content } = resolve(document, referred);
      const type = response.headers.get("content-type")?.split(";", 1)[0];
      if (type === undefined) assert.equal(content, undefined, where);
      else assert.ok(type in (content ?? {}), `${where}: ${type} is not described`);
      const described = Object.keys(headers).map((name) => name.toLowerCase());
      const unknown = [...response.headers.keys()].filter(
        (name) => !described.includes(name) && !UNDESCRIBED.test(name),
      );
      assert.deepEqual(unknown, [], where);
      assert.ok(response.headers.has("x-request-id"), where);
    }
    assert.deepEqual([...untested].sort(), ["queryGraphql", "readGraphql"]);
  });

  test("a token is required exactly where the configuration requires one", async () => {
    const needing = ({ paths }: Document) =>
      Object.entries(paths)
        .filter(([, methods]) =>
          Object.values(methods).some(({ security }) => security.every((each) => "token" in each)),
        )
        .map(([path]) => path);
    assert.deepEqual(needing(document), []);
    const guarded = createApp({}, { tokens: [TOKEN] });
    const authorized = { headers: { Authorization: `Bearer ${TOKEN}` } };
    const withTokens = await documentOf(guarded.request("/openapi.json", authorized));
    const open = Object.keys(withTokens.paths).filter((path) => !needing(withTokens).includes(path));
    assert.deepEqual(open, ["/livez", "/readyz", "/healthz"]);
    assert.deepEqual(needing(await documentOf(createApp({}).request("/openapi.json"))), ["/shutdown"]);
  });
});
