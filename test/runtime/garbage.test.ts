/** Garbage of finished requests: if it grew old, the pauses of its collection would delay every request. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";

/** The most bytes of a request that may outlive the small collections. Each request holds 16 kB until its end. */
const LEFT_MAX_BYTES = 1_500;

const DENO = ["run", "--allow-all", "--v8-flags=--expose-gc,--no-allocation-site-pretenuring"];

test("the garbage of requests is collected young, and no connection holds its last request", async (t) => {
  const program = fileURLToPath(import.meta.url).replace(".test.", ".");
  const [command, args] = runtime === "deno" ? [denoPath(), DENO] : [nodePath(), ["--expose-gc"]];
  const { code, stdout, stderr } = await run({ command, args: [...args, program], cwd: root, t, within: 30_000 });
  assert.equal(code, 0, stderr);
  const [left = Number.NaN, held] = stdout.trim().split(" ").map(Number);
  assert.ok(left < LEFT_MAX_BYTES, `${left} bytes of each outlived the small collections`);
  assert.equal(held, 0);
});
