/** Tests of abandoning a batch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

test("abandoning a batch ends all items that have no reply yet", () => {
  for (const answered of [0, 1, 2]) {
    const model = new ExchangeModel(jsonRpc);
    model.connect();
    const seq = model.call(`[${echo("a", "1")},${echo("b", "2")},${echo("c", "3")}]`, "rpc");
    model.frame(replyTo(model.taken[answered]?.frame ?? ""));
    model.abandon(seq);
    assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined], `answered: ${answered}`);
    assert.equal(model.exchange.counters.abandoned, 2);
  }
});
