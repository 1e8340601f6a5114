/** Tests of GraphQL documents, frames and results. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { graphqlResult, operationOf, subscribeFrame } from "../../src/protocols/graphql.ts";
import { parseDocument } from "../../src/protocols/graphql-document.ts";

const operation = (query: string, operationName?: string) =>
  operationOf(subscribeFrame(JSON.stringify({ query, operationName })));

const kinds: readonly (readonly [document: string, name: string | undefined, kind: string | undefined])[] = [
  ["{ a }", undefined, "query"],
  ["query { a }", undefined, "query"],
  ["query Q($a: In! = {b: [1 $c]}, $d: [[T!]!]) @d(x: {y: 1}) { a(b: $a) @e { c } }", undefined, "query"],
  ["mutation { subscription }", undefined, "mutation"],
  ["subscription { mutation { query } }", undefined, "subscription"],
  ["\ufeff,,, # mutation { a }\nsubscription S { a }", undefined, "subscription"],
  ["fragment subscription on T { a } { ...subscription }", undefined, "query"],
  ["fragment F on T @d { a } subscription S { ...F ... on T { b } ... @e { c } ... { d } }", undefined, "subscription"],
  ["query Q { a } subscription S { b }", "S", "subscription"],
  ["query Q { a } subscription S { b }", "Q", "query"],
  ["query Q { a } subscription S { b }", undefined, undefined],
  ["query Q { a } subscription S { b }", "", undefined],
  ["query Q { a }", "R", undefined],
  ['{ a(b: "} subscription {", c: """} \\""" \\ " "" subscription { """) }', undefined, "query"],
  [
    '{ x: a(b: "\\u0041 \\" \\ud83d\\ude00 \\u{1F600}", c: "", d: -0.5e+3, e: [], f: {}, g: null, h: ENUM) }',
    undefined,
    "query",
  ],
  ['"""about""" subscription { a }', undefined, "subscription"],
  ["query query { fragment on type }", "query", "query"],
];
for (const [document, name, kind] of kinds) {
  test(`${JSON.stringify(document)}${name === undefined ? "" : `, of it ${name},`} is: ${kind}`, () => {
    assert.equal(operation(document, name), kind);
  });
}

const faults: readonly (readonly [document: string, why: RegExp])[] = [
  ["", /expected an operation or a fragment at line 1, column 1/],
  ["{", /expected a name at line 1, column 2/],
  ["{}", /expected a name/],
  ["{ a", /expected a name/],
  ["{ a } }", /expected an operation/],
  ["query\n Q { a( }", /expected a name at line 2, column 9/],
  ["{ a() }", /expected a name/],
  ["{ a(b: ) }", /expected a value/],
  ["{ a(b: {c}) }", /expected ":"/],
  ["query ($a) { b }", /expected ":"/],
  ["query () { b }", /expected "\$"/],
  ["fragment on on T { a }", /expected the fragment's name/],
  ["fragment F in T { a }", /expected "on"/],
  ["type T { a: B }", /expected an operation/],
  ['{ a(b: ") }', /expected a GraphQL token at line 1, column 8/],
  ['{ a(b: """) }', /expected a GraphQL token/],
  ['{ a(b: "\\x") }', /expected a GraphQL token/],
  ['{ a(b: "\\ud83d") }', /expected a GraphQL token/],
  ['{ a(b: "\\u{D83D}") }', /expected a GraphQL token/],
  ["{ a(b: 01) }", /expected a GraphQL token/],
  ["{ a(b: 1.) }", /expected a GraphQL token/],
  ["{ a(b: 1a) }", /expected a GraphQL token/],
  ["{ a\u00a0b }", /expected a GraphQL token/],
  ["{ a ? }", /expected a GraphQL token/],
  ['{ a(b: "\ud800") }', /unpaired surrogate/],
  ["{a".repeat(300), /nested deeper than 200/],
  [`{ a(b: ${"[".repeat(300)}`, /nested deeper than 200/],
];
for (const [document, why] of faults) {
  test(`${JSON.stringify(document.slice(0, 40))} is refused before it is sent: ${why.source}`, () => {
    assert.throws(() => parseDocument(document), { name: "InvalidMessage", message: why });
  });
}

test("a document of any size and content is parsed quickly", () => {
  const pieces = fc.constantFrom('"', '"""', "\\", "{", "}", "#", "\n", "query", " ", "(", "a", ":", "...", "1");
  const tried = (document: string): void => {
    try {
      parseDocument(document);
    } catch (error) {
      assert.equal((error as Error).name, "InvalidMessage");
    }
  };
  fc.assert(fc.property(fc.array(pieces, { maxLength: 50 }), (parts) => tried(parts.join(""))));
  const began = performance.now();
  for (const piece of ['"""\\', '"""\\"', '"\\', "\\\\", '"" ', '"""" ', "a ", "1", "#", ","]) {
    tried(piece.repeat(250_000));
    tried(`{a(b:${piece.repeat(250_000)}`);
    tried(`{a(b:"""${piece.repeat(250_000)}`);
  }
  const took = performance.now() - began;
  assert.ok(took < 20_000, `${took} ms: quadratic would be hours`);
});

test("a subscribe frame has the request as it was written", () => {
  const body = ' {"query":"query Q { a }", "variables":{"big":9007199254740993.0} } ';
  const frame = subscribeFrame(body);
  assert.equal(frame, `{"type":"subscribe","payload":${body.trim()}}`);
  assert.equal(subscribeFrame(new TextEncoder().encode(body)), frame);
});

test("a body that is not a GraphQL request is refused with the reason", () => {
  const rest = '"query":"{a}"';
  for (const [body, message] of [
    ["", /not usable JSON/],
    ["[]", /is an object/],
    ["{}", /"query" is missing/],
    ['{"query":7}', /"query" must be a string, not a number/],
    ['{"query":null}', /"query" must be a string, not null/],
    [`{${rest},"variables":[]}`, /"variables" must be an object, not an array/],
    [`{${rest},"extensions":"x"}`, /"extensions" must be an object, not a string/],
    [`{${rest},"operationName":1}`, /"operationName" must be a string, not a number/],
    [`{${rest},"variables":{},"variables":[]}`, /"variables" occurs twice/],
  ] as const) {
    assert.throws(() => operationOf(subscribeFrame(body)), { name: "InvalidMessage", message }, body);
  }
  assert.equal(
    operationOf(subscribeFrame(`{${rest},"variables":null,"extensions":null,"operationName":null}`)),
    "query",
  );
  for (const frame of ["{}", '{"type":"ping"}', '{"type":"subscribe"}', "7"]) {
    assert.throws(() => operationOf(frame), { message: /a request is \{ "type": "subscribe"/ });
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

test("a reply with no result or several is refused", () => {
  const whys: readonly (readonly [string, RegExp])[] = [
    [`[${complete}]`, /without a result/],
    [`[${next("{}")},${next("{}")},${complete}]`, /2 results/],
    ["{}", /not an array of frames/],
    ["nonsense", /not an array of frames/],
  ];
  for (const [reply, why] of whys) {
    const result = graphqlResult(reply);
    assert.match("why" in result ? result.why : "", why);
  }
});
