/** Uncaught errors in sidesocket itself: the process does not go on, but it ends in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { written } from "../contract/files.ts";
import { type Product, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { ALL_DONE, endOf, outcomes } from "./stopping.ts";

/** Starts the product, which runs `deed` on SIGWINCH. */
async function start(t: Cleanup, upstream: Upstream, deed = ""): Promise<Product> {
  // In the main thread only, since a preloaded module runs in each. The signal is unused otherwise, and sets the
  // moment.
  const module = `import { isMainThread } from "node:worker_threads";
import process from "node:process";
if (isMainThread) process.on("SIGWINCH", () => { ${deed}; });`;
  const file = await written(t, "fault.mjs", module);
  const preload = runtime === "node" ? "--import" : "--preload";
  const product = await startProduct({ upstream, runtimeArgs: [preload, pathToFileURL(file).href], t });
  await product.ready();
  return product;
}

for (const [name, deed] of [
  ["is thrown", "throw new Error('on purpose')"],
  ["rejects", "Promise.reject(new Error('on purpose'))"],
]) {
  test(`an uncaught error that ${name} ends it by the exit protocol, with code 70`, async (t) => {
    const upstream = await startUpstream({ t });
    const product = await start(t, upstream, deed);
    const pending = product.request({ jsonrpc: "2.0", id: 1, method: "sleep", params: [100] });
    await upstream.until(() => upstream.messages.length === 1);
    product.child.signal("SIGWINCH");
    const { code, report } = await endOf(product, performance.now());
    assert.deepEqual([code, report.cause, outcomes(report)], [70, "internal_error", ALL_DONE], product.stderr());
    await product.said(/on purpose/);
    assert.equal((await pending).status, 200, "the reply in flight has arrived");
    assert.equal(upstream.last.closed?.code, 1001);
  });
}

test("an uncaught error during an exit turns code 0 into 70", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await start(t, upstream, "throw new Error('on purpose')");
  const pending = product.request({ jsonrpc: "2.0", id: 1, method: "sleep", params: [1_000] });
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  await product.child.until(() => /SIGTERM received/.test(product.stderr()));
  product.child.signal("SIGWINCH");
  const { code, report } = await endOf(product, performance.now());
  assert.deepEqual([code, report.cause, outcomes(report)], [70, "SIGTERM", ALL_DONE], product.stderr());
  assert.equal((await pending).status, 200, "the reply in flight has arrived");
});
