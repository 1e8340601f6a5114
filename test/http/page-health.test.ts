/** The health of an upstream as the page at `/` shows it, computed by the page's own script. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../support/root.ts";

interface Shown {
  readonly kind: string;
  readonly word: string;
}
type HealthOf = (state: object, failures: readonly object[], now: number) => Shown;

const { healthOf } = (await import(pathToFileURL(join(root, "pages", "upstream.js")).href)) as { healthOf: HealthOf };

const NOW = Date.parse("2026-01-01T00:00:00Z");
const ago = (ms: number): string => new Date(NOW - ms).toISOString();
const state = { name: "a", instances: null };

function shown(of: object, failures: readonly object[] = []): readonly string[] {
  const { kind, word } = healthOf({ ...state, ...of }, failures, NOW);
  return [kind, word];
}

test("a phase has its kind and its word", () => {
  assert.deepEqual(shown({ phase: "ready" }), ["good", "ready"]);
  assert.deepEqual(shown({ phase: "idle" }), ["off", "idle"]);
  assert.deepEqual(shown({ phase: "refused" }), ["bad", "refused"]);
});

test("a template shows its open instances, for it has no connection of its own", () => {
  assert.deepEqual(shown({ phase: "idle", instances: 0 }), ["off", "0 open instances"]);
  assert.deepEqual(shown({ phase: "idle", instances: 1 }), ["good", "1 open instance"]);
  assert.deepEqual(shown({ phase: "waiting", instances: 1 }), ["poor", "waiting"]);
});

test("a ready upstream whose requests failed within the last minute is shown as worse than its connection", () => {
  const failure = { upstream: "a", status: 504, at: ago(59_000) };
  assert.deepEqual(shown({ phase: "ready" }, [failure]), ["poor", "ready, but requests fail"]);
  for (const harmless of [{ upstream: "b" }, { status: 404 }, { at: ago(61_000) }])
    assert.deepEqual(shown({ phase: "ready" }, [{ ...failure, ...harmless }]), ["good", "ready"]);
});
