/** Callers of the exit: not awaited before the report exists, served even when they ask late, and unable to hold it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bigCall } from "../faults/stalled.ts";
import { RawConnection } from "../support/http.ts";
import { startProduct } from "../support/product.ts";
import { delay } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { ALL_DONE, endOf, outcomes, stepOf, stopBy } from "./stopping.ts";

const ASK = { method: "POST", path: "/shutdown", headers: { "Content-Length": "0" } };

test("a caller that waits for the report is not awaited while other responses are written", async (t) => {
  const product = await startProduct({ config: { shutdown: { flush: "20s" } }, t });
  await product.ready();
  const { code, report } = await stopBy(product, "/shutdown");
  assert.deepEqual([code, stepOf(report, "cancel").counts?.flushed], [0, true]);
  assert.ok(report.ms < 10_000, `${report.ms} ms`);
});

test("a caller that never reads the report is cut after the answer bound", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { shutdown: { answer: "300ms" }, upstreams: { default: { url: upstream.url } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const deaf = await RawConnection.open(product, t);
  deaf.pause();
  const headers = { "Content-Type": "application/json" };
  // The report is queued behind a response that the buffers cannot take.
  deaf.send({ method: "POST", path: "/rpc", headers, body: JSON.stringify(bigCall) });
  await upstream.until(() => upstream.messages.length === 1);
  deaf.send(ASK);
  const { code, report } = await endOf(product, performance.now());
  assert.deepEqual([code, outcomes(report)], [0, ALL_DONE], product.stderr());
});

test("a caller that connected just before the end and then asks still gets the report", async (t) => {
  for (let round = 1; ; round += 1) {
    const upstream = await startUpstream({ t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    const late = await RawConnection.open(product, t);
    product.child.signal("SIGTERM");
    await upstream.until(() => upstream.last.closed !== undefined);
    await delay(20); // the connections are cut by now
    late.send(ASK);
    const answer = await late.response().catch(() => undefined);
    const { code, report } = await endOf(product, performance.now());
    assert.equal(code, 0);
    // On a busy machine the moment may have passed: the idle connection has had its last response.
    if (answer && answer.status !== 408) return assert.deepEqual(JSON.parse(answer.body), report);
    assert.ok(round < 5, "the connection was ended in every round");
  }
});
