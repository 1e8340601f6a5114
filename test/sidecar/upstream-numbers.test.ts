/** The numbers of upstreams: the mark of one that has left is nobody's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamNumbers } from "../../src/sidecar/upstream-numbers.ts";

test("a number of an upstream that has left names nobody, and is not given again", () => {
  const numbers = new UpstreamNumbers();
  assert.deepEqual([numbers.add("a"), numbers.add("b")], [1, 2]);
  numbers.remove("a");
  assert.deepEqual([numbers.nameOf(1), numbers.nameOf(2)], [undefined, "b"]);
  assert.equal(numbers.add("a"), 3);
  assert.equal(numbers.nameOf(3), "a");
  assert.equal(numbers.nameOf(0), undefined);
});
