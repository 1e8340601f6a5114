/** `EventSource` in Chromium: a page of an allowed origin reads messages, one of another origin gets nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { startProxy } from "../faults/proxy.ts";
import { MESSAGES } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { startChromium } from "./chromium.ts";
import { lacks } from "./programs.ts";

/** A page that reports each event to its own server: `/report?…`. */
const PAGE = `<!doctype html><title>reader</title><script>
const report = (facts) => fetch("/report?" + new URLSearchParams(facts));
const source = new EventSource(new URLSearchParams(location.search).get("read"));
source.onopen = () => report({ name: "open" });
source.onmessage = ({ data, lastEventId }) => report({ name: "message", data, id: lastEventId });
source.onerror = () => report({ name: "error", state: source.readyState });
</script>`;

type Report = Readonly<Record<string, string>>;

/** Starts a web site with that page; the reports are listed in the order of their arrival. */
async function startSite(t: Cleanup): Promise<{ readonly origin: string; readonly reports: Report[] }> {
  const reports: Report[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://site");
    if (url.pathname === "/report") reports.push(Object.fromEntries(url.searchParams));
    response.writeHead(200, { "Content-Type": "text/html" }).end(url.pathname === "/" ? PAGE : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reports };
}

async function browse(url: string, t: Cleanup): Promise<void> {
  const chromium = await startChromium(url);
  t.after(() => chromium.stop());
}

async function start(t: TestContext, originsOf: (site: string) => readonly string[]) {
  const site = await startSite(t);
  const upstream = await startUpstream({ t });
  const listen = { origins: originsOf(site.origin), hosts: ["127.0.0.1"] }; // the proxy's port is not ours
  const product = await startProduct({ config: { listen, upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  const proxy = await startProxy({ to: product.port, t });
  const read = `http://127.0.0.1:${proxy.port}${MESSAGES}`;
  await browse(`${site.origin}/?${new URLSearchParams({ read })}`, t);
  const say = (n: number) => upstream.broadcast({ jsonrpc: "2.0", method: "said", params: [n] });
  const has = (what: string, condition: () => boolean) =>
    until(condition, { within: 60_000, what: () => `${what}: ${JSON.stringify(site.reports)}` });
  return { site, proxy, say, has };
}

const numbersIn = (reports: readonly Report[]): unknown[] =>
  reports
    .filter(({ name }) => name === "message")
    .map(({ data = "" }) => (JSON.parse(data) as { readonly params: readonly unknown[] }).params[0]);

const skip = lacks("chromium");

test("a page of an allowed origin reads the messages, and misses none when it is cut", { skip }, async (t) => {
  const { site, proxy, say, has } = await start(t, (origin) => [origin]);
  for (const n of [1, 2]) say(n);
  await has("two messages", () => numbersIn(site.reports).length === 2);
  // Messages sent while the page cannot connect: it must resume from the id of its last one.
  await proxy.refuse();
  proxy.reset();
  await has("the cut to be seen", () => site.reports.some(({ name }) => name === "error"));
  for (const n of [3, 4]) say(n);
  await proxy.listen();
  await has("the messages after the cut", () => numbersIn(site.reports).length >= 4);
  say(5);
  await has("the stream to go on", () => numbersIn(site.reports).includes(5));
  // Concurrent reports may overtake each other; none is missing and none is repeated.
  assert.deepEqual(numbersIn(site.reports).sort(), [1, 2, 3, 4, 5]);
  const ids = site.reports.filter(({ name }) => name === "message").map(({ id }) => id);
  assert.equal(new Set(ids).size, 5);
  assert.ok(site.reports.filter(({ name }) => name === "open").length >= 2);
});

test("a page of another origin gets nothing, and does not reconnect", { skip }, async (t) => {
  const { site, proxy, say, has } = await start(t, () => ["https://app.example"]);
  say(1);
  await has("the refusal to be seen", () => site.reports.some(({ name }) => name === "error"));
  const [first] = site.reports;
  assert.deepEqual(first, { name: "error", state: "2" }, "closed for good");
  say(2);
  assert.ok(proxy.links.length >= 1, "it did ask");
  assert.deepEqual(numbersIn(site.reports), []);
});
