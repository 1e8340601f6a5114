/** The product under a probe on each of its threads, for tests that no turn of an event loop is long. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Product, ProductOptions } from "./product.ts";
import { root, runtime } from "./root.ts";

/**
 * The turns that are no fault, in milliseconds: four times the bound, for a slow machine, and for a collection of
 * garbage, which comes on top. A turn that is not cut takes seconds.
 */
const ALLOWED_MS = 80;

const probe = join(root, "test", "support", "probe.mjs");

/** Options of a product with a heap of 512 MB and the probe on its main thread. */
export const probed = {
  runtimeArgs:
    runtime === "node"
      ? ["--max-old-space-size=512", "--import", probe]
      : ["--v8-flags=--max-old-space-size=512", "--preload", probe],
  // The probe reads /proc, for which Deno wants every permission.
  denoPermissions: ["--allow-all"],
} as const satisfies ProductOptions;

/** Settings of an upstream that bring the probe to the sidecar's thread. */
export const probedThread = { credentials: probe, headers: { "x-probe": "${credentials:probe}" } } as const;

export interface Turn {
  readonly turn: "main" | "thread";
  readonly ms: number;
}

/** The turns that were too long, in some span of time. */
export interface Turns {
  longest(): readonly Turn[];
  /** The same turns, without those that come from now on. */
  until(): Turns;
  assertShort(allowedMs?: number, of?: Turn["turn"]): void;
}

/** The turns that are too long, from now on. */
export function watchTurns(product: Product, from = turnsIn(product).length, to?: number): Turns {
  const longest = () => turnsIn(product).slice(from, to);
  return {
    longest,
    until: () => watchTurns(product, from, turnsIn(product).length),
    /** Fails if a turn of either thread was too long. */
    assertShort(allowedMs = ALLOWED_MS, of?: Turn["turn"]): void {
      for (const thread of of ? [of] : (["main", "thread"] as const)) {
        assert.ok(product.stderr().includes(JSON.stringify({ probe: thread })), `there is no probe on ${thread}`);
      }
      assert.deepEqual(
        longest().filter(({ turn, ms }) => ms > allowedMs && (of ?? turn) === turn),
        [],
        "turns that took too long",
      );
    },
  };
}

function turnsIn(product: Product): readonly Turn[] {
  return product
    .stderr()
    .split("\n")
    .filter((line) => line.startsWith('{"turn":'))
    .map((line) => JSON.parse(line) as Turn);
}

/** Polls `/livez` until told to end. `end` returns the longest time to an answer, in milliseconds. */
export function pollLive(product: Product): { end(): Promise<number> } {
  let going = true;
  let longest = 0;
  const polling = (async () => {
    while (going) {
      const from = performance.now();
      const response = await product.fetch("/livez");
      await response.text();
      assert.equal(response.status, 200);
      longest = Math.max(longest, performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  return {
    async end() {
      going = false;
      await polling;
      return longest;
    },
  };
}
