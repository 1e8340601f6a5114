/** The end of a thread on Deno, where the runtime reports it too early. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { written } from "../contract/files.ts";
import { runtime } from "../support/root.ts";
import { bounded } from "../support/until.ts";

interface Locks {
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

async function held(): Promise<readonly string[]> {
  const { navigator } = globalThis as unknown as { readonly navigator: { readonly locks: Locks } };
  const locks = (await navigator.locks.query()).held ?? [];
  return locks.map(({ name }) => name ?? "").filter((name) => name.startsWith("sidesocket-"));
}

const denoOnly = { skip: runtime === "deno" ? false : "only Deno's threads hold a lock" };

test("a looping thread has ended when its lock is free, not when the runtime reports it", denoOnly, async (t) => {
  const { runtime: deno } = await import("../../src/runtime/deno.ts");
  const protocol = await written(t, "loops.mjs", "for (;;);");
  const settings = upstreamSchema.parse({ url: "ws://127.0.0.1:9", protocol });
  const thread = deno.startThread();
  const ready = new Promise<void>((resolve) => thread.port.on("message", () => resolve()));
  await bounded(ready, { what: "the thread to listen" });
  assert.equal((await held()).length, 1, "it holds its lock");
  const open = { type: "open", upstream: "a", number: 1, settings, epochs: { epoch: "e", former: [] } };
  thread.port.postMessage({ at: performance.now(), row: [open] });
  thread.terminate();
  await bounded(thread.ended, { what: "its end" });
  assert.deepEqual(await held(), []);
});
