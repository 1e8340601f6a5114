/** The options of `sidesocket listen`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readListening } from "../../src/commands/listen-command.ts";

test("the options of listen select messages", () => {
  assert.deepEqual(readListening({ options: {} }), {
    where: {},
    has: [],
    limit: Number.POSITIVE_INFINITY,
    subscription: undefined,
  });
  const options = { where: ["/a=b=c", "/e", "/d="], after: "epoch-7", limit: "12", subscription: "s" };
  const where = { "/a": "b=c", "/d": "" };
  assert.deepEqual(readListening({ options }), { where, has: ["/e"], after: "epoch-7", limit: 12, subscription: "s" });
});

test("an invalid option of listen is refused by name", () => {
  const cases: readonly (readonly [options: Parameters<typeof readListening>[0]["options"], said: RegExp])[] = [
    [{ limit: "0" }, /^--limit must be a whole number from 1$/],
    [{ limit: "1.5" }, /^--limit must be a whole number/],
    [{ limit: "1".repeat(17) }, /^--limit must be a whole number/],
    [{ where: ["a"] }, /^--where: .*pointer/],
    [{ where: ["/a=1", "/a=2"] }, /^--where: each pointer has one value$/],
    [{ where: ["a=1"] }, /^--where: .*pointer/],
    [{ after: "x" }, /^--after must be a message's cursor, earliest or latest$/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => readListening({ options }), { name: "ConfigError", message }, JSON.stringify(options));
  }
});
