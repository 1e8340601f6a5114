/** Pages: which Origins may call. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createApp } from "../../src/index.ts";
import { problem } from "./expect.ts";

const HOST = "127.0.0.1:8787";

describe("an Origin", () => {
  const app = createApp({}, { hosts: [HOST, "service.example"] });
  const any = createApp({});
  const ask = (to: typeof app, headers: Record<string, string>) =>
    to.request("/v1/upstreams/x/request", { method: "POST", headers });

  for (const [what, headers] of [
    ["of the host that was called", { Host: HOST, Origin: `http://${HOST}` }],
    ["that the browser calls the same", { Host: HOST, Origin: `http://${HOST}`, "Sec-Fetch-Site": "same-origin" }],
    ["behind a proxy with TLS", { Host: "service.example", Origin: "https://service.example" }],
    ["with a port that a host without one serves", { Host: "service.example:81", Origin: "http://service.example:81" }],
  ] as const) {
    test(`${what} may call`, async () => {
      assert.equal((await ask(app, headers)).status, 404, "there is no upstream");
    });
  }

  for (const [what, headers] of [
    ["of another port of this host", { Host: HOST, Origin: "http://127.0.0.1:3000" }],
    ["of another name of this machine", { Host: HOST, Origin: "http://localhost:8787" }],
    ["of a host that is served, but was not called", { Host: HOST, Origin: "http://service.example" }],
    ["that the browser calls another", { Host: HOST, Origin: `http://${HOST}`, "Sec-Fetch-Site": "cross-site" }],
    ["of another scheme", { Host: HOST, Origin: `file://${HOST}` }],
  ] as const) {
    test(`${what} may not`, async () => {
      await problem(await ask(app, headers), { status: 403, code: "forbidden", sent: "no" });
    });
  }

  test("of the host that was called may not where any host is served: it may be that of a rebinding page", async () => {
    const rebound = { Host: "evil.example", Origin: "http://evil.example", "Sec-Fetch-Site": "same-origin" };
    await problem(await ask(any, rebound), { status: 403, code: "forbidden", sent: "no" });
    await problem(await ask(app, rebound), { status: 421, code: "misdirected", sent: "no" });
  });
});
