/** Renderings of messages: characters at which line readers of other languages break are escaped inside JSON. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalEntry } from "../../../src/core/messages/journal.ts";
import { event, eventOf, jsonOf, jsonText, oneLine } from "../../../src/http/streaming/render.ts";

const SEPARATORS = ["\u0085", "\u2028", "\u2029"];
/** Characters at which some line reader breaks a line; JSON forbids all others of Python's `splitlines`. */
const BREAKS = /[\n\v\f\r\u0085\u2028\u2029]/;

const entry = (kind: "json" | "text", data: string): JournalEntry => ({ seq: 1, at: 0, kind, data });

for (const separator of SEPARATORS) {
  const name = `U+${separator.charCodeAt(0).toString(16).padStart(4, "0")}`;

  test(`${name} is escaped in lines and events of JSON, which keep their value`, () => {
    const value = { text: `a${separator}${separator}b`, [separator]: "name" };
    const json = JSON.stringify(value, undefined, 1);
    const line = jsonOf("e", entry("json", json));
    assert.doesNotMatch(line, BREAKS);
    assert.deepEqual(JSON.parse(line).data, value);
    assert.doesNotMatch(oneLine(json), BREAKS);
    assert.deepEqual(JSON.parse(oneLine(json)), value);
    const data = eventOf("e", entry("json", JSON.stringify(value)))
      .split("\n")
      .flatMap((field) => (field.startsWith("data: ") ? [field.slice(6)] : []));
    assert.equal(data.length, 1);
    assert.doesNotMatch(data.join(""), BREAKS);
    assert.deepEqual(JSON.parse(data.join("")), value);
    assert.doesNotMatch(jsonText(value), BREAKS);
  });

  test(`${name} is escaped in the line of a text, and stays in the event of one`, () => {
    const text = `a${separator}b`;
    const line = jsonOf("e", entry("text", text));
    assert.doesNotMatch(line, BREAKS);
    assert.equal(JSON.parse(line).data, text);
    assert.equal(eventOf("e", entry("text", text)), event("message", "e-1", text));
    assert.ok(eventOf("e", entry("text", text)).includes(text));
  });
}

test("JSON without such characters stays as it is", () => {
  const json = '{"a":"\\u2028 \\n ü 漢","b":[1.0,2e5]}';
  assert.equal(oneLine(json), json);
});
