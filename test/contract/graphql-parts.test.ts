/** Results of GraphQL in parts, from an upstream that sends what a test wants. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

/** A payload of `next`, errors, a pause in milliseconds, a result of many numbers, or the end. */
type Step = { next: unknown } | { error: unknown } | { wait: number } | { numbers: number } | "complete" | "kill";

interface Subscribe {
  readonly type: string;
  readonly id: string;
  readonly payload: { readonly variables?: { readonly steps?: readonly Step[] } };
}

const DEFERRED = "{ a ... @defer { b } }";
const SUBSCRIPTION = "subscription { a }";
const FIRST: Step = { next: { data: { a: 1 }, hasNext: true } };
const LAST: Step = { next: { incremental: [{ data: { b: 2 }, path: [] }], hasNext: false } };

let product: Product;
const cancelled: string[] = [];
let connections = 0;
const cleanups: (() => unknown)[] = [];
before(async () => {
  const t: Cleanup = { after: (cleanup) => void cleanups.push(cleanup as () => unknown) };
  const upstream = await startUpstream({
    t,
    onConnection: () => connections++,
    subprotocol: (offered) => offered[0],
    onMessage: async (message, connection) => {
      const { type, id, payload } = JSON.parse(String(message)) as Subscribe;
      if (type === "connection_init") connection.send({ type: "connection_ack" });
      if (type === "complete") cancelled.push(id);
      if (type !== "subscribe") return;
      for (const step of payload.variables?.steps ?? [{ next: { data: { a: 1 } } }, "complete"]) {
        if (step === "complete") connection.send({ id, type: "complete" });
        else if (step === "kill") connection.socket.terminate();
        else if ("next" in step) connection.send({ id, type: "next", payload: step.next });
        else if ("error" in step) connection.send({ id, type: "error", payload: step.error });
        else if ("numbers" in step) {
          const payload = `{"data":{"a":[${"1,".repeat(step.numbers)}1]},"hasNext":true}`;
          connection.socket.send(`{"id":"${id}","type":"next","payload":${payload}}`);
        } else await new Promise((resolve) => setTimeout(resolve, step.wait));
      }
    },
  });
  const settings = { url: upstream.url, protocol: "graphql-transport-ws", reconnect: { from: "20ms", to: "100ms" } };
  product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function ask(steps: readonly Step[] | undefined, options: Record<string, string> = {}) {
  const { query = DEFERRED, accept = "multipart/mixed", path = "/graphql" } = options;
  const response = await product.post(path, { query, variables: { steps } }, { headers: { accept } });
  const text = await response.text();
  // The JSON of the parts.
  const parts = [...text.matchAll(/\r\n\r\n(.*)\r\n--/g)].map(([, json]) => JSON.parse(String(json)) as unknown);
  return { status: response.status, type: response.headers.get("content-type") ?? "", text, parts };
}

const payloadOf = (step: Step): unknown => (typeof step === "object" && "next" in step ? step.next : undefined);

test("a response of parts ends with the last of them, whatever its upstream sends afterwards", async () => {
  const before = cancelled.length;
  for (const rest of [["complete"], [{ error: [{ message: "late" }] }], [], [{ wait: 50 }, "kill"]] as const) {
    const began = performance.now();
    const { parts, text } = await ask([FIRST, LAST, ...rest]);
    assert.deepEqual(parts, [FIRST, LAST].map(payloadOf), JSON.stringify(rest));
    assert.ok(text.endsWith("\r\n-----\r\n"), text);
    assert.ok(performance.now() - began < 30_000, "half of limits.reply_pause");
    if (rest.length === 0) await until(() => cancelled.length > before, { what: "the upstream to be notified" });
  }
  assert.equal(cancelled.length, before + 1, "only one did not end its operation itself");
  await until(() => connections === 2, { what: "the next connection" });
  await product.ready();
});

test("an upstream that completes without the last part is a failure, in parts and in events", async () => {
  const { parts } = await ask([FIRST, "complete"]);
  const [first, last] = parts as [object, { errors: { message: string; extensions: object }[]; hasNext: boolean }];
  assert.deepEqual([first, last.hasNext], [payloadOf(FIRST), false]);
  assert.match(last.errors[0]?.message ?? "", /completed the operation without the last part/);
  assert.deepEqual(last.errors[0]?.extensions, { code: "invalid_reply", sent: "yes" });
  const { text } = await ask([FIRST, "complete"], { accept: "text/event-stream" });
  assert.match(text, /^event: next\n.*\n\nevent: error\ndata: .*"code":"invalid_reply"/);
});

test("events of a result in parts end with the last part, too", async () => {
  const { text } = await ask([FIRST, LAST], { accept: "text/event-stream" });
  assert.match(text, /^event: next\n.*\n\nevent: next\n.*"hasNext":false\}\n\nevent: complete\ndata: \n\n$/);
});

test("a result that others may follow, or not, has the deadline of the request", async () => {
  const { status, text } = await ask([{ next: { data: { a: 1 } } }], { path: "/graphql?timeout=300ms" });
  const { code, sent, detail } = JSON.parse(text) as Record<string, string>;
  assert.deepEqual([status, code, sent], [504, "reply_timeout", "yes"]);
  assert.match(detail ?? "", /sent a result, but did not complete the request within 300 ms/);
});

test("the form with the best quality is sent, events if they are equal", async () => {
  const parts = [FIRST, LAST, "complete"] as const;
  const one = [{ next: { data: { a: 1 } } }, "complete"] as const;
  for (const [steps, query, accept, type] of [
    [parts, DEFERRED, "multipart/mixed, text/event-stream;q=0.1", "multipart/mixed"],
    [parts, DEFERRED, "multipart/mixed;q=0.5, text/*", "text/event-stream"],
    [parts, DEFERRED, "application/json, multipart/mixed, text/event-stream", "text/event-stream"],
    [parts, DEFERRED, "multipart/mixed;deferSpec=20220824;subscriptionSpec=1.0", "multipart/mixed"],
    [one, DEFERRED, "multipart/mixed, text/event-stream;q=0.1", "application/json"],
    [one, SUBSCRIPTION, "multipart/mixed;subscriptionSpec=1.0, text/event-stream;q=0.1", "multipart/mixed"],
    [one, SUBSCRIPTION, "multipart/mixed;deferSpec=20220824;subscriptionSpec=1.0", "multipart/mixed"],
    [one, SUBSCRIPTION, "multipart/mixed;subscriptionSpec=1.0, text/event-stream", "text/event-stream"],
  ] as const) {
    const response = await ask(steps, { query, accept });
    assert.deepEqual([response.status, response.type.split(";")[0]], [200, type], `${query} for ${accept}`);
  }
});

test("a refusal for want of a form names each that there is", async () => {
  for (const accept of ["multipart/mixed;subscriptionSpec=1.0", "text/event-stream;q=0"]) {
    const { status, text } = await ask(undefined, { accept });
    const [error] = (JSON.parse(text) as { errors: { message: string; extensions: object }[] }).errors;
    assert.deepEqual([status, error?.extensions], [400, { code: "BAD_REQUEST" }]);
    assert.match(error?.message ?? "", /multipart\/mixed or text\/event-stream/);
  }
  const { status, text } = await ask(undefined, { query: SUBSCRIPTION });
  assert.equal(status, 400);
  assert.match(text, /"detail":"[^"]*text\/event-stream or multipart\/mixed;subscriptionSpec=1\.0/);
});

test("a large part is passed on as it is", async () => {
  const { parts } = await ask([{ numbers: 100_000 }, LAST, "complete"]);
  const [first, last] = parts as [{ data: { a: number[] } }, unknown];
  assert.deepEqual([first.data.a.length, last], [100_001, payloadOf(LAST)]);
});

test("HEAD has headers alone, so that the next response on the connection is read as what it is", async (t) => {
  for (const [query, accept, type] of [
    [DEFERRED, "multipart/mixed", "multipart/mixed"],
    [SUBSCRIPTION, "multipart/mixed;subscriptionSpec=1.0", "multipart/mixed"],
    [SUBSCRIPTION, "text/event-stream", "text/event-stream"],
  ] as const) {
    const before = cancelled.length;
    const variables = JSON.stringify({ steps: [FIRST] });
    const path = `/graphql?${new URLSearchParams({ query, variables })}`;
    const socket = connect(Number(new URL(product.url).port), "127.0.0.1");
    t.after(() => socket.destroy());
    let got = "";
    socket.setEncoding("utf8").on("data", (data) => {
      got += data;
    });
    const host = new URL(product.url).host;
    const head = `Host: ${host}\r\nAccept: ${accept}\r\n`;
    socket.write(`HEAD ${path} HTTP/1.1\r\n${head}\r\nGET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await until(() => got.split("HTTP/1.1 200 OK\r\n").length === 3, { what: () => `two responses in ${got}` });
    const [, first = ""] = got.split("HTTP/1.1 200 OK\r\n");
    assert.match(first, new RegExp(`content-type: ${type}`, "i"));
    assert.ok(first.endsWith("\r\n\r\n") && !first.slice(0, -4).includes("\r\n\r\n"), `a body in ${first}`);
    await until(() => cancelled.length === before + 1, { what: "the upstream to be notified" });
  }
});
