/** Tests of what is reported of the pressure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pressure } from "../../../src/core/util/pressure.ts";

test("a step is reported when it is reached, and once it has not been reached for a second", () => {
  const pressure = new Pressure();
  const looks: readonly (readonly [reached: number, now: number, reported: number | undefined])[] = [
    [0, 0, undefined],
    [2, 100, 2],
    [2, 200, undefined],
    [1, 300, undefined],
    [0, 400, undefined],
    // Reached again before it was left for good.
    [2, 500, undefined],
    [1, 600, undefined],
    [0, 700, undefined],
    [1, 1_500, undefined],
    [0, 1_600, 1],
    [0, 2_700, undefined],
    [0, 3_700, 0],
    [4, 3_800, 4],
  ];
  for (const [reached, now, reported] of looks) assert.equal(pressure.look(reached, now), reported, `at ${now}`);
});
