/** Tests of GraphQL documents, frames and results. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { graphqlResult, graphqlStep, operationOf, subscribeFrame } from "../../src/protocols/graphql.ts";
import { parseDocument } from "../../src/protocols/graphql-document.ts";
import { readFrame } from "../../src/protocols/json-message.ts";

const operation = (query: string, operationName?: string) =>
  operationOf(subscribeFrame(JSON.stringify({ query, operationName })))?.kind;

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

const inParts: readonly (readonly [document: string, name: string | undefined, inParts: boolean])[] = [
  ["{ a ... @defer { b } }", undefined, true],
  ["{ a @stream(initialCount: 1) }", undefined, true],
  ["query ($v: Boolean) { a ... @defer(if: $v) { b } }", undefined, true],
  ['{ ... @defer(label: "if: false", if: true) { b } }', undefined, true],
  ['{ ... @defer(label: "x", if: false) { b } a @stream(if: false) }', undefined, false],
  ["{ ... @defer(if: false) { b @stream } }", undefined, true],
  ['{ defer stream @include(if: false) a(b: "@defer") # @stream\n}', undefined, false],
  ["query Q { a } query R { ... @defer { b } }", "Q", false],
  ["query Q { a } query R { ... @defer { b } }", "R", true],
  [
    "query Q { ...F } query R { ...H } fragment F on T { ...G } fragment G on T { a @stream } fragment H on T { a }",
    "Q",
    true,
  ],
  [
    "query Q { ...F } query R { ...H } fragment F on T { ...G } fragment G on T { a @stream } fragment H on T { a }",
    "R",
    false,
  ],
  ["{ ...F } fragment F on T { ...G } fragment G on T { ...F ...N }", undefined, false],
  ["{ ...F } fragment F on T { ...G } fragment G on T { ...F ... @defer { a } }", undefined, true],
];
for (const [document, name, expected] of inParts) {
  test(`the result of ${JSON.stringify(document)}, ${name ?? "its operation"}, is ${expected ? "" : "not "}in parts`, () => {
    assert.equal(
      operationOf(subscribeFrame(JSON.stringify({ query: document, operationName: name })))?.inParts,
      expected,
    );
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
  const chain = Array.from({ length: 10_000 }, (_, at) => `fragment F${at} on T { ...F${at + 1} ...F0 }`).join(" ");
  const operations = Array.from({ length: 10_000 }, (_, at) => `query Q${at} { ...F${at} }`).join(" ");
  assert.equal(parseDocument(`${operations} ${chain} fragment F10000 on T { a @stream }`)[0]?.inParts, true);
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
    operationOf(subscribeFrame(`{${rest},"variables":null,"extensions":null,"operationName":null}`))?.kind,
    "query",
  );
  for (const frame of ["{}", '{"type":"ping"}', '{"type":"subscribe"}', "7"]) {
    assert.throws(() => operationOf(frame), { message: /a request is \{ "type": "subscribe"/ });
  }
});

const next = (payload: string): string => `{"type":"next","payload":${payload}}`;
const complete = '{"type":"complete"}';

const stepOf = (frame: string) => graphqlStep(readFrame(frame));

test("a result says if more parts follow it, and its first part in which format they are", () => {
  for (const [payload, hasNext, format] of [
    ['{"data":{"hasNext":true},"hasNext":false}', false, "deferSpec=20220824"],
    ['{"hasNext":true,"data":{"pending":[]}}', true, "deferSpec=20220824"],
    ['{"data":{},"pending":[{"id":"0","path":[]}],"hasNext":true}', true, "incrementalSpec=v0.2"],
    ['{"data":{},"hasNext":false,"hasNext":true}', true, "deferSpec=20220824"],
    ['{"data":{}}', undefined, "deferSpec=20220824"],
    ['{"data":{},"hasNext":"true"}', undefined, "deferSpec=20220824"],
    ['{"data":{},"hasNext":null}', undefined, "deferSpec=20220824"],
    ["null", undefined, "deferSpec=20220824"],
  ] as const) {
    assert.deepEqual(stepOf(next(payload)), { result: payload, last: false, hasNext, format }, payload);
  }
});

test("every frame but a result is the last, and an error has its errors", () => {
  const none = { hasNext: undefined, format: "deferSpec=20220824" };
  for (const [frame, result, last] of [
    [complete, undefined, true],
    ['{"type":"error","payload":[{"message":"m"}]}', '{"errors":[{"message":"m"}]}', true],
    ['{"type":"error"}', '{"errors":[]}', true],
    ['{"type":"next"}', undefined, false],
    ["[]", undefined, true],
    ["{", undefined, false],
  ] as const) {
    assert.deepEqual(stepOf(frame), { result, last, ...none }, frame);
  }
});

test("the result of an operation is its one payload, as it was written", () => {
  const of = (...frames: string[]) => graphqlResult(readFrame(`[${frames.join(",")}]`));
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
    const result = graphqlResult(readFrame(reply));
    assert.match("why" in result ? result.why : "", why);
  }
});
