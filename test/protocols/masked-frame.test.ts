/** Frames without secrets: nothing of a secret is left, and JSON stays JSON of the same shape. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { maskFrame } from "../../src/protocols/masked-frame.ts";

const SECRET = 'c4n"ary/2f\\9b71e08d';

describe("a masked frame", () => {
  const cases: readonly (readonly [frame: string, masked: string])[] = [
    ['{"a":"x-s3cr3tt-y","b":1.50}', '{"a":"x-(redacted)-y","b":1.50}'],
    ['{"token":"issued","n":1}', '{"token":"(redacted)","n":1}'],
    ['{"tokens":["a","b"],"c":"d"}', '{"tokens":["(redacted)","(redacted)"],"c":"d"}'],
    ['{"total_tokens":5,"c":"d"}', '{"total_tokens":5,"c":"d"}'],
    [
      '{"auth":{"type":"basic","key":"a","n":1,"of":["b","type"]},"c":["d"]}',
      '{"auth":{"type":"basic","key":"(redacted)","n":1,"of":["(redacted)","(redacted)"]},"c":["d"]}',
    ],
    ['{"auth":{"key" :"a","of":{"n":"b', '{"auth":{"key" :"(redacted)","of":{"n":"(redacted)"'],
    ['{"auth":{},"c":"d"}', '{"auth":{},"c":"d"}'],
    ['{"auth":{"status":"ok","id":"a1b2c3d4e5f6a7b8"}}', '{"auth":{"status":"ok","id":"(redacted)"}}'],
    ['[info] {"auth": {\n "key": "a",\n "n": 1}} .', '[info] {"auth": {\n "key": "(redacted)",\n "n": 1}} .'],
    ['{"auth":\n["a"],', '{"auth":\n["(redacted)"],'],
    ['{"pin":77777,"other":7777}', '{"pin":"(redacted)","other":7777}'],
    ['{"a":"77777"} ', '{"a":"(redacted)"} '],
    ["AUTH s3cr3tt now", "AUTH (redacted) now"],
    ['{"s3cr3tt":1}', '{"s3cr3tt":1}'],
    ['42["login",{"token":"issued"}]', '42["login",{"token":"(redacted)"}]'],
    ['#1 {\n "jwt": "issued" }\n', '#1 {\n "jwt": "(redacted)" }\n'],
    ['{"token":"a"}\u001e{"n":"b"}\u001e', '{"token":"(redacted)"}\u001e{"n":"b"}\u001e'],
    ['it is 5" long: {"tokens":["a","b"], cut', 'it is 5" long: {"tokens":["(redacted)","(redacted)"], cut'],
    ['{"\\u0074oken":"a"}\n{"n":"b"}\n', '{"\\u0074oken":"(redacted)"}\n{"n":"b"}\n'],
    ['half {"password": "is\\"s', 'half {"password": "(redacted)"'],
    ['{"body":"{\\"pwd\\":\\"issued\\"}"}', '{"body":"{\\"pwd\\":\\"(redacted)\\"}"}'],
    ['say "token": 5', 'say "token": 5'],
    ['{"tokens":["a]b",["c"],"d"],"x":', '{"tokens":["(redacted)",["(redacted)"],"(redacted)"],"x":'],
    [
      '{"token":[{"a":"b","token":["c","d"]},"e"]}',
      '{"token":[{"a":"(redacted)","token":["(redacted)","(redacted)"]},"(redacted)"]}',
    ],
    ['{"author":"Bob","authorization":"Basic x"}', '{"author":"Bob","authorization":"(redacted)"}'],
  ];
  for (const [frame, masked] of cases) {
    test(`of ${frame} is ${masked}`, () => assert.equal(maskFrame(frame, ["s3cr3tt", "77777"]), masked));
  }

  test("has no secret that is escaped, in a key, or in bytes", () => {
    const frames: readonly (string | Uint8Array)[] = [
      `{"a":${JSON.stringify(SECRET).replaceAll("/", "\\/").replaceAll("c", "\\u0063")}}`,
      `{${JSON.stringify(SECRET)}:[1,2]}`,
      new TextEncoder().encode(JSON.stringify({ a: [SECRET] })),
      new Uint8Array([255, ...new TextEncoder().encode(SECRET), 254]),
    ];
    for (const frame of frames) {
      const masked = maskFrame(frame, [SECRET]);
      const bytes = typeof masked === "string" ? new TextEncoder().encode(masked) : masked;
      const text = new TextDecoder("latin1").decode(bytes);
      assert.ok(!text.includes("9b71e08d"), text);
    }
  });

  const long = 16 * 1024 * 1024;
  const longs: Readonly<Record<string, readonly [frame: string, masked: string]>> = {
    "a line": ["x".repeat(long), "x".repeat(long)],
    "a string": [`{"a":"\\"${"x".repeat(long)}"}`, `{"a":"\\"${"x".repeat(long)}"}`],
    "a string that is cut off": [`x "token":"${"\\n".repeat(long / 2)}`, 'x "token":"(redacted)"'],
    "what is cut off within a secret": [`{"auth":{"a"${" ".repeat(long)}`, `{"auth":{"(redacted)"${" ".repeat(long)}`],
    "brackets within a secret": [`x "auth":${"{".repeat(long)}`, `x "auth":${"{".repeat(long)}`],
    "lines that are no JSON": ["[\n".repeat(long / 2), "[\n".repeat(long / 2)],
    "lines that look like JSON": ["[}\n".repeat(long / 3), "[}\n".repeat(long / 3)],
    "strings that look like JSON": [`[${'"{\\"",'.repeat(1_000_000)}1]`, `[${'"{\\"",'.repeat(1_000_000)}1]`],
    "escaped quotes": [`x "token":["${'\\"'.repeat(100_000)}\\\u2028`, 'x "token":["(redacted)"'],
  };
  for (const [what, [frame, masked]] of Object.entries(longs)) {
    test(`of ${what} as long as a frame may be comes in seconds`, () => {
      const began = performance.now();
      assert.ok(maskFrame(frame, ["s3cr3tt"]) === masked);
      assert.ok(performance.now() - began < 5_000);
    });
  }

  test("of JSON whose lists have secrets at every level comes in seconds", () => {
    const frame = `${'{"token":["a",'.repeat(20_000)}1${"]}".repeat(20_000)}`;
    const began = performance.now();
    assert.equal(maskFrame(frame, []), frame.replaceAll('"a"', '"(redacted)"'));
    assert.ok(performance.now() - began < 5_000);
  });

  test("keeps the length of bytes that are no text", () => {
    const bytes = new Uint8Array([255, ...new TextEncoder().encode("s3cr3tt"), 254]);
    assert.deepEqual([...maskFrame(bytes, ["s3cr3tt"])], [255, 42, 42, 42, 42, 42, 42, 42, 254]);
    assert.equal(bytes[1], "s".charCodeAt(0));
  });

  test("of any JSON has the same shape, without the secret", () => {
    const leaf = fc.oneof(
      fc.constant(SECRET),
      fc.string(),
      fc.integer(),
      fc.constant(`<${SECRET}>`),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie("tree"), { maxKeys: 4 }),
      ),
    }));
    const shape = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shape)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shape(item)]))
          : typeof value;
    fc.assert(
      fc.property(tree, fc.nat(2), (value, space) => {
        const masked = maskFrame(JSON.stringify(value, undefined, space), [SECRET]) as string;
        assert.deepEqual(shape(JSON.parse(masked)), shape(JSON.parse(JSON.stringify(value))));
        assert.ok(!masked.includes("9b71e08d"));
      }),
    );
  });
});
