/** Short forms of the soaks: `npm run soak` is the long form, and the only one that proves something about memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS, type Limits, soakCycles, soakReconnects } from "./soaks.ts";
import { soakHeld, soakStops } from "./stops.ts";

/** Lenient, since other tests run beside them. */
const limits: Limits = { ...LIMITS, stopP99Ms: 1_000, stopMaxMs: 1_000 };

test("twenty sidecars start, work and exit in one process, and leave no descriptor, thread or timer", async () => {
  const { problems, figures } = await soakCycles({ count: 20, limits });
  assert.deepEqual(problems, [], JSON.stringify(figures));
});

test("forty reconnects keep the thread, and leave no descriptor or timer", async () => {
  const { problems, figures } = await soakReconnects({ count: 40, limits });
  assert.deepEqual(problems, [], JSON.stringify(figures));
});

test("four whole processes start, work and end with code 0", async () => {
  const { problems, figures } = await soakStops({ count: 4, limits });
  assert.deepEqual(problems, [], JSON.stringify(figures));
});

test("attempts to hold a stop are measured, and a wrong code is found", async () => {
  const { problems, figures } = await soakHeld({ count: 1, limits }, 20);
  const codes = problems.filter((problem) => problem.includes("code"));
  assert.deepEqual(codes, [], JSON.stringify(figures));
});
