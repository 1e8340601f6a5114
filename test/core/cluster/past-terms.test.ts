/** Tests of what a member remembers of the terms of an upstream. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PastTerms } from "../../../src/core/cluster/past-terms.ts";

/** More than are remembered. */
const MANY = 300;

test("a term was released by whoever gave its address up, at the time when that was first heard", () => {
  const terms = new PastTerms();
  terms.heard(1, "a");
  terms.heard(2, "b");
  terms.released("a", { member: "one", at: 5 });
  terms.released("a", { member: "one", at: 7 });
  terms.heard(1, "a");
  assert.deepEqual(terms.releaseOf(1), { member: "one", at: 5 });
  assert.equal(terms.releaseOf(2), undefined);
  assert.equal(terms.releaseOf(3), undefined, "of a term that was never heard nothing is known");
});

test("a release that is heard before its term counts", () => {
  const terms = new PastTerms();
  terms.released("a", { member: "one", at: 5 });
  terms.heard(1, "a");
  assert.equal(terms.releaseOf(1)?.member, "one");
});

test("the oldest terms and releases are forgotten, and the newest are not", () => {
  const terms = new PastTerms();
  for (let term = 1; term <= MANY; term++) {
    terms.heard(term, `a${term}`);
    terms.released(`a${term}`, { member: "one", at: term });
  }
  assert.equal(terms.releaseOf(1), undefined);
  assert.equal(terms.releaseOf(MANY)?.at, MANY);
  // Its release is remembered while that of the first is not, in whatever order the terms come.
  const late = new PastTerms();
  for (let term = 1; term <= MANY; term++) late.released(`a${term}`, { member: "one", at: term });
  late.heard(1, "a1");
  late.heard(MANY, `a${MANY}`);
  assert.equal(late.releaseOf(1), undefined);
  assert.equal(late.releaseOf(MANY)?.at, MANY);
});
