/** The ids of webhooks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { furtherOf } from "../../src/push/places.ts";
import { webhookIds } from "../../src/push/webhook-ids.ts";

const one = { url: "https://one.example/hook" };
const two = { url: "https://two.example/hook" };

test("a webhook has the same id wherever it stands, by its receiver and its subscription", () => {
  const ofTrades = { ...one, subscription: "trades" };
  const [first, second, third] = webhookIds([one, two, ofTrades]);
  assert.equal(new Set([first, second, third]).size, 3);
  assert.deepEqual(webhookIds([ofTrades, two, one]), [third, second, first]);
  assert.match(first ?? "", /^[\w-]{22}$/);
});

test("several of one receiver differ by their order", () => {
  const ids = webhookIds([one, two, one]);
  assert.equal(new Set(ids).size, 3);
  assert.equal(ids[0], webhookIds([one])[0]);
});

test("the place further on counts, and one of another epoch does not", () => {
  const at = (seq: number, epoch = "e") => ({ epoch, seq });
  assert.deepEqual(furtherOf(at(3), at(5)), at(5));
  assert.deepEqual(furtherOf(at(7), at(5)), at(7));
  assert.deepEqual(furtherOf(at(7, "f"), at(5)), at(5));
  assert.deepEqual(furtherOf("latest", at(5)), at(5));
  assert.deepEqual(furtherOf("earliest", undefined), "earliest");
});
