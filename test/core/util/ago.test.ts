/** Tests of spans of time in texts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, span } from "../../../src/core/util/ago.ts";

test("a span has as many digits as help, and never a negative one", () => {
  for (const [ms, text] of [
    [-3, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [4_249, "4.2 s"],
    [99_900, "99.9 s"],
    [210_400, "210 s"],
  ] as const) {
    assert.deepEqual([span(ms), ago(ms)], [text, `${text} ago`]);
  }
});
