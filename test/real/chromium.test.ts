/** Chromium through the cdp preset: replies by session, large results and events. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Chromium, startChromium } from "./chromium.ts";
import { lacks } from "./programs.ts";

interface Reply<Result> {
  readonly id: unknown;
  readonly sessionId?: string;
  readonly result: Result;
}

const PAGE = `data:text/html,${encodeURIComponent("<title>there</title><body style='background:#0a0'>hello")}`;
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

describe("in front of Chromium, through cdp", { skip: lacks("chromium") }, () => {
  let chromium: Chromium;
  let product: Product;
  let sessionId = "";
  before(async () => {
    chromium = await startChromium("about:blank");
    const { child } = chromium;
    const url = await child.until(() => /DevTools listening on (ws:\S+)/.exec(child.stderr)?.[1], {
      within: 60_000,
      what: () => `Chromium to listen ${child.output()}`,
    });
    product = await startProduct({ config: { upstreams: { default: { url, protocol: "cdp" } } } });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await chromium?.stop();
  });

  async function makeRequest<Result>(method: string, params: object = {}, more: object = {}): Promise<Reply<Result>> {
    const response = await product.request({ id: "mine", method, params, ...more });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const reply = JSON.parse(text) as Reply<Result>;
    assert.equal(reply.id, "mine");
    return reply;
  }

  test("reports its version", async () => {
    const { result } = await makeRequest<{ product: string }>("Browser.getVersion");
    assert.match(result.product, /Chrome/);
  });

  test("a page is opened, and the session beside its id passes both ways", async () => {
    const { result: target } = await makeRequest<{ targetId: string }>("Target.createTarget", { url: PAGE });
    const attach = { targetId: target.targetId, flatten: true };
    ({ sessionId } = (await makeRequest<{ sessionId: string }>("Target.attachToTarget", attach)).result);
    const own = { sessionId };
    await makeRequest("Page.enable", {}, own);
    await makeRequest("Page.navigate", { url: PAGE }, own);
    // The page reports when it is loaded.
    const expression =
      "new Promise((loaded) => document.readyState === 'complete' ? loaded() : addEventListener('load', loaded))" +
      ".then(() => document.title)";
    const evaluate = { expression, awaitPromise: true, returnByValue: true };
    const reply = await makeRequest<{ result: { value: string } }>("Runtime.evaluate", evaluate, own);
    assert.deepEqual([reply.sessionId, reply.result.result.value], [sessionId, "there"]);
  });

  test("a screenshot arrives whole, as a PNG of the requested size", async () => {
    const clip = { x: 0, y: 0, width: 400, height: 300, scale: 1 };
    const { result } = await makeRequest<{ data: string }>(
      "Page.captureScreenshot",
      { format: "png", clip },
      { sessionId },
    );
    const png = Buffer.from(result.data, "base64");
    assert.deepEqual([...png.subarray(0, 8)], PNG);
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [400, 300]);
  });

  test("its events are messages", async () => {
    const { counters } = (await product.state()) as { counters: { messages: number } };
    assert.ok(counters.messages > 0);
  });
});
