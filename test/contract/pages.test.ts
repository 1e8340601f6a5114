/** The pages for people: how they are served, what protects them, and which Origins may call. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createApp } from "../../src/index.ts";
import { rawRequest } from "../support/http.ts";
import { startProduct } from "../support/product.ts";
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

describe("the pages", () => {
  const TOKEN = "0123456789abcdef0123456789abcdef";
  const app = createApp({}, { tokens: [TOKEN], hosts: [HOST] });
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { Host: HOST, ...headers } });
  /** The files that a file names, and those that these name. */
  async function filesOf(path: string, found = new Map<string, string>()): Promise<ReadonlyMap<string, string>> {
    if (found.has(path)) return found;
    const text = await (await get(path)).text();
    found.set(path, text);
    for (const [, name] of text.matchAll(/(?:href|src)="(pages\/[^"]+)"/g)) await filesOf(`/${name}`, found);
    for (const [, name] of text.matchAll(/from ?"\.\/([^"]+)"/g)) await filesOf(`/pages/${name}`, found);
    return found;
  }

  for (const path of ["/", "/docs"]) {
    test(`${path} needs no token and no file that is not there, and has nothing inline and nothing from elsewhere`, async () => {
      const page = await get(path);
      assert.equal(page.status, 200);
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
      const policy = page.headers.get("content-security-policy") ?? "";
      for (const each of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"])
        assert.ok(policy.includes(each), policy);
      assert.doesNotMatch(policy, /unsafe|data:|https?:|\*/);
      const files = await filesOf(path);
      assert.ok(files.size >= 8, [...files.keys()].join());
      for (const [name, text] of files) {
        assert.equal((await get(name)).status, 200, name);
        // The names of namespaces are no addresses that anything is fetched from.
        const elsewhere = text.replaceAll(/http:\/\/www\.w3\.org\/[\w/]+/g, "").match(/https?:\/\/\w.*/);
        assert.equal(elsewhere, null, name);
        if (name === path) assert.doesNotMatch(text, /<style|<script>|\bon\w+=|\bstyle=/);
      }
    });
  }

  test("all files together take at most 40 kB, compressed", async () => {
    const names = new Set([...(await filesOf("/")).keys(), ...(await filesOf("/docs")).keys()]);
    let bytes = 0;
    for (const name of names) {
      const response = await get(name, { "Accept-Encoding": "gzip, br" });
      assert.equal(response.headers.get("content-encoding"), "gzip", name);
      const compressed = Buffer.from(await response.arrayBuffer());
      bytes += compressed.length;
      assert.equal(gunzipSync(compressed).toString(), await (await get(name)).text(), name);
    }
    assert.ok(bytes < 40_000, `${bytes} bytes`);
  });

  test("are asked for again each time, and sent only if they have changed", async () => {
    const first = await get("/pages/app.js");
    assert.equal(first.headers.get("cache-control"), "no-cache");
    const again = await get("/pages/app.js", { "If-None-Match": first.headers.get("etag") ?? "" });
    assert.deepEqual([again.status, await again.text()], [304, ""]);
    assert.equal((await get("/pages/app.js", { "If-None-Match": '"other"' })).status, 200);
  });

  test("may be linked from other sites, but not under another name of this host", async () => {
    assert.equal((await get("/", { "Sec-Fetch-Site": "cross-site" })).status, 200);
    await problem(await get("/", { Host: "evil.example" }), { status: 421, code: "misdirected", sent: "no" });
  });

  test("are no way to anything else: other methods and other routes need the token", async () => {
    const posted = await app.request("/", { method: "POST", headers: { Host: HOST } });
    await problem(posted, { status: 401, code: "unauthorized", sent: "no" });
    for (const name of ["constructor", "..%2fpackage.json", "none.js"])
      await problem(await get(`/pages/${name}`), { status: 404, code: "not_found", sent: "no" });
    assert.equal((await get("/v1/upstreams")).status, 401);
    assert.equal((await get("/openapi.json")).status, 401);
  });

  test("work below a path of a program's own app, too", async () => {
    const { Hono } = await import("hono");
    const own = new Hono().route("/ws", createApp({}));
    assert.match(await (await own.request("/ws")).text(), /src="ws\/pages\/app\.js"/);
    assert.match(await (await own.request("/ws/docs")).text(), /src="pages\/docs\.js"/);
    assert.equal((await own.request("/ws/pages/app.js")).status, 200);
  });

  test("are off with `page: false`, and in the service with listen.page", async (t) => {
    const off = createApp({}, { page: false });
    const upstreams = { default: { url: "ws://127.0.0.1:1" } };
    const product = await startProduct({ config: { listen: { page: false }, upstreams }, t });
    for (const path of ["/", "/docs", "/pages/app.js"]) {
      await problem(await off.request(path), { status: 404, code: "not_found", sent: "no" });
      await problem(await rawRequest(product, { path }), { status: 404, code: "not_found", sent: "no" });
    }
  });

  test("are served by the service", async (t) => {
    const product = await startProduct({ config: { upstreams: { default: { url: "ws://127.0.0.1:1" } } }, t });
    const headers = { "Accept-Encoding": "gzip" };
    for (const path of ["/", "/docs", "/pages/preact.js"]) {
      const { status, bytes } = await rawRequest(product, { path, headers });
      assert.equal(status, 200, path);
      assert.ok(gunzipSync(bytes).length > 500, path);
    }
    const head = await rawRequest(product, { method: "HEAD", path: "/", headers });
    assert.deepEqual([head.status, head.body], [200, ""]);
  });
});
