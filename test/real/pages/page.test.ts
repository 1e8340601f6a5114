/** The reading of a page: its commands, its files, and the comparison of what it says with what was printed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, parsePage, resolve, type Values } from "./page.ts";

const NONE: Values = new Map();

function fence(language: string, text: string, before = ""): string {
  return `${before}\n\`\`\`${language}\n${text}\n\`\`\`\n`;
}

test("a page gives its commands with their output, and those without", () => {
  const page = parsePage(`# A\n${fence("console", "$ a \\\n  b\none\n$ c\n")}${fence("sh", "# of d\nd\ne |\n  f")}`);
  assert.deepEqual(
    page.steps.map(({ line, command, output }) => [line, command, output]),
    [
      [4, "a \\\n  b", "one\n"],
      [7, "c", "\n"],
      [13, "d", undefined],
      [14, "e |\n  f", undefined],
    ],
  );
});

test("a comment before a fence names its upstream, or the reason not to run it, for this fence alone", () => {
  const page = parsePage(
    fence("sh", "a", "<!-- not run: it is red -->") + fence("sh", "b", "<!-- with: obs -->") + fence("sh", "c"),
  );
  assert.deepEqual(
    page.steps.map(({ notRun, upstream }) => [notRun, upstream]),
    [
      ["it is red", undefined],
      [undefined, "obs"],
      [undefined, undefined],
    ],
  );
});

test("a fence that begins with the name of a file is that file", () => {
  const { files, steps } = parsePage(
    fence("python", "# feed.py\nprint(1)") + fence("js", "f();") + fence("php", "<?php\n// a.php"),
  );
  assert.deepEqual(files, [
    { name: "feed.py", text: "# feed.py\nprint(1)\n" },
    { name: "a.php", text: "<?php\n// a.php\n" },
  ]);
  assert.deepEqual(steps, []);
});

test("output before a command, which nobody could check, is refused", () => {
  assert.throws(() => parsePage(fence("console", "one")), /line 3: output before the first command/);
});

test("an output must be the page's, but for what `…` stands for", () => {
  const isRight = (page: string, printed: string): boolean => typeof compare(page, printed, NONE) !== "string";
  assert.deepEqual(
    [isRight("a.c\n", "a.c"), isRight("a.c\n", "abc"), isRight("", "a"), isRight("a\n", "")],
    [true, false, false, false],
  );
  assert.deepEqual(
    [isRight("a…\n", "abc"), isRight("a…\n", "ab\nc"), isRight("…\nc\n", "a\nb\nc")],
    [true, false, true],
  );
  assert.deepEqual([isRight("a\n…\n", "a\nb\nc"), isRight("a\n…\n", "b\nc")], [true, false]);
});

test("the head of a response has the page's lines in any order, up to the `…`", () => {
  const page = "HTTP/1.1 200 OK\nb: 2\na: 1\n…\nbody\n";
  const printed = (head: string, body = "body"): string => `HTTP/1.1 200 OK\n${head}\n\n${body}\n`;
  assert.equal(typeof compare(page, printed("A: 1\nX: y\nB: 2"), NONE), "object");
  assert.equal(typeof compare(page, printed("A: 1\nB: 3"), NONE), "string");
  assert.equal(typeof compare(page, printed("A: 1\nB: 2", "other"), NONE), "string");
});

test("a value that varies stands for the printed one, here and in later commands", () => {
  const page = '{"next":"mwttbrc8ekmfo-1","at":"2026-11-23T22:03:42.753Z","cursor":"mwttbrc8ekmfo-1","ms":9}\n';
  const printed = (cursor: string) =>
    `{"next":"mx0apz4mkjarb-2","at":"2026-11-28T10:57:36Z","cursor":"${cursor}","ms":12.5}`;
  const values = compare(page, printed("mx0apz4mkjarb-2"), NONE);
  assert.ok(typeof values !== "string");
  assert.equal(resolve("curl /messages?after=mwttbrc8ekmfo-1", values), "curl /messages?after=mx0apz4mkjarb-2");
  assert.equal(typeof compare(page, printed("mx0apz4mkjarb-3"), NONE), "string");
  assert.equal(typeof compare('"mwttbrc8ekmfo-1"\n', '"mx0apz4mkjarb-2"', values), "object");
  assert.equal(typeof compare('"mwttbrc8ekmfo-1"\n', '"mx0apz4mkjarb-3"', values), "string");
});
