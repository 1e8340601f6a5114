/** Durations and sizes: every unit, exact fractions, refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_DURATION_MS, MAX_SIZE_BYTES, parseDuration, parseSize, parseTimeout } from "../../src/config/units.ts";

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES = { B: 1, kB: 1000, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

test("durations are parsed in all units, and fractions exactly", () => {
  const cases: [string, number][] = [
    ["200ms", 200],
    ["10s", 10_000],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["1.001s", 1001],
    ["0.5s", 500],
    ["1.000ms", 1],
    ["2147483647ms", MAX_DURATION_MS],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});

test("sizes are parsed in all units", () => {
  const cases: [string, number][] = [
    ["123B", 123],
    ["500kB", 500_000],
    ["64KiB", 65_536],
    ["1MiB", 1_048_576],
    ["16MiB", 16_777_216],
    ["1.5KiB", 1536],
    ["2147483647B", MAX_SIZE_BYTES],
  ];
  for (const [text, expected] of cases) assert.equal(parseSize(text), expected, text);
});

test("an invalid duration is refused without repeating it", () => {
  const unreadable = [
    "",
    "10",
    "s",
    "10 s",
    " 10s",
    "-1s",
    "+1s",
    "1e3s",
    "NaN",
    "Infinity",
    "1d",
    "10S",
    "1.s",
    ".5s",
    "0x1s",
    "1,5s",
    "१s",
  ];
  for (const text of unreadable)
    assert.throws(
      () => parseDuration(text),
      { name: "RangeError", message: /^must be a duration with its unit/ },
      text,
    );
  for (const text of ["0ms", "0s", "0.000h", "2147483648ms", "597h", "9999999999999999h"]) {
    assert.throws(() => parseDuration(text), { message: /^must be from 1ms to 2147483647ms/ }, text);
  }
  for (const text of ["1.5ms", "0.0001s"])
    assert.throws(() => parseDuration(text), { message: "must be a whole number of milliseconds" }, text);
});

test("zero is a duration only if the minimum allows it", () => {
  assert.equal(parseDuration("0s", 0), 0);
  assert.throws(() => parseDuration("0s"), RangeError);
});

test("an invalid size is refused", () => {
  for (const text of ["", "1", "MiB", "1 MiB", "-1B", "1mb", "1KB", "1Mb", "1TiB", "NaN"]) {
    assert.throws(() => parseSize(text), { message: /^must be a size with its unit/ }, text);
  }
  for (const text of ["0B", "2147483648B", "2GiB"])
    assert.throws(() => parseSize(text), { message: /^must be from 1B/ }, text);
  assert.throws(() => parseSize("0.5B"), { message: "must be a whole number of bytes" });
});

test("a timeout without a unit is in seconds", () => {
  const cases: [string, number][] = [
    ["10", 10_000],
    ["2.5", 2500],
    ["10s", 10_000],
    ["500ms", 500],
    ["0.001", 1],
  ];
  for (const [text, expected] of cases) assert.equal(parseTimeout(text), expected, text);
  for (const text of ["", "soon", "-1", "1e3", "10 ", "NaN", "0", "2147484", "0.0001", "9".repeat(10_000)]) {
    assert.throws(() => parseTimeout(text), RangeError, text.slice(0, 20));
  }
  assert.equal(parseTimeout("0", 0), 0);
});

test("every whole number in range survives a round trip through each unit", () => {
  const units = <Unit extends string>(table: Record<Unit, number>) =>
    fc.constantFrom(...(Object.entries(table) as [Unit, number][]));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_DURATION_MS }), units(MILLISECONDS), (value, [unit, factor]) => {
      const count = Math.ceil(value / factor);
      fc.pre(count * factor <= MAX_DURATION_MS);
      assert.equal(parseDuration(`${count}${unit}`), count * factor);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_SIZE_BYTES }), units(BYTES), (value, [unit, factor]) => {
      const count = Math.ceil(value / factor);
      fc.pre(count * factor <= MAX_SIZE_BYTES);
      assert.equal(parseSize(`${count}${unit}`), count * factor);
    }),
  );
});

test("milliseconds written as seconds with three decimals are parsed exactly", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_DURATION_MS }), (value) => {
      const text = `${Math.floor(value / 1000)}.${String(value % 1000).padStart(3, "0")}`;
      assert.equal(parseDuration(`${text}s`), value);
      assert.equal(parseTimeout(text), value);
    }),
  );
});

test("any text gives either a whole number in range or a RangeError", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,12}(ms|s|m|h|B|KiB)?$/));
  fc.assert(
    fc.property(text, fc.constantFrom(parseDuration, parseSize, parseTimeout), (input, parse) => {
      let value: number;
      try {
        value = parse(input);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      assert.ok(Number.isInteger(value) && value >= 1 && value <= MAX_DURATION_MS);
    }),
  );
});
