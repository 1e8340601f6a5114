/** Tests of the JSON validator, against JSON.parse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { check, JsonFault } from "../../src/protocols/json-check.ts";
import { keyAt, kindOf, members } from "../../src/protocols/json-text.ts";
import { codePoint } from "./code-point.ts";
import { jsonText, woundedText } from "./json-samples.ts";

function accepted(text: string, by: (text: string) => unknown): boolean {
  try {
    by(text);
    return true;
  } catch {
    return false;
  }
}

function agreesWithTheRuntime(text: string): void {
  assert.equal(accepted(text, check), accepted(text, JSON.parse), JSON.stringify(text));
}

function fault(text: string, maxDepth?: number): JsonFault {
  try {
    check(text, maxDepth);
  } catch (error) {
    assert.ok(error instanceof JsonFault);
    return error;
  }
  return assert.fail(`${JSON.stringify(text)} was accepted`);
}

test("JSON in any spelling is accepted, and its span excludes the surrounding white space", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const { start, end } = check(text);
      assert.equal(text.slice(start, end), text.trim());
    }),
  );
});

test("the sink receives each member of the outermost object once, in order, and no nested one", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const told: [string, string][] = [];
      const root = check(text, undefined, {
        member: (whole, name, start, end) => told.push([keyAt(whole, name), whole.slice(start, end)]),
      });
      const walked = kindOf(text, root) === "object" ? [...members(text, root)] : [];
      assert.deepEqual(
        told,
        walked.map(({ key, value }) => [key, text.slice(value.start, value.end)]),
      );
    }),
  );
});

test("the scanner and JSON.parse accept the same wounded JSON", () => {
  fc.assert(fc.property(woundedText, agreesWithTheRuntime), { numRuns: 3000 });
});

test("the scanner and JSON.parse accept the same arbitrary text", () => {
  fc.assert(fc.property(fc.string({ unit: codePoint }), agreesWithTheRuntime));
  fc.assert(fc.property(fc.stringMatching(/^[-+.eE019 ]{1,8}$/), agreesWithTheRuntime), { numRuns: 2000 });
  fc.assert(fc.property(fc.stringMatching(/^"[\\"bfnrtu/0aF\n]{0,8}"$/), agreesWithTheRuntime), { numRuns: 2000 });
  fc.assert(fc.property(fc.stringMatching(/^[[\]{}:," 1]{1,8}$/), agreesWithTheRuntime), { numRuns: 2000 });
});

test("the scanner and JSON.parse agree about long strings with any content", () => {
  const piece = fc.constantFrom('"', "\\", "\\\\", '\\"', "\n", "\\n", "\\u00e9", "\\u00g9", "é", "\ud800", "");
  const long = fc.tuple(fc.nat({ max: 600 }), piece, fc.nat({ max: 300 }), piece);
  fc.assert(
    fc.property(long, ([before, first, after, second]) => {
      agreesWithTheRuntime(`["${"x".repeat(before)}${first}${"y".repeat(after)}${second}"]`);
    }),
    { numRuns: 1000 },
  );
});

const faults: readonly (readonly [text: string, message: string])[] = [
  ["", "expected a value, found the end at position 0"],
  ["  ", "expected a value, found the end at position 2"],
  ["NaN", 'expected a value, found "N" at position 0'],
  ["undefined", 'expected a value, found "u" at position 0'],
  ["nul", 'expected a value, found "n" at position 0'],
  ["nulll", 'expected the end, found "l" at position 4'],
  ["{", "expected a key, found the end at position 1"],
  ["[1,]", 'expected a value, found "]" at position 3'],
  ['{"a":1,}', 'expected a key, found "}" at position 7'],
  ['{"a" 1}', 'expected ":", found "1" at position 5'],
  ['{"a":1 "b"}', 'expected "," or "}", found a quote mark at position 7'],
  ["[1}", 'expected "," or "]", found "}" at position 2'],
  ["{a:1}", 'expected a key, found "a" at position 1'],
  ["{} {}", 'expected the end, found "{" at position 3'],
  ["1 // one", 'expected the end, found "/" at position 2'],
  ["01", "number with a leading zero at position 0"],
  ["-", "expected a digit, found the end at position 1"],
  ["1.e5", 'expected a digit, found "e" at position 2'],
  ["+1", 'expected a value, found "+" at position 0'],
  ['"abc', "unterminated string, begun at position 0"],
  ['"\\n', "unterminated string, begun at position 0"],
  [`["${"x".repeat(999)}`, "unterminated string, begun at position 1"],
  ['"a\nb"', "unescaped control character U+000A in a string at position 2 (line 1, column 3)"],
  [`"${"x".repeat(999)}\t"`, "unescaped control character U+0009 in a string at position 1000"],
  ['"\\x41"', "invalid escape in a string at position 1"],
  ['"\\u12g4"', "invalid escape in a string at position 1"],
  ['"\\', "invalid escape in a string at position 1"],
  ["\ufeff{}", "expected a value, found a byte order mark at position 0"],
  ["[\u00a01]", "expected a value, found U+00A0 at position 1"],
  ["[\ud800]", "expected a value, found U+D800 at position 1"],
  ['{\n  "a": 1,\r\n  "b": tru\n}', 'expected a value, found "t" at position 20 (line 3, column 8)'],
];
for (const [text, message] of faults) {
  test(`the fault of ${JSON.stringify(text.slice(0, 30))} has its reason and place`, () => {
    const { message: said, position } = fault(text);
    assert.equal(said, message);
    assert.equal(position, Number(/position (\d+)/.exec(message)?.[1]));
  });
}

test("the depth cap counts containers and names the first one too many", () => {
  assert.deepEqual(check('{"a":[[],{}]}', 3), { start: 0, end: 13 });
  assert.equal(fault('{"a":[[],{}]}', 2).message, "nested deeper than 2 levels at position 6");
  assert.deepEqual(check("[[],[],[]]", 2), { start: 0, end: 10 }, "what is closed no longer counts");
  assert.equal(fault("[]", 0).position, 0);
});

test("a million levels of nesting do not overflow the stack", () => {
  const deep = "[".repeat(1e6);
  assert.deepEqual(check(`${deep}${"]".repeat(1e6)}`), { start: 0, end: 2e6 });
  assert.equal(fault(deep).position, 1e6);
  assert.equal(fault(deep, 64).position, 64);
  assert.equal(fault('{"a":'.repeat(1e6)).position, 5e6);
});

test("containers are closed by what opened them, however deep they are", () => {
  const openers = fc.array(fc.boolean(), { minLength: 1, maxLength: 200, size: "max" });
  fc.assert(
    fc.property(openers, fc.nat(), (objects, wrong) => {
      const opened = objects.map((isObject) => (isObject ? '{"":' : "[")).join("");
      const closers = objects.map((isObject) => (isObject ? "}" : "]")).reverse();
      const text = `${opened}0${closers.join("")}`;
      assert.deepEqual(check(text), { start: 0, end: text.length });
      const at = wrong % closers.length;
      closers[at] = closers[at] === "}" ? "]" : "}";
      assert.throws(() => check(`${opened}0${closers.join("")}`), JsonFault);
    }),
  );
});
