/** Tests of the callers that tokens belong to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokens } from "../../src/http/callers.ts";

test("tokens of one name are one caller; those without a name share their keys, and nothing else", () => {
  const tokens = new Tokens(["alice:one", "alice:two", "bob:three", "four", "five"]);
  const callers = ["one", "two", "three", "four", "five"].map((token) => tokens.callerOf(token));
  assert.deepEqual(
    callers.map((caller) => [caller?.identity, caller?.share]),
    [
      ["alice", "alice"],
      ["alice", "alice"],
      ["bob", "bob"],
      ["", "#4"],
      ["", "#5"],
    ],
  );
  assert.deepEqual([tokens.identities, tokens.shares, tokens.isEmpty], [3, 4, false]);
  for (const wrong of ["alice:one", "alice", "", "six"]) assert.equal(tokens.callerOf(wrong), undefined);
});

test("a token is compared with all that are known, even after one has fitted", () => {
  const token = "t".repeat(32);
  assert.equal(new Tokens([`first:${token}`, `last:${token}`]).callerOf(token)?.identity, "last");
});
