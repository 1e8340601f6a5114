import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc } from "../../src/protocols/json-rpc.ts";
import { echo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

test("a request whose deadline has passed on its way to the thread is not sent, and says so", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  for (const within of [0, -5]) model.fails(model.call(echo("late"), "request", within), "reply_timeout", "no");
  assert.deepEqual([model.taken.length, model.exchange.inFlight, model.exchange.nextDeadline], [0, 0, undefined]);
  model.call(echo("in time"), "request", 1);
  assert.equal(model.taken.length, 1);
});
