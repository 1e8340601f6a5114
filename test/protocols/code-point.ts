/** Arbitrary code point, for strings of fast-check. */

import assert from "node:assert/strict";
import fc from "fast-check";

const SURROGATES = { from: 0xd800, count: 0x800 };

/**
 * Any character, like fast-check's own unit "binary", but without its table of all characters, which serves only to
 * find the number of a character and takes a second to build in each process.
 */
export const codePoint: fc.Arbitrary<string> = fc.nat({ max: 0x10ffff - SURROGATES.count }).map(
  (n) => String.fromCodePoint(n < SURROGATES.from ? n : n + SURROGATES.count),
  (text) => {
    assert.ok(typeof text === "string" && /^.$/su.test(text) && !/\p{Surrogate}/u.test(text));
    const code = text.codePointAt(0) ?? 0;
    return code < SURROGATES.from ? code : code - SURROGATES.count;
  },
);
