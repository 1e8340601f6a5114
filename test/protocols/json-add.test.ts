/** The addition of a value to a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withAdded } from "../../src/protocols/json-add.ts";
import { InvalidMessage } from "../../src/protocols/protocol.ts";

test("a member is set, an element is inserted, and what is missing on the way is made", () => {
  const cases: readonly (readonly [message: string, pointer: string, result: string])[] = [
    ['{"a":1}', "/a", '{"a":"v"}'],
    ['{"a":1}', "/b", '{"b":"v","a":1}'],
    ["{}", "/a/b", '{"a":{"b":"v"}}'],
    ['{"params":[1,2]}', "/params/0", '{"params":["v",1,2]}'],
    ['{"params":[1,2]}', "/params/1", '{"params":[1,"v",2]}'],
    ['{"params":[1,2]}', "/params/2", '{"params":[1,2,"v"]}'],
    ['{"params":[ ]}', "/params/0", '{"params":[ "v"]}'],
    ['{"params":[1]}', "/params/-", '{"params":[1,"v"]}'],
    ["{}", "/params/0", '{"params":["v"]}'],
    ["{}", "/params/0/token", '{"params":[{"token":"v"}]}'],
    ['{"n":90071992547409931}', "/a", '{"a":"v","n":90071992547409931}'],
  ];
  for (const [message, pointer, result] of cases) assert.equal(withAdded(message, pointer, '"v"'), result);
  assert.deepEqual(withAdded(new TextEncoder().encode("{}"), "/a", "1"), new TextEncoder().encode('{"a":1}'));
});

test("a message without the place is refused", () => {
  for (const [message, pointer] of [
    ['{"params":[1]}', "/params/3"],
    ['{"params":[1]}', "/params/x"],
    ['{"params":"text"}', "/params/0"],
    ['{"a":1,"a":2}', "/a"],
    ["7", "/a"],
    ["no JSON", "/a"],
  ] as const)
    assert.throws(() => withAdded(message, pointer, "1"), InvalidMessage, message + pointer);
});
