/** The product support: starting, calling and stopping the service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runProduct, StartFailed, startProduct } from "./product.ts";
import { startUpstream } from "./upstream.ts";

test("a product in front of the scripted upstream responds, and ends with a report", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const response = await product.request({ jsonrpc: "2.0", id: "mine", method: "echo", params: [1] });
  assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: "mine", result: [1] });
  const { code, signal, ms } = await product.stop();
  assert.deepEqual([code, signal], [0, null], product.stderr());
  assert.ok(ms < 5_000);
  assert.equal(product.reports().length, 1);
  assert.equal(product.report().cause, "SIGTERM");
  assert.equal(product.stdout(), `listening on ${product.url}\n`);
  assert.equal(upstream.last.closed?.code, 1001);
});

test("a failed start reports the exit code and the output", async (t) => {
  await assert.rejects(startProduct({ args: ["--no-such-option"], t }), (error) => {
    assert.ok(error instanceof StartFailed);
    assert.equal(error.exit?.code, 2, error.message);
    assert.match(error.stderr, /no-such-option/);
    return true;
  });
});

test("a run to the end returns all output", async () => {
  const { code, stdout, stderr } = await runProduct(["--no-such-option"]);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
});
