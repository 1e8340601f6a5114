/** The app over upstreams without threads: which upstream a path names, and what its methods are. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { getRouterName } from "hono/dev";
import { configSchema } from "../../src/config/schema.ts";
import { Budget } from "../../src/core/util/budget.ts";
import { buildApp } from "../../src/http/app.ts";
import { Tokens } from "../../src/http/callers.ts";
import { Metrics } from "../../src/http/metrics/registry.ts";
import type { UpstreamPort } from "../../src/http/ports.ts";
import { ReplyKeeper } from "../../src/http/reply-keeper.ts";
import { StopSignal } from "../../src/http/stop-signal.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { problem } from "../contract/expect.ts";
import { fakeUpstream } from "./fake-upstream.ts";

function appOver(...upstreams: readonly UpstreamPort[]) {
  return appWith(
    (error) => {
      throw error;
    },
    ...upstreams,
  );
}

function appWith(onFault: (error: unknown) => void, ...upstreams: readonly UpstreamPort[]) {
  const telemetry = new Telemetry();
  return buildApp({
    upstreams: new Map(upstreams.map((upstream) => [upstream.name, upstream])),
    access: {
      tokens: new Tokens([]),
      shutdownTokens: new Tokens([]),
      openShutdown: true,
      hosts: undefined,
      origins: [],
      cors: { allowHeaders: [], maxAgeMs: 0 },
    },
    page: true,
    webhooks: new Map(),
    budget: Budget.alone(),
    quotas: undefined,
    keeper: new ReplyKeeper(configSchema.parse({}).replies),
    telemetry,
    metrics: new Metrics(telemetry),
    about: { version: "0.0.0", runtime: "test" },
    onFault,
    lifecycle: {
      ready: true,
      accepting: true,
      stopping: new StopSignal(),
      exit: () => Promise.reject(new Error("unused")),
    },
  });
}

interface Refusal {
  readonly detail: string;
  readonly error: { readonly data: { readonly detail: string; readonly upstream?: string } };
}

async function bodyOf(response: Response): Promise<Refusal> {
  return (await response.json()) as Refusal;
}

const message = { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"jsonrpc":"2.0","id":1}' };

test("a path reaches the upstream that it names, on every family of routes", async () => {
  const app = appOver(
    fakeUpstream("a"),
    fakeUpstream("b", { protocol: { name: "text", accepts: "any", streams: false, batches: false } }),
  );
  for (const path of ["/v1/upstreams/a/request", "/v1/upstreams/b/request", "/rpc/a"]) {
    const response = await app.request(path, message);
    assert.deepEqual([response.status, await response.text()], [200, message.body], path);
  }
  for (const path of ["/v1/upstreams/a", "/v1/upstreams/a/subscriptions"]) {
    assert.equal((await app.request(path)).status, 200, path);
  }
  const refusal = await bodyOf(await app.request("/rpc/b", message));
  assert.match(refusal.error.data.detail, /^upstream "b" speaks text, not json-rpc: use \/v1\/upstreams\/b\/request$/);
  assert.equal(refusal.error.data.upstream, "b");
});

test("one expression matches every path, and a word beside a parameter is no other path", async () => {
  const app = appOver(fakeUpstream("a"));
  const answer = async (method: string, path: string) => (await app.request(path, { method })).status;
  assert.equal(await answer("POST", "/v1/upstreams/a/messages/acknowledge"), 400, "served, and without `through`");
  assert.equal(await answer("DELETE", "/v1/upstreams/a/messages/acknowledge"), 405);
  assert.equal(await answer("POST", "/v1/upstreams/a/messages/other"), 404);
  assert.equal(await answer("DELETE", "/v1/upstreams/a/messages/other"), 404);
  assert.equal(getRouterName(app), "SmartRouter + RegExpRouter");
});

test("an unknown upstream is refused with the configured names, in the language of the path", async () => {
  const app = appOver(fakeUpstream("a"), fakeUpstream("b"));
  const detail = (name: string) => `unknown upstream "${name}" (configured: a, b)`;
  const v1 = [
    ["POST", "/v1/upstreams/x/request"],
    ["POST", "/v1/upstreams/x/send"],
    ["GET", "/v1/upstreams/x"],
    ["GET", "/v1/upstreams/x/messages"],
    ["GET", "/v1/upstreams/x/subscriptions"],
    ["POST", "/v1/upstreams/x/subscriptions"],
    ["GET", "/v1/upstreams/x/subscriptions/s"],
    ["DELETE", "/v1/upstreams/x/subscriptions/s"],
    ["GET", "/v1/upstreams/x/subscriptions/s/messages"],
    ["POST", "/graphql/x"],
    ["GET", "/graphql/x"],
  ] as const;
  for (const [method, path] of v1) {
    const response = await app.request(path, { method });
    assert.deepEqual([response.status, (await bodyOf(response)).detail], [404, detail("x")], `${method} ${path}`);
  }
  assert.equal((await bodyOf(await app.request("/graphql", message))).detail, detail("default"));
  for (const [path, name] of [
    ["/rpc/x", "x"],
    ["/rpc", "default"],
  ] as const) {
    const response = await app.request(path, message);
    const { error } = await bodyOf(response);
    assert.deepEqual([response.status, error.data.detail], [404, detail(name)], path);
  }
});

test("a single upstream is reached as `default`, and where the path names none", async () => {
  const app = appOver(fakeUpstream("only"));
  for (const path of ["/v1/upstreams/default/request", "/rpc"]) {
    assert.equal((await app.request(path, message)).status, 200, path);
  }
});

test("a 405 lists each method of the path once", async () => {
  const app = appOver(fakeUpstream("a"));
  for (const [path, allow] of [
    ["/v1/upstreams/a/request", "POST"],
    ["/v1/upstreams/a/messages", "GET, HEAD"],
    ["/v1/upstreams/a/subscriptions", "POST, GET, HEAD"],
  ] as const) {
    const response = await app.request(path, { method: "PUT" });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, allow], path);
  }
});

test("every route accepts the query parameters that its description has, and no others", async () => {
  const { described } = appOver(fakeUpstream("a"));
  const schemas = { ...(await import("../../src/http/schemas.ts")), ...(await import("../../src/http/described.ts")) };
  for (const { place, describe } of described) {
    const parameters = (describe(schemas).parameters ?? []) as { readonly in: string; readonly name: string }[];
    const names = parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name);
    assert.deepEqual([...(place.query ?? [])].sort(), names.sort(), `${place.method} ${place.path}`);
  }
});

test("a bug of ours is reported in the path's format; JSON-RPC gets no status that it retries", async () => {
  const faults: unknown[] = [];
  const broken = fakeUpstream("broken", { request: () => Promise.reject(new Error("a mistake")) });
  const app = appWith((error) => faults.push(error), broken);
  const rpc = await app.request("/rpc", message);
  const facts = ["sidesocket-code", "sidesocket-sent", "content-type"].map((name) => rpc.headers.get(name));
  assert.deepEqual([rpc.status, ...facts], [200, "internal_error", "maybe", "application/json"]);
  const { error } = (await rpc.json()) as { error: { data: { sent: string } } };
  assert.equal(error.data.sent, "maybe");
  const failed = await app.request("/v1/upstreams/broken/request", message);
  await problem(failed, { status: 500, code: "internal_error", sent: "maybe" });
  assert.equal(faults.length, 2);
});
