/** Recordings as lines: what is written is read again, and a file that is none is refused by its line. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { entryLine, parseRecording, type RecordingEntry } from "../../src/recording/recording-format.ts";

const HEAD = '{"recording":1,"sidesocket":"1.0.0","upstream":"default","protocol":"json-rpc"}';

const PLAIN = { noNullPrototype: true };

describe("a recording", () => {
  test("is read as it was written", () => {
    const common = { at: fc.nat(), connection: fc.integer({ min: 1, max: 9 }) };
    const frame = fc.oneof(
      fc.string({ unit: fc.constantFrom("a", "é", "\n", "\u2028", "😀", '"', "\\", "\ud800") }),
      fc.uint8Array(),
    );
    const text = fc.string();
    const entry = fc.oneof(
      fc.record({ ...common, event: fc.constantFrom("sent" as const, "received" as const), frame }, PLAIN),
      fc.record(
        {
          ...common,
          event: fc.constant("close" as const),
          by: fc.constantFrom("us" as const, "peer" as const, null),
          code: fc.option(fc.integer({ min: 1000, max: 4999 })),
          reason: text,
          why: text,
        },
        PLAIN,
      ),
      fc.record({ at: fc.nat(), event: fc.constantFrom("failed" as const, "end" as const), why: text }, PLAIN),
    );
    fc.assert(
      fc.property(fc.array(entry), (entries: readonly RecordingEntry[]) => {
        const file = [HEAD, ...entries.map(entryLine), ""].join("\n");
        assert.deepEqual(parseRecording(file).entries, entries);
      }),
      { numRuns: 30 },
    );
  });

  test("may leave out times, the connection and the head, and have events that are not known", () => {
    const { head, entries } = parseRecording('{"event":"received","text":"#1 on"}\n\n{"event":"later","x":1}\n');
    assert.equal(head, undefined);
    assert.deepEqual(entries, [{ at: 0, connection: 1, event: "received", frame: "#1 on" }]);
  });

  const refused: readonly (readonly [file: string, said: RegExp])[] = [
    ["", /^it holds no entry/],
    [`${HEAD}\n{"event":"sent","te`, /^line 2: it is no JSON object: the file is no recording, or was cut off here$/],
    ['{"recording":2}', /^line 1: its version is not 1/],
    [`${HEAD}\n{"at":1}`, /^line 2: it has no event$/],
    [`${HEAD}\n{"event":"sent"}`, /^line 2: a frame that was sent needs its text, or its bytes as base64$/],
  ];
  for (const [file, said] of refused) {
    test(`is refused: ${said.source}`, () => {
      assert.throws(
        () => parseRecording(file),
        (error: Error) => error instanceof RangeError && said.test(error.message),
      );
    });
  }
});
