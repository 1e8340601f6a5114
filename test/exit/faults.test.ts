/** An error in sidesocket itself that nobody caught: the process does not go on with it, but it ends in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { written } from "../contract/files.ts";
import { type Product, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { ALL_DONE, endOf, outcomes } from "./stopping.ts";

/** Does the deed when SIGUSR2 comes. */
async function start(t: Cleanup, upstream: Upstream, deed = ""): Promise<Product> {
  // In the main thread only: what is preloaded runs in each. The signal is free, and says when.
  const module = `import { isMainThread } from "node:worker_threads";
import process from "node:process";
if (isMainThread) process.on("SIGUSR2", () => { ${deed}; });`;
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
  test(`an error that ${name} and that nobody caught ends it by the exit protocol, with code 70`, async (t) => {
    const upstream = await startUpstream({ t });
    const product = await start(t, upstream, deed);
    const pending = product.request({ jsonrpc: "2.0", id: 1, method: "sleep", params: [100] });
    await upstream.until(() => upstream.messages.length === 1);
    product.child.signal("SIGUSR2");
    const { code, report } = await endOf(product, performance.now());
    assert.deepEqual([code, report.cause, outcomes(report)], [70, "internal_error", ALL_DONE], product.stderr());
    assert.match(product.stderr(), /on purpose/);
    assert.equal((await pending).status, 200, "the reply that was on its way has come");
    assert.equal(upstream.last.closed?.code, 1001);
  });
}

test("one that comes up while an exit is under way does not leave it with code 0", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await start(t, upstream, "throw new Error('on purpose')");
  const pending = product.request({ jsonrpc: "2.0", id: 1, method: "sleep", params: [1_000] });
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  await product.child.until(() => /SIGTERM received/.test(product.stderr()));
  product.child.signal("SIGUSR2");
  const { code, report } = await endOf(product, performance.now());
  assert.deepEqual([code, report.cause, outcomes(report)], [70, "SIGTERM", ALL_DONE], product.stderr());
  assert.equal((await pending).status, 200, "the reply that was on its way has come");
});
