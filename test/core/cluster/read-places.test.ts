/** Tests of the places for reads of logs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadPlaces } from "../../../src/core/cluster/read-places.ts";

test("no more reads are on their way than there are places, whoever takes them", () => {
  const places = new ReadPlaces();
  const one = places.take(10_000);
  assert.ok(one > 10, "a log of many entries is read many at a time");
  assert.ok(one < 100, "entries of 240 KiB must not fill the 64 MiB that a server holds for a connection");
  assert.equal(places.take(1), 0);
  places.give(2);
  assert.equal(places.take(5), 2);
});
