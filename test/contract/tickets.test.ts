/** Tickets for EventSource, and what browsers are told about pages of other origins. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createApp } from "../../src/index.ts";
import { problem } from "./expect.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const ORIGIN = "https://app.example";
const bearer = { Authorization: `Bearer ${TOKEN}` };
const events = { Accept: "text/event-stream" };
const unauthorized = { status: 401, code: "unauthorized", sent: "no" } as const;

describe("a ticket", () => {
  const app = createApp({}, { tokens: [TOKEN] });
  const order = (body: unknown, headers: Record<string, string> = bearer) =>
    app.request("/v1/tickets", {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers },
    });
  async function ticketFor(route: string): Promise<string> {
    const response = await order({ route });
    assert.equal(response.status, 201);
    const { ticket, expires_at: expires } = (await response.json()) as { ticket: string; expires_at: string };
    const leftMs = Date.parse(expires) - Date.now();
    assert.ok(leftMs > 0 && leftMs <= 60_000, expires);
    return ticket;
  }
  const read = async (path: string, ticket: string, init: RequestInit = { headers: events }) => {
    const response = await app.request(`${path}?ticket=${ticket}`, init);
    if (response.status === 200) await response.body?.cancel();
    return response;
  };

  test("opens one stream of events, once", async () => {
    for (const path of ["/v1/events", "/v1/upstreams"]) {
      const ticket = await ticketFor(path);
      const first = await read(path, ticket);
      assert.equal(first.status, 200);
      assert.match(first.headers.get("content-type") ?? "", /^text\/event-stream/);
      await problem(await read(path, ticket), unauthorized);
    }
  });

  test("is good for nothing but its route, by GET, as events, and is used up by the attempt", async () => {
    const other = await ticketFor("/v1/events");
    await problem(await read("/v1/upstreams", other), unauthorized);
    await problem(await read("/v1/events", other), unauthorized);
    const ticket = await ticketFor("/v1/upstreams");
    await problem(await read("/v1/upstreams", ticket, {}), unauthorized);
    await problem(await read("/v1/upstreams", ticket, { headers: events, method: "POST" }), unauthorized);
    const wrong = { headers: { ...events, Authorization: "Bearer wrong" } };
    await problem(await read("/v1/upstreams", ticket, wrong), unauthorized);
    const guess = `${ticket.slice(0, 8)}${"A".repeat(ticket.length - 8)}`;
    await problem(await read("/v1/upstreams", guess), unauthorized);
    assert.equal((await read("/v1/upstreams", ticket)).status, 200, "neither of these was a use of it");
  });

  test("opens messages, of the upstream and of a subscription, as far as there are any", async () => {
    for (const path of ["/v1/upstreams/a/messages", "/v1/upstreams/a/subscriptions/s/messages"]) {
      const response = await read(path, await ticketFor(path));
      await problem(response, { status: 404, code: "not_found", sent: "no" });
    }
  });

  test("is issued to callers with a token, for streams alone", async () => {
    await problem(await order({ route: "/v1/events" }, {}), unauthorized);
    const refused = { status: 400, code: "invalid_request", sent: "no" } as const;
    for (const route of ["/v1/failures", "/shutdown", "/v1/events?after=1", "/v1/upstreams/a/b/messages", 7, undefined])
      await problem(await order({ route }), refused);
    for (const body of ["null", "{"]) await problem(await order(body), refused);
  });

  test("works below a path of a program's own app, too", async () => {
    const { Hono } = await import("hono");
    const own = new Hono().route("/ws", createApp({}, { tokens: [TOKEN] }));
    const headers = { "Content-Type": "application/json", ...bearer };
    const issued = await own.request("/ws/v1/tickets", { method: "POST", headers, body: '{"route":"/v1/events"}' });
    const { ticket } = (await issued.json()) as { ticket: string };
    const stream = await own.request(`/ws/v1/events?ticket=${ticket}`, { headers: events });
    assert.equal(stream.status, 200);
    await stream.body?.cancel();
  });
});

describe("a preflight of a page of another origin", () => {
  async function preflight(options: Parameters<typeof createApp>[1]) {
    const app = createApp({}, { origins: [ORIGIN], ...options });
    const headers = { Origin: ORIGIN, "Access-Control-Request-Method": "POST" };
    const response = await app.request("/v1/upstreams/a/request", { method: "OPTIONS", headers });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
    const allowed = (response.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(",");
    return { allowed, maxAge: response.headers.get("access-control-max-age") };
  }

  test("allows the headers of the API and of traces, for ten minutes", async () => {
    const { allowed, maxAge } = await preflight({});
    for (const name of ["authorization", "idempotency-key", "traceparent", "tracestate"])
      assert.ok(allowed.includes(name), name);
    assert.equal(maxAge, "600");
  });

  test("allows what the configuration adds, for its time", async () => {
    const { allowed, maxAge } = await preflight({ cors: { allowHeaders: ["X-Own"], maxAgeMs: 5_000 } });
    assert.ok(allowed.includes("x-own") && allowed.includes("authorization"), allowed.join());
    assert.equal(maxAge, "5");
  });
});
