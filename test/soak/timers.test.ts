/** Timers of src/ after an exit: none may be left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Sidecar } from "../../src/index.ts";
import { startUpstream } from "../support/upstream.ts";

type Timers = Pick<typeof globalThis, "setTimeout" | "setInterval" | "clearTimeout" | "clearInterval">;

/** Watches, until `done`, the timers that code in src/ has set and that have neither fired nor been cleared. */
function watchTimers(): { readonly left: ReadonlyMap<unknown, string>; done(): void } {
  const { setTimeout, setInterval, clearTimeout, clearInterval }: Timers = globalThis;
  const left = new Map<unknown, string>();
  const watched = (set: (...args: never[]) => unknown, once: boolean) => {
    return (work: () => void, ...more: unknown[]) => {
      const run = () => {
        if (once) left.delete(timer);
        work();
      };
      const timer = (set as (...args: unknown[]) => unknown)(run, ...more);
      const from = new Error().stack?.split("\n").find((line) => line.includes("/src/"));
      if (from !== undefined) left.set(timer, from.trim());
      return timer;
    };
  };
  const cleared = (clear: (timer: never) => void) => (timer: unknown) => {
    left.delete(timer);
    clear(timer as never);
  };
  Object.assign(globalThis, {
    setTimeout: watched(setTimeout, true),
    setInterval: watched(setInterval, false),
    clearTimeout: cleared(clearTimeout),
    clearInterval: cleared(clearInterval),
  });
  return { left, done: () => Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval }) };
}

test("every timer that a sidecar set has fired or is cleared when its exit is over", async (t) => {
  const upstream = await startUpstream({ t });
  const timers = watchTimers();
  try {
    const sidecar = await Sidecar.start({ url: upstream.url });
    assert.ok(timers.left.size > 0, "its pulse, at least, is a timer");
    await sidecar.request('{"jsonrpc":"2.0","id":1,"method":"echo","params":[]}');
    await sidecar.exit();
    assert.deepEqual([...timers.left.values()], []);
  } finally {
    timers.done();
  }
});
