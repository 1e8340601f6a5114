/** Signals as one process receives them: SIGHUP reloads, unless it says that the terminal is gone. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { endOnSignals } from "../../src/service/signals.ts";

/** The deeds of a process with these descriptors as terminals, at its start and at the signal. */
function deedsOnHangUp(before: readonly number[], then: readonly number[]): readonly string[] {
  const deeds: string[] = [];
  let terminals = before;
  const giveBack = endOnSignals(["SIGHUP"], ({ cause }) => deeds.push(`exit by ${cause}`), {
    reload: () => deeds.push("reload"),
    isTerminal: (descriptor) => terminals.includes(descriptor),
  });
  terminals = then;
  process.emit("SIGHUP", "SIGHUP");
  giveBack();
  return deeds;
}

test("SIGHUP reloads where there is no terminal, or it is still there, and exits where it is gone", () => {
  assert.deepEqual(deedsOnHangUp([], []), ["reload"]);
  assert.deepEqual(deedsOnHangUp([0, 1, 2], [0, 1, 2]), ["reload"]);
  assert.deepEqual(deedsOnHangUp([0, 1, 2], []), ["exit by SIGHUP"]);
  assert.deepEqual(deedsOnHangUp([2], []), ["exit by SIGHUP"]);
});

test("SIGHUP exits where nothing can be reloaded", () => {
  const causes: string[] = [];
  const giveBack = endOnSignals(["SIGHUP"], ({ cause }) => causes.push(cause));
  process.emit("SIGHUP", "SIGHUP");
  giveBack();
  assert.deepEqual(causes, ["SIGHUP"]);
});
