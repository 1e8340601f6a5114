/** Short fuzzing of every target, after all that was ever found: `npm run fuzz` is the long form. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { seeded } from "../support/random.ts";
import { fuzz, type Target } from "./fuzzer.ts";
import { httpTarget } from "./http.ts";
import { pureTargets } from "./targets.ts";

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const PURE_MS = 500;
const PURE_INPUTS = 1_000;
const HTTP_INPUTS = 100;

/** Ends after this many inputs, or this long on a busy machine. */
const soon =
  (most: number, until = performance.now() + PURE_MS) =>
  (inputs: number): boolean =>
    inputs >= most || performance.now() > until;

for (const target of await pureTargets()) {
  test(`${target.name}: nothing that was found before, and nothing random, breaks a promise`, async () => {
    const { finding } = await fuzz(target, { random: seeded(SEED), isOver: soon(PURE_INPUTS) });
    assert.equal(finding, undefined, finding && `${JSON.stringify(finding.input.toString("latin1"))}: ${finding.why}`);
  });
}

test("http: no bytes at the listener end the service, or its service to others", async (t) => {
  const target = await httpTarget(t);
  const { finding } = await fuzz(target, { random: seeded(SEED), isOver: (inputs) => inputs >= HTTP_INPUTS });
  assert.equal(finding, undefined, finding && `${JSON.stringify(finding.input.toString("latin1"))}: ${finding.why}`);
});

test("the fuzzer finds what breaks a promise, and leaves out what is not needed for it", async () => {
  const fragile: Target = {
    name: "fragile",
    seeds: ["some text to begin with"],
    tokens: ["boom", "other"],
    run(input) {
      if (input.includes("boom")) throw new Error("broken");
      return "fine";
    },
  };
  const { finding } = await fuzz(fragile, { random: seeded(SEED), isOver: (inputs) => inputs > 10_000 });
  assert.deepEqual(finding?.input, Buffer.from("boom"));
  assert.match(finding?.why ?? "", /broken/);
});
