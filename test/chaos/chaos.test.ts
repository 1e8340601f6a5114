/** Short forms of the chaos run and the proof of isolation: `npm run chaos` is the long form. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { chaos } from "./chaos.ts";
import { isolation } from "./isolation.ts";

const SEED = Number(process.env.CHAOS_SEED ?? 1);
const CHAOS_MS = 5_000;
/** Lenient, since other tests run beside it; the long form is strict. */
const LATE_MS = 2_000;
const REQUESTS = 10_000;

test("a few seconds of chaos end every request once, in time and truthfully, and leave nothing behind", async (t) => {
  const { figures, problems } = await chaos({ seed: SEED, ms: CHAOS_MS, lateMs: LATE_MS, t });
  t.diagnostic(JSON.stringify(figures));
  assert.deepEqual(problems, [], JSON.stringify(figures));
});

test(`${REQUESTS} requests with one id, answered shuffled, bundled, in parts, twice, late and forged, get their replies`, async (t) => {
  const { figures, problems } = await isolation({ seed: SEED, requests: REQUESTS, t });
  t.diagnostic(JSON.stringify(figures));
  assert.deepEqual(problems, [], JSON.stringify(figures));
});
