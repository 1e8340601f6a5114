/** Tests of deadlines across the clocks of host and thread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { runtime } from "../../src/runtime/pick-runtime.ts";
import { Sidecars } from "../../src/sidecar/host/sidecars.ts";
import type { RawThread } from "../../src/sidecar/host/supervised-thread.ts";
import { startFaultUpstream } from "../faults/upstream.ts";

/** A thread that receives its first batches `ms` later than they were posted. */
function slowAtFirst(ms: number): RawThread {
  const { port, mark, ended, terminate } = runtime.startThread();
  let held: Parameters<typeof port.postMessage>[] | undefined = [];
  const release = () => {
    for (const batch of held ?? []) port.postMessage(...batch);
    held = undefined;
  };
  return {
    mark,
    ended,
    terminate,
    port: {
      on: (event, listener) => port.on(event, listener),
      ref: () => port.ref(),
      unref: () => port.unref(),
      postMessage(...batch) {
        if (!held) return port.postMessage(...batch);
        if (held.length === 0) setTimeout(release, ms);
        held.push(batch);
      },
    },
  };
}

test("a thread that started slowly still reports a timed-out request as unsent", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
  const settings = upstreamSchema.parse({ url: upstream.url });
  const { shutdown } = configSchema.parse({});
  const sidecars = new Sidecars(new Map([["default", settings]]), shutdown, () => slowAtFirst(300));
  t.after(() => sidecars.exit({ cause: "test", force: true }));
  await sidecars.opened();
  const outcome = await sidecars.upstreams
    .get("default")
    ?.request({ kind: "request", body: '{"jsonrpc":"2.0","id":1,"method":"echo"}', timeoutMs: 200 });
  assert.ok(outcome?.type === "failed");
  assert.deepEqual([outcome.failure.code, outcome.failure.sent], ["reply_timeout", "no"], outcome.failure.detail);
});
