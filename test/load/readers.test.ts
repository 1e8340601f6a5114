/** Many concurrent readers, as streams and as long polls. `READERS=1000 MESSAGES=10000` for the long form. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Child } from "../support/child.ts";
import { MESSAGES as PATH } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import type { Job, Result } from "./readers.ts";

/** The number of readers of each kind. */
const READERS = Number(process.env.READERS ?? 100);
const MESSAGES = Number(process.env.MESSAGES ?? 1_000);
const WITHIN_MS = 30_000 + (READERS * MESSAGES) / 50;

async function startReaders(t: Cleanup, job: Job): Promise<Child> {
  const [command, ...args] =
    runtime === "node"
      ? [nodePath(), join(root, "build", "test", "load", "readers.js")]
      : [denoPath(), "run", "--quiet", "--allow-all", "--no-check", join(root, "test", "load", "readers.ts")];
  return await Child.start({ command: command as string, args: [...args, JSON.stringify(job)], t });
}

const kept = {
  "a large journal loses nothing": 2 * MESSAGES,
  "a small journal reports each reader's losses exactly": MESSAGES / 20,
};

for (const [name, count] of Object.entries(kept)) {
  test(`${READERS} streams and ${READERS} long polls get ${MESSAGES} messages in order; ${name}`, async (t) => {
    const upstream = await startUpstream({ t });
    const product = await startProduct({
      config: { upstreams: { default: { url: upstream.url, messages: { count } } } },
      t,
    });
    await product.ready();
    const began = performance.now();
    const job = { url: product.url, path: PATH, streams: READERS, polls: READERS, total: MESSAGES };
    const readers = await startReaders(t, job);
    await readers.until(() => readers.stdout.startsWith("connected\n"), { within: 60_000 });
    await until(async () => (await product.state()).readers === 2 * READERS + 1, { within: 60_000 });
    const connectedMs = performance.now() - began;
    const { socket } = upstream.last;
    for (let n = 1; n <= MESSAGES; n++) {
      socket.send(`{"jsonrpc":"2.0","method":"note","params":[${n}]}`);
      // Yields to the event loop now and then instead of sending all in one turn.
      if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [] })).status, 200);
    assert.equal((await readers.ended(WITHIN_MS)).code, 0, readers.output());
    const { messages, gaps, dropped, wrong } = JSON.parse(readers.stdout.split("\n")[1] ?? "") as Result;
    t.diagnostic(
      `connected in ${Math.round(connectedMs)} ms, ${messages} deliveries and ${gaps} gaps of ${dropped} in ` +
        `${Math.round(performance.now() - began - connectedMs)} ms`,
    );
    assert.deepEqual(wrong, []);
    assert.equal(messages + dropped, 2 * READERS * MESSAGES);
    if (count > MESSAGES) assert.equal(gaps, 0);
    const { code, ms } = await product.stop();
    assert.equal(code, 0, product.stderr());
    assert.ok(ms < 10_000, `${ms} ms`);
  });
}
