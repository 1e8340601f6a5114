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
