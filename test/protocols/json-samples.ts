/** Arbitrary JSON text: with any white space and escapes, numbers beyond doubles, and duplicate keys. */

import fc from "fast-check";
import { codePoint } from "./code-point.ts";

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const padded = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, text, space).map((parts) => parts.join(""));

function escaped(text: string): string {
  const codeUnit = (_: unknown, at: number) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return `"${Array.from({ length: text.length }, codeUnit).join("")}"`;
}

export const stringText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
  fc.string({ unit: codePoint }).map((text) => JSON.stringify(text)),
  fc.string().map(escaped),
  fc.constantFrom(
    '"\\\\"',
    '"\\""',
    '"a\\/b"',
    '"\ud800"',
    '""',
    '"__proto__"',
    '"{[,]}"',
    `"${"long ".repeat(99)}\\\\"`,
  ),
);

export const numberText: fc.Arbitrary<string> = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt().map(String),
  fc.constantFrom("0", "-0", "0.0", "7.0", "7e0", "1E400", "-1e-400", "9007199254740993", "0.1E+2"),
);

/**
 * Keys without a backslash. Once V8 (in Deno, and in Node from 24 on) has read a key that begins with one, its
 * `JSON.parse` takes other keys that are written with an escape for that one, and cannot serve as the reference
 * (nodejs/node#63785).
 */
const keyText = fc.oneof(
  fc.constantFrom('"id"', '"\\u0069d"', '"jsonrpc"', '"method"', '"__proto__"', '"a"', '""', '"a/b"', '"~"'),
  stringText.filter((text) => !(JSON.parse(text) as string).includes("\\")),
);

const list = (items: readonly string[], empty: string): string => (items.length === 0 ? empty : items.join(","));

const { value, array, object } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom("true", "false", "null"),
    numberText,
    stringText,
    tie("array"),
    tie("object"),
  ),
  array: fc
    .tuple(fc.array(padded(tie("value")), { maxLength: 4 }), space)
    .map(([items, empty]) => `[${list(items, empty)}]`),
  object: fc
    .tuple(
      fc.array(
        fc.tuple(padded(keyText), padded(tie("value"))).map((pair) => pair.join(":")),
        { maxLength: 4 },
      ),
      space,
    )
    .map(([items, empty]) => `{${list(items, empty)}}`),
}));

export const jsonText: fc.Arbitrary<string> = padded(value);
export const arrayText: fc.Arbitrary<string> = padded(array);
export const objectText: fc.Arbitrary<string> = padded(object);

const PROTOCOL_KEYS: ReadonlySet<unknown> = new Set(["id", "jsonrpc", "method", "result", "error"]);

/** Members unknown to every protocol, as text: `"a" : [1]`. */
export const strangers: fc.Arbitrary<readonly string[]> = fc.array(
  fc
    .tuple(padded(keyText.filter((key) => !PROTOCOL_KEYS.has(JSON.parse(key)))), padded(value))
    .map((pair) => pair.join(":")),
  { maxLength: 4 },
);

/** JSON with one or two damaged places. Much of it is still JSON. */
export const woundedText: fc.Arbitrary<string> = fc
  .tuple(
    jsonText,
    fc.array(
      fc.record({
        at: fc.nat(),
        cut: fc.nat({ max: 2 }),
        put: fc.oneof(
          fc.constantFrom("", ...'{}[]:,"\\ \n\t\u0000-+.eE0129tfnu/x\ufeff\u00a0'),
          fc.string({ maxLength: 2 }),
        ),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  )
  .map(([text, wounds]) =>
    wounds.reduce((whole, { at, cut, put }) => {
      const start = at % (whole.length + 1);
      return whole.slice(0, start) + put + whole.slice(start + cut);
    }, text),
  );
