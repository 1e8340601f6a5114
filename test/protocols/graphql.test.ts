import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { graphqlRequest, graphqlResult, operationKind } from "../../src/protocols/graphql.ts";

const kinds: readonly (readonly [document: string, name: string | undefined, kind: string | undefined])[] = [
  ["{ a }", undefined, "query"],
  ["query { a }", undefined, "query"],
  ["query Q($a: In = {b: [1]}) @d(x: {y: 1}) { a(b: $a) { c } }", undefined, "query"],
  ["mutation { subscription }", undefined, "mutation"],
  ["subscription { mutation { query } }", undefined, "subscription"],
  ["\ufeff,,, # mutation { a }\nsubscription S { a }", undefined, "subscription"],
  ["fragment subscription on T { a } { ...subscription }", undefined, "query"],
  ["fragment F on T { a } subscription S { ...F }", undefined, "subscription"],
  ["query Q { a } subscription S { b }", "S", "subscription"],
  ["query Q { a } subscription S { b }", "Q", "query"],
  ["query Q { a } subscription S { b }", undefined, undefined],
  ["query Q { a } subscription S { b }", "", undefined],
  ["query Q { a }", "R", undefined],
  ['{ a(b: "} subscription {") }', undefined, "query"],
  ['{ a(b: """} \\""" " "" subscription { """) }', undefined, "query"],
  ['"""about""" subscription { a }', undefined, "subscription"],
  ["query query { a }", "query", "query"],
  ["", undefined, undefined],
  ['"""', undefined, undefined],
];
for (const [document, name, kind] of kinds) {
  test(`${JSON.stringify(document)}${name === undefined ? "" : `, of it ${name},`} is: ${kind}`, () => {
    assert.equal(operationKind(document, name), kind);
  });
}

test("a document of any size and any nonsense takes a moment", () => {
  const pieces = fc.constantFrom('"', '"""', "\\", "{", "}", "#", "\n", "query", " ", "(", "a");
  fc.assert(fc.property(fc.array(pieces, { maxLength: 50 }), (parts) => void operationKind(parts.join(""), undefined)));
  const began = performance.now();
  for (const piece of ['"""\\', '"""\\"', '"\\', "\\\\", '"" ', '"""" '])
    operationKind(piece.repeat(250_000), undefined);
  const took = performance.now() - began;
  assert.ok(took < 10_000, `${took} ms: quadratic would be hours`);
});

test("a request's frame has it as it was written", () => {
  const body = ' {"query":"query Q { a }", "variables":{"big":9007199254740993.0} } ';
  const { frame, kind } = graphqlRequest(body);
  assert.equal(frame, `{"type":"subscribe","payload":${body.trim()}}`);
  assert.equal(kind, "query");
  assert.equal(graphqlRequest(new TextEncoder().encode(body)).frame, frame);
});

test("what is no GraphQL request is refused, and said", () => {
  for (const [body, message] of [
    ["", /not usable JSON/],
    ["[]", /must be an object/],
    ["{}", /"query" is missing/],
    ['{"query":7}', /"query" is missing/],
    ['{"query":"{a}","query":"subscription{a}"}', /"query" is missing/],
  ] as const) {
    assert.throws(() => graphqlRequest(body), { name: "InvalidMessage", message });
  }
});

const next = (payload: string): string => `{"type":"next","payload":${payload}}`;
const complete = '{"type":"complete"}';

test("the result of an operation is its one payload, as it was written", () => {
  const of = (...frames: string[]) => graphqlResult(`[${frames.join(",")}]`);
  assert.deepEqual(of(next('{"data":{"n":1.0}}'), complete), { result: '{"data":{"n":1.0}}', executed: true });
  assert.deepEqual(of(next('{"errors":[{}]}'), complete), { result: '{"errors":[{}]}', executed: false });
  assert.deepEqual(of(next('{"data":null,"errors":[]}'), complete), {
    result: '{"data":null,"errors":[]}',
    executed: true,
  });
  assert.deepEqual(of('{"type":"error","payload":[{"message":"m"}]}'), {
    result: '{"errors":[{"message":"m"}]}',
    executed: false,
  });
});

test("what has no result, or several, is not one", () => {
  const whys: readonly (readonly [string, RegExp])[] = [
    [`[${complete}]`, /without a result/],
    [`[${next("{}")},${next("{}")},${complete}]`, /2 results/],
    ["{}", /not what the protocol gives/],
    ["nonsense", /not what the protocol gives/],
  ];
  for (const [reply, why] of whys) {
    const result = graphqlResult(reply);
    assert.match("why" in result ? result.why : "", why);
  }
});
