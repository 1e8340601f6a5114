/** The bounds of persisted queries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PersistedQueries } from "../../../src/http/call/persisted-queries.ts";

/** The bounds of one upstream. */
const DOCUMENTS_MAX = 1_000;
const CHARACTERS_MAX = 512 * 1024;

test("the documents that were not used for the longest time make room", () => {
  const queries = new PersistedQueries();
  for (let n = 0; n < DOCUMENTS_MAX; n++) queries.keep(`${n}`, "{ a }");
  assert.equal(queries.get("0"), "{ a }");
  queries.keep("new", "{ b }");
  assert.deepEqual([queries.get("0"), queries.get("1"), queries.get("2")], ["{ a }", undefined, "{ a }"]);
  assert.equal(queries.get("new"), "{ b }");
});

test("their size is bounded, too, and a document that is known counts once", () => {
  const queries = new PersistedQueries();
  const half = "x".repeat(CHARACTERS_MAX / 2);
  for (let n = 0; n < 10; n++) queries.keep("a", half);
  queries.keep("b", half);
  assert.deepEqual([queries.get("a"), queries.get("b")], [half, half]);
  queries.keep("c", "y");
  assert.deepEqual([queries.get("a"), queries.get("b"), queries.get("c")], [undefined, half, "y"]);
  queries.keep("huge", "x".repeat(CHARACTERS_MAX + 1));
  assert.deepEqual([queries.get("huge"), queries.get("b")], [undefined, half]);
});
