/**
 * The pages in Chromium, through an upstream's death and return, a refused login, a flood, an unreachable service and
 * the exit. `SCREENSHOTS=docs/page` writes pictures of each, in light and dark (scripts/screenshots.mjs).
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { type FaultProxy, startProxy } from "../faults/proxy.ts";
import { type Product, startProduct } from "../support/product.ts";
import { root, runtime } from "../support/root.ts";
import { delay, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";
import { BrowserPage } from "./browser-page.ts";
import { lacks } from "./programs.ts";
import { smallPng } from "./small-png.ts";

const TOKEN = "page-token-0123456789abcdef0123456789";
const STOP_TOKEN = "stop-token-0123456789abcdef0123456789";
const SCREENSHOTS = process.env["SCREENSHOTS"];
const AXE = join(root, "test", "real", "node_modules", "axe-core", "axe.min.js");
const FLOOD_MS = 1_500;
const FLOOD_LEAST = 2_000;
const PER_SECOND = 5_000;

describe("the page, in Chromium", {
  skip: lacks("chromium") || (!existsSync(AXE) && "axe-core is not installed"),
}, () => {
  let page: BrowserPage;
  let upstream: Upstream;
  let product: Product;
  let proxy: FaultProxy;
  let refused: number | undefined;
  let address = "";
  const ends: (() => Promise<unknown>)[] = [];

  before(async () => {
    upstream = await startUpstream({
      refuse: () => refused,
      onMessage(message, connection) {
        const { id, method } = JSON.parse(String(message));
        if (method === "subscribe") connection.send({ jsonrpc: "2.0", id, result: "ticks" });
        else answerJsonRpc(message, connection);
      },
    });
    ends.push(() => upstream.stop());
    const order = { request: { jsonrpc: "2.0", method: "subscribe" }, match: { "/method": "tick" } };
    const exchange = {
      url: upstream.url,
      reconnect: { from: "1s", to: "1s", refused: "30s" },
      subscriptions: { ticks: order },
    };
    product = await startProduct({
      // The page comes through a proxy, whose port is not ours.
      config: { listen: { hosts: ["127.0.0.1"] }, upstreams: { exchange } },
      env: { SIDESOCKET_TOKEN: TOKEN, SIDESOCKET_SHUTDOWN_TOKEN: STOP_TOKEN },
    });
    ends.push(() => product.kill());
    proxy = await startProxy({ to: product.port, t: { after: (end) => ends.push(async () => end()) } });
    address = `http://127.0.0.1:${proxy.port}`;
    page = await BrowserPage.open();
    ends.push(() => page.stop());
    await page.look("light");
    await page.goto(`${address}/`);
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  const post = (method: string, params: unknown[] = [], query = "") =>
    product.post(
      `/v1/upstreams/exchange/request${query}`,
      { jsonrpc: "2.0", id: 1, method, params },
      {
        headers: { authorization: `Bearer ${TOKEN}` },
      },
    );

  async function photograph(name: string): Promise<void> {
    if (SCREENSHOTS === undefined) return;
    await mkdir(join(root, SCREENSHOTS), { recursive: true });
    for (const scheme of ["light", "dark"] as const) {
      await page.look(scheme);
      await delay(400);
      await writeFile(join(root, SCREENSHOTS, `${name}-${scheme}.png`), smallPng(await page.screenshot()));
    }
    await page.look("light");
  }

  /** Findings of axe that are serious or worse. Of the rows of messages it sees a few: all are alike. */
  async function findings(...schemes: readonly ("light" | "dark")[]): Promise<string[]> {
    // The pages are the same on both runtimes, and axe takes seconds.
    if (runtime === "deno") return [];
    await page.evaluate(readFileSync(AXE, "utf8"));
    const found: string[] = [];
    for (const scheme of schemes) {
      await page.look(scheme);
      const run = `axe.run({ exclude: [".rows li:nth-child(n+4)"] }, { resultTypes: ["violations"] }).then(({ violations }) => violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => id + ": " + nodes.map(({ html, any }) => html.slice(0, 160) + " " + (any[0]?.message ?? "")).join(" | ")))`;
      found.push(...(await page.evaluate<string[]>(run)).map((each) => `${scheme}: ${each}`));
    }
    await page.look("light");
    return found;
  }

  async function fitsInto(width: number): Promise<void> {
    await page.look("light", width);
    assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= width);
    await page.look("light");
  }

  /** Goes on by Tab until an element with this text has the focus. */
  async function tabTo(text: RegExp): Promise<void> {
    const seen: string[] = [];
    for (let presses = 0; presses < 40; presses++) {
      await page.press("Tab");
      const focused = await page.evaluate<string>("document.activeElement.textContent");
      if (text.test(focused)) return;
      seen.push(focused.slice(0, 30));
    }
    assert.fail(`${text} is not among ${seen.join(", ")}`);
  }

  test("asks for the token once, and keeps it out of every address", async () => {
    await page.shows(".ask h2", /needs a token/);
    await photograph("token");
    await until(() => page.evaluate<boolean>("document.activeElement.tagName === 'INPUT'"), { what: "the focus" });
    await page.type("wrong-token-0123456789abcdef012345678");
    await page.press("Enter");
    await page.shows(".ask .reason", /wrong token/);
    await page.evaluate("document.querySelector('.ask input').select()");
    await page.type(TOKEN);
    await page.press("Enter");
    await page.shows(".upstream .phase", /ready/);
    await page.goto(`${address}/`);
    await page.shows(".upstream .phase", /ready/);
    await page.shows(".list", /ticks\s*active/);
    assert.deepEqual(
      page.requests.filter((url) => url.includes(TOKEN)),
      [],
    );
  });

  test("shows a failure with its code, `sent` and request id, as soon as it happens", async () => {
    for (let n = 0; n < 20; n++) await post("echo", [n]);
    const failed = await post("silent", [], "?timeout=50ms");
    await page.shows(".failures", /reply_timeout/);
    await page.shows(".failures", /sent: maybe/);
    await page.shows(".failures", new RegExp(failed.headers.get("x-request-id") ?? ""));
    await page.shows(".figures", /0 of 1,024 in flight/);
    await post("silent", [], "?timeout=50ms");
    await page.shows(".failures li", /reply_timeout\s*2 times/);
    await page.shows(".top .phase", /ready, but requests fail/);
    await page.shows(".upstream .phase", /ready, but requests fail/);
    await page.shows(".trouble", /2 failed requests in the last minute, since [\d:]+: reply_timeout/);
  });

  test("tries a request, and shows its times and the curl line without the token", async () => {
    await page.click(".panel form button.main");
    await page.shows(".result", /200 OK/);
    await page.shows(".times", /until its reply/);
    const line = (await page.textOf(".curl code")) ?? "";
    assert.match(line, /^curl -H "Authorization: Bearer \$TOKEN" --json '\{.*\}' 'http:/);
    assert.equal((await page.evaluate<string>("document.body.innerHTML")).includes(TOKEN), false);
  });

  test("draws a flood of messages without taking more than 50 ms at a time, with gaps in their places", async () => {
    await page.click(".tail button.main");
    await page.shows(".tail .hint", /Waiting for the next message/);
    if (SCREENSHOTS !== undefined) {
      // Two windows of ten seconds make a line.
      for (const end = Date.now() + 32_000; Date.now() < end; await delay(20)) await post("echo");
    }
    let n = 0;
    const flood = async (ms: number) => {
      const began = performance.now();
      // A busy machine sends fewer in the time: it goes on until there are enough.
      for (; performance.now() < began + ms || n < FLOOD_LEAST; await delay(10)) {
        const due = ((performance.now() - began) / 1_000) * PER_SECOND;
        for (let sent = 0; sent < 200 && n < due; sent++) {
          upstream.broadcast({
            jsonrpc: "2.0",
            method: "trade",
            params: { n: n++, pair: "ETH/USD", price: 3000 + (n % 90) },
          });
        }
      }
    };
    const longest = await page.longestTask(() => flood(FLOOD_MS));
    await page.shows(".rows li:last-child", new RegExp(`"n":${n - 1},`));
    assert.ok(longest < 50, `${longest} ms`);
    assert.ok((await page.heapBytes()) < 100e6);
    await photograph("ready");
    await page.shows(".tail h2", new RegExp(`^Messages ${n.toLocaleString("en")} came, 0 gaps`));
    assert.ok((await page.evaluate<number>("document.querySelectorAll('.rows li').length")) <= 150);
    await page.click(".tail [aria-pressed]");
    upstream.broadcast({ jsonrpc: "2.0", method: "paused" });
    await page.shows(".tail h2", new RegExp((n + 1).toLocaleString("en")));
    assert.doesNotMatch((await page.textOf(".rows")) ?? "", /paused/);
    await page.click(".tail [aria-pressed]");
  });

  test("has no serious finding of axe, in light and dark, and fits into 360 px", async () => {
    assert.deepEqual(await findings("light", "dark"), []);
    await fitsInto(360);
  });

  test("shows an upstream's death, its next attempt, and its return", async () => {
    await upstream.stop();
    await page.shows(".upstream header", /waiting.*next attempt (in|now)/s);
    await page.shows(".upstream .reason", /could not be reached|ECONNREFUSED/);
    await post("echo");
    await page.shows(".failures", /upstream_down/);
    await page.shows(".upstream", /ready until \d\d:\d\d:\d\d/);
    await photograph("waiting");
    await upstream.restart();
    await page.shows(".upstream .phase", /ready/);
    await page.shows(".timeline", /1 interruption/);
    await page.shows(".rows .gap", /messages may have come while there was no connection/);
  });

  test("shows that a login was refused, and why", async () => {
    refused = 401;
    upstream.kill();
    await page.shows(".upstream .phase", /refused/);
    await page.shows(".upstream .reason", /401/);
    await photograph("refused");
  });

  test("says that the service cannot be reached, and comes back by itself", async () => {
    await proxy.refuse();
    proxy.reset();
    await page.shows(".banner", /Cannot reach the service.*Trying again/s);
    await photograph("unreachable");
    await proxy.listen();
    await page.shows(".top", /refused/);
    assert.equal(await page.textOf(".banner"), undefined);
  });

  test("/docs lists the routes, and tries one", async () => {
    await page.goto(`${address}/docs`);
    await page.shows(".docs", /Send one message and wait for its reply/);
    await page.click("details.operation summary");
    await page.shows(".try", /Idempotency-Key/);
    await page.click(".try button.main");
    await page.shows(".result", /503 upstream_down/);
    await photograph("docs");
    assert.deepEqual(await findings("light"), []);
    await fitsInto(360);
  });

  test("a page's EventSource reads with a ticket, once", async () => {
    const read = `(async () => {
      const headers = { Authorization: "Bearer ${TOKEN}", "Content-Type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify({ route: "/v1/upstreams" }) };
      const { ticket } = await (await fetch("/v1/tickets", init)).json();
      const first = () => new Promise((done) => {
        const source = new EventSource("/v1/upstreams?ticket=" + ticket);
        const end = (outcome) => done(outcome, source.close());
        source.addEventListener("upstreams", ({ data }) => end(JSON.parse(data).upstreams[0].name));
        source.onerror = () => end(source.readyState === EventSource.CLOSED ? "closed for good" : "again");
      });
      return [await first(), await first()];
    })()`;
    assert.deepEqual(await page.evaluate(read), ["exchange", "closed for good"]);
  });

  test("stops the service by keyboard alone, after a typed word, and shows the report", async () => {
    await page.goto(`${address}/`);
    await page.shows(".upstream .phase", /refused/);
    await tabTo(/^Stop…$/);
    await page.press("Enter");
    await page.shows("#stop-title", /Stop the service\?/);
    // It is drawn before it is opened, and what is typed before that goes elsewhere.
    const isOpen = () => page.evaluate<boolean>("document.querySelector('dialog input') === document.activeElement");
    await until(isOpen, { what: "the focus to be in the dialog" });
    await page.type("no");
    await page.press("Enter");
    await page.evaluate("document.querySelector('dialog input').select()");
    await page.type("stop");
    const isEnabled = () => page.evaluate<boolean>("!document.querySelector('dialog .danger').disabled");
    await until(isEnabled, { what: "the button to take the word" });
    await page.press("Enter");
    await page.shows("dialog", /Refused.*Token of \/shutdown|Token of \/shutdown.*Refused/s);
    assert.deepEqual(await findings("dark"), []);
    await tabTo(/^$/);
    await page.type(STOP_TOKEN);
    await photograph("stop");
    await page.press("Enter");
    await page.shows(".report", /The service has stopped.*1\. drain.*2\. stop.*3\. close.*4\. cancel.*5\. join/s);
    await photograph("stopped");
    assert.equal((await product.ended()).code, 0);
  });

  test("asked nobody else for anything, and met no rule of its policy and no error", async () => {
    const elsewhere = page.requests.filter((url) => !url.startsWith(address) && !url.startsWith("about:"));
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(await page.violated(), []);
    assert.deepEqual(page.errors, []);
  });
});
