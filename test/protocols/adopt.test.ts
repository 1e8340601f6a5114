/** Tests of ids in frames of the configuration: which frames of each protocol get one of ours, and what comes back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { cdp } from "../../src/protocols/cdp.ts";
import { graphqlTransportWs } from "../../src/protocols/graphql-transport-ws.ts";
import { homeAssistant } from "../../src/protocols/home-assistant.ts";
import { json } from "../../src/protocols/json.ts";
import { jsonRpc } from "../../src/protocols/json-rpc.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { fromModule } from "../../src/protocols/module.ts";
import { obs } from "../../src/protocols/obs.ts";
import type { Protocol } from "../../src/protocols/protocol.ts";
import { text } from "../../src/protocols/text.ts";
import { textIds } from "../../src/protocols/text-ids.ts";
import { answeringJson } from "./answering-json.ts";

await preparePatterns({ text: "" });

const ours = 4711;
const keep = json({ id: { kind: "keep" } });
const lines = textIds({ id: { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )" } });
const trailing = textIds({ id: { out: "($message) [$id]", in: "(?<cut>\\[(?<id>[0-9]+)\\])$" } });
const found = textIds({ id: { out: "^#(?<id>[a-z]+) ", in: "^#(?<id>[0-9]+) " } });

/** Each row: the protocol, the frame as written, the frame on the wire, its reply, and the reply with the written id. */
const adopted: readonly (readonly [Protocol, string, string, string, string])[] = [
  [jsonRpc, '{"id":1,"method":"a"}', '{"id":4711,"method":"a"}', '{"id":4711,"result":0}', '{"id":1,"result":0}'],
  [
    jsonRpc,
    '{"method":"a", "id": "beat"}',
    '{"method":"a", "id": 4711}',
    '{"id":4711.0,"error":{}}',
    '{"id":"beat","error":{}}',
  ],
  [jsonRpc, '{"id":null,"op":"login"}', '{"id":4711,"op":"login"}', '{"id":4711}', '{"id":null}'],
  [
    jsonRpc,
    '{"id":"$id","method":"a"}',
    '{"id":4711,"method":"a"}',
    '{"id":4711,"result":0}',
    '{"id":"$id","result":0}',
  ],
  [json(), '{"id":9007199254740993}', '{"id":4711}', '{"id":4711}', '{"id":9007199254740993}'],
  [json({ id: { kind: "string" } }), '{"id":{"a":1}}', '{"id":"4711"}', '{"id":"4711"}', '{"id":{"a":1}}'],
  [
    json({ id: { out: "/m/req", in: "/m/ref" } }),
    '{"m":{"req":"x"}}',
    '{"m":{"req":4711}}',
    '{"m":{"ref":4711}}',
    '{"m":{"ref":"x"}}',
  ],
  [keep, '{"id":"beat"}', '{"id":"beat"}', '{"id":"beat","ok":1}', '{"id":"beat","ok":1}'],
  [cdp().protocol as Protocol, '{"id":1,"method":"a"}', '{"id":4711,"method":"a"}', '{"id":4711}', '{"id":1}'],
  [
    homeAssistant({}).protocol as Protocol,
    '{"id":1,"type":"subscribe_events"}',
    '{"id":4711,"type":"subscribe_events"}',
    '{"id":4711,"type":"event"}',
    '{"id":1,"type":"event"}',
  ],
  [
    obs({}).protocol as Protocol,
    '{"op":6,"d":{"requestId":"stats"}}',
    '{"op":6,"d":{"requestId":"4711"}}',
    '{"op":7,"d":{"requestId":"4711"}}',
    '{"op":7,"d":{"requestId":"stats"}}',
  ],
  [
    graphqlTransportWs({}).protocol as Protocol,
    '{"id":"live","type":"subscribe"}',
    '{"id":"4711","type":"subscribe"}',
    '{"id":"4711","type":"next"}',
    '{"id":"live","type":"next"}',
  ],
  [lines, "#7 LOGIN me", "#4711 LOGIN me", "#4711 OK", "#7 OK"],
  [lines, "#$id LOGIN", "#4711 LOGIN", "#4711 OK", "#$id OK"],
  [trailing, "(beat) [1]", "(beat) [4711]", "OK [4711]", "OK [1]"],
  [found, "#beat PING", "#4711 PING", "#4711 PONG", "#beat PONG"],
];

for (const [protocol, written, wire, reply, restored] of adopted) {
  test(`${protocol.name}: ${written} goes out under our id, and its reply gets the written one back`, () => {
    const carried = protocol.adopt?.(written, ours) ?? assert.fail("it was not adopted");
    assert.equal(carried.frame, wire);
    const decoded = protocol.decode(reply);
    assert.ok("id" in decoded, JSON.stringify(decoded));
    assert.equal(decoded.id, carried.id ?? ours);
    assert.equal(decoded.render?.(carried.own), restored);
  });
}

test("a frame of the configuration that carries no id goes out as it is written", () => {
  const without: readonly (readonly [Protocol, string])[] = [
    [jsonRpc, '{"method":"subscribe"}'],
    [jsonRpc, '{"id":7,"result":"pong"}'],
    [jsonRpc, '{"id":7,"error":{}}'],
    [jsonRpc, '{"id":1,"id":2,"method":"a"}'],
    [jsonRpc, '[{"id":1,"method":"a"}]'],
    [jsonRpc, "PING"],
    [json(), '{"type":"hello"}'],
    [json(), "[1]"],
    [json({ id: { out: "/a/b" } }), '{"a":1}'],
    [keep, '{"id":null}'],
    [lines, "LOGIN me"],
    [lines, "#7"],
    [trailing, "beat [1]"],
    [found, "#7 PING"],
  ];
  for (const [protocol, frame] of without) assert.equal(protocol.adopt?.(frame, ours), undefined, frame);
  assert.equal(text.adopt, undefined);
});

/** Reports whether the answer to a frame gets an id of ours. */
function isAdopted(protocol: Protocol, frame: string): boolean {
  const decoded = protocol.decode(frame);
  assert.ok(decoded.type === "answer", JSON.stringify(decoded));
  return decoded.adopt === true;
}

test("an answer gets an id of ours unless it repeats the upstream's", () => {
  const when = { match: { "/type": "ask" } };
  const of = (rule: object) => answeringJson({ answers: [{ when, send: { id: 0, type: "tell" }, ...rule }] });
  const ask = '{"type":"ask","id":0}';
  assert.equal(isAdopted(of({}), ask), true);
  assert.equal(isAdopted(of({ send: '{"id":"x"}' }), ask), true);
  assert.equal(isAdopted(of({ copy: { "/id": "/id" } }), ask), false);
  assert.equal(isAdopted(of({ when: { match: { "/id": 0 } } }), ask), false);
  assert.equal(isAdopted(of({ send: { type: "tell" } }), ask), false);
  assert.equal(isAdopted(of({ send: "TELL" }), ask), false);
  const nested = answeringJson({
    id: { out: "/m/id", in: "/m/id" },
    answers: [{ when, send: { m: { id: 1 } }, copy: { "/m": "/m" } }],
  });
  assert.equal(isAdopted(nested, ask), false);
});

test("a caller cannot use the id that an answer carries, where callers' ids are on the wire", () => {
  const answers = [{ when: { match: { "/type": "ask" } }, send: { id: "a", type: "tell" } }];
  const protocol = answeringJson({ id: { kind: "keep" }, answers });
  assert.throws(() => protocol.encode('{"id":"\\u0061"}', 0, "request"), /in an answer: use another/);
  assert.equal(protocol.encode('{"id":"b"}', 0, "request").id, '"b"');
  assert.equal(protocol.encode('{"id":"a"}', 0, "rpc").id, '"a"');
});

test("a module's adopt is used if its result is usable; otherwise the frame goes out as it is", () => {
  const module = (adopt: unknown, more: object = {}) =>
    fromModule({ default: { name: "m", encode: () => ({ frame: "" }), decode: () => ({}), adopt, ...more } });
  assert.deepEqual(module((frame: string, id: number) => ({ frame: `${id}${frame}`, own: 1 })).adopt?.("x", 2), {
    frame: "2x",
    own: 1,
  });
  const unusable = [() => undefined, () => ({}), () => assert.fail("on purpose"), () => ({ frame: 1 })];
  for (const each of unusable) assert.equal(module(each).adopt?.("x", 2), undefined);
  assert.equal(module(undefined).adopt, undefined);
  const callers = { ids: "callers" };
  assert.equal(module(() => ({ frame: "x", own: 1 }), callers).adopt?.("x", 0), undefined);
  assert.equal(module(() => ({ frame: "x", id: "a" }), callers).adopt?.("x", 0)?.id, "a");
  assert.throws(() => module(1), /"adopt"/);
});

test("an answer can carry an id of its own and keep what it answers", () => {
  const rule = { when: { match: { "/type": "ask" } }, send: { id: 0 }, keep: true };
  const frame = '{"type":"ask"}';
  assert.deepEqual(answeringJson({ answers: [rule] }).decode(frame), {
    type: "answer",
    frame: '{"id":0}',
    adopt: true,
    keep: "json",
  });
});
