/** Tests of the dialects whose messages are arrays: WAMP, Nostr and OCPP, with frames from their public formats. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { preset } from "../../src/protocols/presets.ts";
import type { Decoded, Protocol } from "../../src/protocols/protocol.ts";

function protocolOf(name: "wamp" | "nostr" | "ocpp"): Protocol {
  const protocol = preset(name)?.protocol;
  assert.ok(typeof protocol === "object");
  return protocol;
}

const typeOf = (protocol: Protocol, frame: unknown): Decoded["type"] => protocol.decode(JSON.stringify(frame)).type;

describe("wamp", () => {
  const protocol = protocolOf("wamp");

  test("a progressive result is a part, and the last one ends the call", () => {
    assert.equal(typeOf(protocol, [50, 7, { progress: true }, [1]]), "part");
    assert.equal(typeOf(protocol, [50, 7, {}, [2]]), "reply");
    assert.equal(protocol.cancel?.(7), "[49,7,{}]");
  });

  test("an event, an invocation and what the router says besides are messages", () => {
    for (const frame of [
      [36, 7, 1, {}],
      [68, 7, 1, {}],
      [3, {}, "wamp.error.no_such_realm"],
    ])
      assert.equal(typeOf(protocol, frame), "message");
  });

  test("a goodbye is answered, kept, ends the session, and rotates the connection", () => {
    assert.equal(protocol.endsSession?.('[6,{},"wamp.close.system_shutdown"]'), true);
    assert.equal(protocol.endsSession?.("[36,7,1,{}]"), false);
    const goodbye = protocol.decode('[6,{},"wamp.close.system_shutdown"]');
    assert.ok(goodbye.type === "answer" && goodbye.keep === "json");
    assert.equal(goodbye.frame, '[6,{},"wamp.close.goodbye_and_out"]');
    assert.deepEqual(preset("wamp")?.rotate?.on, { any: [{ match: { "/0": 6 } }] });
  });

  test("an answer to an invocation is sent as it is, and a publication gets an id", () => {
    assert.equal(protocol.encode("[70,3,{},[5]]", 9, "send").frame, "[70,3,{},[5]]");
    assert.equal(protocol.encode('[16,null,{},"topic"]', 9, "send").frame, '[16,9,{},"topic"]');
    assert.throws(() => protocol.encode('[16,null,{},"topic"]', 9, "request"), /acknowledge/);
  });

  test("a password is a login by ticket, and a refusal ends either step", () => {
    const greeting = preset({ preset: "wamp", user: "me", password: "t" })?.greeting ?? [];
    const sent = greeting.map(({ send }) => send as readonly unknown[]);
    assert.deepEqual(
      sent.map(([kind]) => kind),
      [1, 5],
    );
    assert.equal(sent[1]?.[1], "t");
    for (const { expect } of greeting) assert.deepEqual(expect?.reject, { any: [{ match: { "/0": 3 } }] });
  });
});

describe("nostr", () => {
  const protocol = protocolOf("nostr");

  test("a question is closed at its end, and what is live is not", () => {
    const end = protocol.decode('["EOSE","q"]');
    assert.ok(end.type === "several");
    assert.deepEqual(end.results.at(-1), { type: "answer", frame: '["CLOSE","q"]', endsRequest: true });
    assert.equal(typeOf(protocol, ["EVENT", "q", {}]), "part");
    assert.equal(typeOf(protocol, ["EOSE", "live:q"]), "reply");
    assert.equal(typeOf(protocol, ["EVENT", "live:q", {}]), "message");
  });

  test("a notice and a challenge are messages", () => {
    for (const frame of [
      ["NOTICE", "q"],
      ["AUTH", "challenge"],
    ])
      assert.equal(typeOf(protocol, frame), "message");
  });

  test("a question that nobody reads is closed, and a publication is not", () => {
    assert.equal(protocol.cancel?.('"q"'), '["CLOSE","q"]');
    assert.equal(protocol.cancel?.(JSON.stringify("a".repeat(64))), undefined);
  });
});

describe("ocpp", () => {
  test("a call of the other side is a message, and its answer goes out as it is", () => {
    const protocol = protocolOf("ocpp");
    assert.equal(typeOf(protocol, [2, "theirs", "Reset", {}]), "message");
    assert.equal(protocol.encode('[3,"theirs",{}]', 9, "send").frame, '[3,"theirs",{}]');
  });
});
