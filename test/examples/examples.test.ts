/** The example programs, each as a process of its own in front of the demo upstream. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startDemo } from "../../src/demo/demo-upstream.ts";
import { run } from "../support/child.ts";
import { startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

/** Runs an example, which finds the library by the name of its package. */
async function outputOf(t: Cleanup, name: string, url: string): Promise<string[]> {
  const [command, flags] = runtime === "deno" ? [denoPath(), ["run", "--allow-all"]] : [nodePath(), []];
  const args = [...flags, join(root, "examples", name), url];
  const { code, stdout, stderr } = await run({ command, args, cwd: root, t, within: 30_000 });
  assert.equal(code, 0, stderr);
  return stdout.trim().split("\n");
}

/** What each of them prints: a reply, a tick of the clock, and the exit's code. */
function demandPrinted([reply = "", ...rest]: readonly string[]): void {
  assert.match(reply, /^\[ ["']hello["'] \]$/);
  assert.deepEqual(rest, ["tick", "0"]);
}

test("the programs that block and await call the demo upstream, subscribe, and exit", async (t) => {
  const demo = await startDemo();
  t.after(() => demo.stop());
  const all = ["blocking.mjs", "awaiting.mjs"].map((name) => outputOf(t, name, demo.url));
  for (const printed of await Promise.all(all)) demandPrinted(printed);
});

test("the program of the client calls a service, subscribes, and ends it", async (t) => {
  const product = await startProduct({ t });
  demandPrinted(await outputOf(t, "client.mjs", product.url));
  assert.equal((await product.ended()).code, 0);
});

test("the documents have the programs as they are", () => {
  const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
  for (const [page, name] of [
    ["library.md", "blocking.mjs"],
    ["library.md", "awaiting.mjs"],
    ["client.md", "client.mjs"],
  ] as const) {
    assert.ok(read("docs", page).includes(`\`\`\`js\n${read("examples", name)}\`\`\``), `${page} has not ${name}`);
  }
});
