/** Tests of abandoning a batch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";
import { preset } from "../../../src/protocols/presets.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import type { TextOptions } from "../../../src/protocols/text.ts";
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

test("a line ends a request of text whose caller has left, with its id if lines have one", async () => {
  await preparePatterns({ text: "" });
  const lines: readonly (readonly [options: TextOptions, cancellation: string])[] = [
    [{ id: { out: "#$id $message", in: "^#(?<id>[0-9]+) " }, cancel: "#$id STOP $idle $id" }, "#1 STOP $idle 1"],
    [{ id: { out: "^#(?<id>\\S+) ", in: "^#(?<id>\\S+) ", kind: "keep" }, cancel: "STOP $id" }, "STOP $&"],
    [{ reply: { text: "^OK" }, cancel: "STOP" }, "STOP"],
    [{ cancel: "STOP" }, "STOP"],
  ];
  for (const [options, cancellation] of lines) {
    const model = new ExchangeModel(preset({ preset: "text", ...options })?.protocol as Protocol);
    model.connect();
    const seq = model.call("#$& go");
    model.abandon(seq);
    assert.deepEqual(model.ownFrames, [cancellation], JSON.stringify(options));
  }
});
