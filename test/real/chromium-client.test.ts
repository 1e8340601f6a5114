/** The client in Chromium: a page calls, subscribes, and misses nothing when its stream is cut. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { startSubscribable, tick } from "../contract/async-behaviours.ts";
import { startProxy } from "../faults/proxy.ts";
import { startProduct } from "../support/product.ts";
import { root } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startChromium } from "./chromium.ts";
import { lacks } from "./programs.ts";

/** A page that reports each step to its own server: `/report?…`. The browser has no other module than the client's. */
const PAGE = `<!doctype html><title>client</title><script type="module">
import { connect } from "/client.js";
const report = (name, value) => fetch("/report?" + new URLSearchParams({ name, value: JSON.stringify(value) }));
try {
  const sidecar = connect(new URLSearchParams(location.search).get("service"));
  report("result", await sidecar.rpc("echo", ["from a page"]));
  await sidecar.rpc("nothing").catch((error) => report("error", [error.code, error.sent, error.rpc.code]));
  await sidecar.request({ jsonrpc: "2.0", id: 1, method: "silent" }, { timeoutMs: 50 })
    .catch((error) => report("error", [error.code, error.sent]));
  const order = { request: { jsonrpc: "2.0", method: "subscribe", params: ["pages"] }, match: { "/method": "tick" } };
  const subscription = sidecar.subscribe(order);
  await subscription.agreed;
  report("agreed", true);
  for await (const { data } of subscription) report("tick", JSON.parse(data).params.n);
} catch (error) {
  report("failed", String(error));
}
</script>`;

/** Starts a web site with that page and the compiled client. */
async function startSite(t: Cleanup) {
  const reports: { readonly name: string; readonly value: unknown }[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://site");
    const file = join(root, "dist", pathname);
    if (pathname === "/report") {
      reports.push({ name: searchParams.get("name") ?? "", value: JSON.parse(searchParams.get("value") ?? "null") });
      response.writeHead(200).end();
    } else if (pathname.endsWith(".js") && existsSync(file)) {
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(readFileSync(file));
    } else response.writeHead(pathname === "/" ? 200 : 404, { "Content-Type": "text/html" }).end(PAGE);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reports };
}

const skip = lacks("chromium") || (!existsSync(join(root, "dist", "client.js")) && "the client is not compiled");

test("a page calls a service, learns what failed, and resumes its messages after a cut", { skip }, async (t) => {
  const site = await startSite(t);
  const upstream = await startSubscribable();
  t.after(() => upstream.stop());
  const listen = { origins: [site.origin], hosts: ["127.0.0.1"] }; // the proxy's port is not ours
  const product = await startProduct({ config: { listen, upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  const proxy = await startProxy({ to: product.port, t });
  const service = `http://127.0.0.1:${proxy.port}`;
  const chromium = await startChromium(`${site.origin}/?${new URLSearchParams({ service })}`);
  t.after(() => chromium.stop());
  const valuesOf = (name: string) => site.reports.filter((report) => report.name === name).map(({ value }) => value);
  const has = (what: string, condition: () => boolean) =>
    until(condition, { within: 60_000, what: () => `${what}: ${JSON.stringify(site.reports)}` });

  await has("the consent", () => valuesOf("agreed").length === 1);
  assert.deepEqual(valuesOf("result"), [["from a page"]]);
  assert.deepEqual(valuesOf("error"), [
    ["rpc_error", "yes", -32601],
    ["reply_timeout", "maybe"],
  ]);
  for (const n of [1, 2]) tick(upstream, "pages", n);
  await has("two messages", () => valuesOf("tick").length === 2);
  await proxy.refuse();
  proxy.reset();
  for (const n of [3, 4]) tick(upstream, "pages", n);
  await proxy.listen();
  await has("the messages after the cut", () => valuesOf("tick").length >= 4);
  assert.deepEqual(valuesOf("tick"), [1, 2, 3, 4]);
  assert.deepEqual(valuesOf("failed"), []);
});
