/** Tests of the places of ids: elements of arrays, lists of places, and places with a condition. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { withAnswers } from "../../src/protocols/answers.ts";
import { type JsonOptions, json } from "../../src/protocols/json.ts";
import { preset } from "../../src/protocols/presets.ts";
import { type Decoded, InvalidMessage, type Protocol, type SendRoute } from "../../src/protocols/protocol.ts";
import { arrayText, jsonText, woundedText } from "./json-samples.ts";

const OURS = 4711;

/** Builds the protocol from what a configuration has. */
function configured(options: object): Protocol {
  const settings = upstreamSchema.parse({ url: "wss://example.org/", protocol: { preset: "json", ...options } });
  assert.ok(typeof settings.protocol === "object");
  const protocol = preset(settings.protocol)?.protocol;
  assert.ok(typeof protocol === "object");
  return withAnswers(protocol, settings.protocol.answers);
}

function sent(protocol: Protocol, message: string, route: SendRoute = "request") {
  return protocol.encode(message, OURS, route);
}

/** The frame as a caller gets it, or its kind if no caller does. */
function heard(protocol: Protocol, frame: string, own?: unknown): string {
  const decoded = protocol.decode(frame);
  return decoded.type === "reply" || decoded.type === "part" ? String(decoded.render(own)) : decoded.type;
}

function refused(why: RegExp) {
  return (error: unknown) => error instanceof InvalidMessage && error.kind === "shape" && why.test(error.message);
}

const arrays: JsonOptions = { id: { out: "/1", in: "/1", kind: "string" } };

describe("an id in an array", () => {
  test("takes the place of whatever the caller wrote there, which comes back byte for byte", () => {
    const scalar = jsonText.filter((text) => !/^\s*[[{]/.test(text));
    fc.assert(
      fc.property(scalar, fc.array(jsonText, { maxLength: 3 }), (own, rest) => {
        const message = `[${["2", own, ...rest].join(",")}]`;
        const { frame, own: kept } = sent(json(arrays), message);
        assert.deepEqual(JSON.parse(String(frame)), [2, String(OURS), ...rest.map((text) => JSON.parse(text))]);
        assert.equal(heard(json(arrays), String(frame), kept), message);
      }),
    );
  });

  test("never makes decode throw, whatever comes", () => {
    const protocol = json(arrays);
    fc.assert(fc.property(fc.oneof(arrayText, woundedText), (frame) => void protocol.decode(frame)));
  });

  for (const [message, why] of [
    ["[2]", /no id can be placed at "\/1": the array has no such element; null will do/],
    ['["EVENT",{"kind":1}]', /the message has an object at "\/1", where its id must be/],
    ['{"1":2}', /the message must be an array, not an object/],
    ["7", /must be an array, not a number/],
  ] as const) {
    test(`has no place in ${message}`, () => {
      assert.throws(() => sent(json(arrays), message), refused(why));
    });
  }

  test("is left alone where a message that expects no reply has content in its place", () => {
    for (const message of ['["EVENT",{"kind":1}]', '["AUTH"]'])
      assert.deepEqual(sent(json(arrays), message, "send"), { frame: message, expectsReply: false });
  });

  test("is put into frames of the configuration, and not over their content", () => {
    const { adopt } = json(arrays);
    assert.deepEqual(adopt?.('["REQ","$id"]', 7), { frame: '["REQ","7"]', own: '"$id"' });
    assert.equal(adopt?.('["EVENT",{}]', 7), undefined);
    assert.equal(adopt?.('["NOTICE"]', 7), undefined);
  });
});

describe("of several places", () => {
  const several = json({ id: { out: ["/req_id", "/meta/id"], in: ["/echo_req/id", "/id", "/meta/id"] } });

  test("the first that is there has a message's id; where none is, the first takes it", () => {
    assert.equal(sent(several, '{"a":1}').frame, '{"req_id":4711,"a":1}');
    assert.equal(sent(several, '{"meta":{"id":"x"}}').frame, '{"meta":{"id":4711}}');
    assert.equal(sent(several, '{"req_id":1,"meta":{"id":2}}').frame, '{"req_id":4711,"meta":{"id":2}}');
    assert.equal(sent(several, '{"meta":7}').frame, '{"req_id":4711,"meta":7}');
  });

  test("the first with an id of ours has a reply's", () => {
    assert.equal(heard(several, '{"id":4711,"v":1}', '"x"'), '{"id":"x","v":1}');
    assert.equal(heard(several, '{"echo_req":{"id":4711},"id":"theirs"}', "1"), '{"echo_req":{"id":1},"id":"theirs"}');
    assert.equal(heard(several, '{"echo_req":{"id":"theirs"},"id":4711}', "1"), '{"echo_req":{"id":"theirs"},"id":1}');
    assert.equal(heard(several, '{"echo_req":{"id":"theirs"}}'), "message");
    assert.equal(heard(several, '{"id":1,"id":2,"meta":{"id":4711}}'), "noise");
  });

  test("one with a condition is there only in messages that meet it", () => {
    const when = (type: string) => ({ match: { "/type": type } });
    const out = [
      { at: "/call", when: when("call") },
      { at: "/ask", when: when("ask") },
    ];
    const protocol = json({ id: { out, in: [{ at: "/call", when: { lacks: ["/other"] } }, "/other"] } });
    assert.equal(sent(protocol, '{"type":"ask"}').frame, '{"ask":4711,"type":"ask"}');
    assert.throws(() => sent(protocol, '{"type":"tell"}'), refused(/meets no condition of "\/call" or "\/ask"/));
    assert.deepEqual(sent(protocol, '{"type":"tell"}', "send"), { frame: '{"type":"tell"}', expectsReply: false });
    assert.equal(heard(protocol, '{"call":1,"other":4711}', "5"), '{"call":1,"other":5}');
  });
});

/** Dialects of arrays as a configuration describes them: their requests, and what each frame is. */
interface Dialect {
  readonly options: object;
  readonly request: readonly [message: string, onTheWire: string];
  readonly frames: readonly (readonly [frame: string, is: string, own?: string])[];
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "OCPP 1.6": {
    options: {
      id: { out: "/1", in: "/1", kind: "string" },
      reply: { any: [{ match: { "/0": 3 } }, { match: { "/0": 4 } }] },
      answers: [
        {
          when: { match: { "/0": 2, "/2": "Heartbeat" } },
          send: [3, null, { currentTime: "now" }],
          copy: { "/1": "/1" },
        },
      ],
    },
    request: ['[2,"mine","Reset",{"type":"Soft"}]', '[2,"4711","Reset",{"type":"Soft"}]'],
    frames: [
      ['[3,"4711",{"status":"Accepted"}]', '[3,"mine",{"status":"Accepted"}]', '"mine"'],
      ['[4,"4711","NotSupported","no",{}]', '[4,null,"NotSupported","no",{}]', "null"],
      ['[2,"4711","StatusNotification",{}]', "message"],
      ['[2,"c-1","Heartbeat",{}]', '[3,"c-1",{"currentTime":"now"}]'],
    ],
  },
  "Phoenix 2": {
    options: { id: { out: "/1", in: "/1", kind: "string" }, reply: { match: { "/3": "phx_reply" } } },
    request: ['["1",null,"room:1","phx_join",{}]', '["1","4711","room:1","phx_join",{}]'],
    frames: [
      ['["1","4711","room:1","phx_reply",{"status":"ok"}]', '["1",null,"room:1","phx_reply",{"status":"ok"}]', "null"],
      ['["1",null,"room:1","shout",{"body":"hi"}]', "message"],
      ['["1","4711","room:1","phx_close",{}]', "message"],
    ],
  },
  WAMP: {
    options: {
      id: {
        out: { at: "/1", when: { not: { any: [{ match: { "/0": 1 } }, { match: { "/0": 5 } }] } } },
        in: [{ at: "/2", when: { match: { "/0": 8 } } }, "/1"],
      },
      reply: { any: [8, 17, 33, 35, 50, 65, 67].map((type) => ({ match: { "/0": type } })) },
    },
    request: ['[48,1,{},"add",[1,2]]', '[48,4711,{},"add",[1,2]]'],
    frames: [
      ["[50,4711,{},[3]]", "[50,1,{},[3]]", "1"],
      ['[8,48,4711,{},"wamp.error.no_such_procedure"]', '[8,48,1,{},"wamp.error.no_such_procedure"]', "1"],
      ["[36,4711,9,{},[7]]", "message"],
      ["[68,4711,9,{}]", "message"],
      ["[2,4711,{}]", "message"],
    ],
  },
  Nostr: {
    options: {
      id: { out: { at: "/1", when: { match: { "/0": "REQ" } } }, in: "/1", kind: "string" },
      final: [{ match: { "/0": "EOSE" } }, { match: { "/0": "CLOSED" } }],
      collect: {},
    },
    request: ['["REQ","mine",{"kinds":[1]}]', '["REQ","4711",{"kinds":[1]}]'],
    frames: [
      ['["EVENT","4711",{"kind":1}]', '["EVENT","mine",{"kind":1}]', '"mine"'],
      ['["EOSE","4711"]', '["EOSE","mine"]', '"mine"'],
      ['["OK","abc",true,""]', "message"],
      ['["NOTICE","slow down"]', "message"],
    ],
  },
};

for (const [name, { options, request, frames }] of Object.entries(DIALECTS)) {
  describe(`${name}, by configuration`, () => {
    const protocol = configured(options);

    test(`a request goes out as ${request[1]}`, () => assert.equal(sent(protocol, request[0]).frame, request[1]));

    for (const [frame, is, own] of frames) {
      test(`${frame} is ${is}`, () => {
        const decoded: Decoded = protocol.decode(frame);
        assert.equal(decoded.type === "answer" ? decoded.frame : heard(protocol, frame, own), is);
      });
    }
  });
}

test("WAMP's hello keeps its realm, also when it is sent by the greeting", () => {
  const protocol = configured(DIALECTS.WAMP?.options ?? {});
  assert.equal(protocol.adopt?.('[1,"realm1",{}]', 7), undefined);
  assert.deepEqual(sent(protocol, '[1,"realm1",{}]', "send"), { frame: '[1,"realm1",{}]', expectsReply: false });
});

const SEED = "0f8fad5b-d9cb-469f-a165-70867728950e";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("an id of kind uuid", () => {
  const protocol = json({ id: { kind: "uuid" } }, "json", SEED);

  test("is a UUID, whatever its number, and leads back to it, also in capitals", () => {
    fc.assert(
      fc.property(fc.nat({ max: protocol.maxId }), fc.boolean(), (number, capitals) => {
        const { frame } = protocol.encode('{"id":"mine"}', number, "request");
        const { id } = JSON.parse(String(frame)) as { id: string };
        assert.match(id, UUID);
        const decoded = protocol.decode(JSON.stringify({ id: capitals ? id.toUpperCase() : id }));
        assert.ok(decoded.type === "reply");
        assert.deepEqual([decoded.id, decoded.render('"mine"')], [number, '{"id":"mine"}']);
      }),
    );
  });

  test("is none of another process, and no other text", () => {
    const other = json({ id: { kind: "uuid" } }, "json", "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    assert.equal(protocol.decode(other.encode("{}", 1, "request").frame).type, "message");
    for (const id of ["", "1", SEED.slice(0, 24), `${SEED.slice(0, 24)}00000000000g`, `${SEED}0`])
      assert.equal(protocol.decode(JSON.stringify({ id })).type, "message", id);
  });
});

test("an id of kind string may begin with a prefix", () => {
  const protocol = json({ id: { kind: "string", prefix: 'a"-' } });
  assert.equal(sent(protocol, "{}").frame, '{"id":"a\\"-4711"}');
  assert.equal(heard(protocol, '{"id":"a\\"-4711"}', "1"), '{"id":1}');
  for (const id of ["4711", 'a"-04711', 'a"-', 'b"-4711']) {
    assert.equal(heard(protocol, JSON.stringify({ id })), "message", id);
  }
});

describe("a reply that repeats the id", () => {
  const protocol = json({ id: { echo: ["/request/id", "/request/ids/0"] } });
  const echo = '{"id":4711,"request":{"id":4711,"command":"c","ids":[4711,2]}}';

  test("has the caller's in all of the places", () => {
    assert.equal(heard(protocol, echo, '"x"'), '{"id":"x","request":{"id":"x","command":"c","ids":["x",2]}}');
    assert.equal(heard(protocol, echo), '{"request":{"command":"c","ids":[null,2]}}');
  });

  test("keeps what is there and is not ours", () => {
    const other = '{"id":4711,"request":{"id":4712,"ids":"4711"}}';
    assert.equal(heard(protocol, other, "1"), '{"id":1,"request":{"id":4712,"ids":"4711"}}');
    assert.equal(heard(protocol, '{"id":4711}', "1"), '{"id":1}');
  });
});

test("the frame that ends a request has its id as it is on the wire", () => {
  const ended = (options: object) => configured(options).cancel?.(7);
  assert.equal(ended({ cancel: { type: "stop", of: "$id" } }), '{"type":"stop","of":7}');
  assert.equal(ended({ id: { out: "/1", in: "/1", kind: "string" }, cancel: ["CLOSE", "$id"] }), '["CLOSE","7"]');
  assert.equal(configured({ id: { kind: "keep" }, cancel: { of: "$id" } }).cancel?.('"x"'), '{"of":"x"}');
  assert.equal(ended({}), undefined);
  const cancel = { type: "stop" };
  const wrong = upstreamSchema.safeParse({ url: "wss://example.org/", protocol: { preset: "json", cancel } });
  assert.match(wrong.error?.issues[0]?.message ?? "", /must have \$id/);
});

test("a prefix and an echo are refused where they mean nothing", () => {
  const paths = (id: object) => issuesOf(id).map(({ path }) => path.at(-1));
  assert.deepEqual(paths({ prefix: "a" }), ["prefix"]);
  assert.deepEqual(paths({ kind: "keep", echo: ["/request/id"] }), ["echo"]);
  assert.deepEqual(paths({ kind: "string", prefix: "a", echo: ["/request/id"] }), []);
});

function issuesOf(id: object) {
  const settings = { url: "wss://example.org/", protocol: { preset: "json", id } };
  return upstreamSchema.safeParse(settings).error?.issues ?? [];
}

test("a wrong place is refused with what is possible", () => {
  for (const id of [{ out: "1" }, { in: [] }, { in: { when: { has: ["/a"] } } }, { out: [7] }])
    assert.ok(issuesOf(id).length > 0, JSON.stringify(id));
  assert.deepEqual(issuesOf({ out: ["/a", { at: "/b", when: { match: { "/c": 1 } } }], in: "/0/x" }), []);
});
