/** Tests of the ids of messages to which nobody awaits a reply: `/send`, in every preset. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { json } from "../../src/protocols/json.ts";
import { jsonRpc } from "../../src/protocols/json-rpc.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { fromModule } from "../../src/protocols/module.ts";
import { preset } from "../../src/protocols/presets.ts";
import { InvalidMessage, type Protocol } from "../../src/protocols/protocol.ts";
import { text } from "../../src/protocols/text.ts";
import { textIds } from "../../src/protocols/text-ids.ts";
import { jsonText } from "./json-samples.ts";

await preparePatterns({ text: "" });

const OURS = 4711;
const tagged = textIds({ id: { out: "<$id> $message!", in: "^(?<cut><(?<id>\\d+)>)" } });
const trailing = textIds({ id: { out: "$message#$id", in: "(?<cut>#(?<id>\\d+))$" } });
const found = textIds({ id: { out: "^#(?<id>\\w+) ", in: "^#(?<id>\\d+) " } });
const kept = json({ id: { kind: "keep" } });
const named = (name: string): Protocol => {
  const protocol = preset(name)?.protocol;
  assert.ok(typeof protocol === "object");
  return protocol;
};

/** Messages as they are written, and as they go out. */
const table: readonly (readonly [protocol: Protocol, written: string, sent: string])[] = [
  [jsonRpc, ' {"jsonrpc":"2.0","method":"m"} ', ' {"jsonrpc":"2.0","method":"m"} '],
  [jsonRpc, '{"jsonrpc":"2.0","id":"x","method":"m"}', '{"jsonrpc":"2.0","id":4711,"method":"m"}'],
  [jsonRpc, ' {"id" : 1e0,"result":[ ]} ', ' {"id" : 1e0,"result":[ ]} '],
  [jsonRpc, '{"jsonrpc":"2.0","id":"4711","error":{}}', '{"jsonrpc":"2.0","id":"4711","error":{}}'],
  [jsonRpc, '{"id":null,"error":{"code":-32700}}', '{"id":null,"error":{"code":-32700}}'],
  // With a method it is a request, whatever else it has.
  [jsonRpc, '{"jsonrpc":"2.0","id":1,"method":"m","result":1}', '{"jsonrpc":"2.0","id":4711,"method":"m","result":1}'],
  [json(), ' {"type":"note"} ', ' {"type":"note"} '],
  [json(), '{"id":1,"type":"get"}', '{"id":4711,"type":"get"}'],
  [json({ id: { out: "/meta/req" } }), '{"meta":7}', '{"meta":7}'],
  [kept, '{"type":"note"}', '{"type":"note"}'],
  [kept, '{"id":"a"}', '{"id":"a"}'],
  [tagged, "note", "note"],
  [tagged, "<7> note!", "<4711> note!"],
  [tagged, "<7> note", "<7> note"],
  [tagged, "<7>!", "<7>!"],
  [trailing, "note", "note"],
  [trailing, "note#12", "note#4711"],
  [trailing, "12", "12"],
  [found, "note", "note"],
  [found, "#abc note", "#4711 note"],
  [text, "#7 note", "#7 note"],
  // The upstreams of these take no message without an id.
  [named("cdp"), '{"method":"m"}', '{"id":4711,"method":"m"}'],
  [named("home-assistant"), '{"type":"m"}', '{"id":4711,"type":"m"}'],
  [named("obs"), '{"op":6,"d":{}}', '{"op":6,"d":{"requestId":"4711"}}'],
];

for (const [protocol, written, sent] of table) {
  test(`${protocol.name}: ${written} is sent as ${sent}`, () => {
    assert.equal(protocol.encode(written, OURS, "send").frame, sent);
  });
}

test("no message gets an id that its caller did not write", () => {
  for (const protocol of [jsonRpc, json(), json({ id: { kind: "increasing" } }), kept]) {
    fc.assert(
      fc.property(jsonText, (message) => {
        if (!message.trimStart().startsWith("{") || /"id"|\\u/.test(message)) return;
        try {
          assert.equal(protocol.encode(message, OURS, "send").frame, message);
        } catch (error) {
          assert.ok(error instanceof InvalidMessage, String(error));
        }
      }),
    );
  }
});

test("a response that is none is refused, and so is one to which a reply is awaited", () => {
  const refused = (message: string, why: RegExp, route: "send" | "request" | "rpc" = "send") =>
    assert.throws(() => jsonRpc.encode(message, OURS, route), { kind: "shape", message: why });
  refused('{"jsonrpc":"2.0","result":1}', /^"id" is missing: a response has that of the upstream's request/);
  refused('{"id":1,"result":1,"error":{}}', /^a response has "result" or "error", not both/);
  refused('{"id":1,"id":1,"result":1}', /^"id" occurs twice/);
  refused('{"id":[1],"result":1}', /^"id" must be a string, a number or null/);
  refused('{"jsonrpc":"2.0","id":1,"result":1}', /^the message is a response, .* \/send/, "request");
  refused('{"jsonrpc":"2.0","id":1,"result":1}', /^"method" is missing/, "rpc");
});

test("a module learns of a message without a reply what it always did", () => {
  const modes: unknown[] = [];
  const encode = (frame: string, _id: number, mode: unknown) => {
    modes.push(mode);
    return { frame };
  };
  const module = fromModule({ default: { name: "m", encode, decode: () => ({ type: "message" }) } });
  for (const route of ["request", "rpc", "send"] as const) module.encode("{}", 1, route);
  assert.deepEqual(modes, ["request", "rpc", "rpc"]);
});

test("a text is searched for a template's id in linear time", () => {
  const digits = textIds({ id: { out: "$message$id", in: "(?<id>\\d+)$" } });
  const long = "1".repeat(1_000_000);
  assert.equal(digits.encode(`${long}x`, OURS, "send").frame, `${long}x`);
  assert.equal(digits.encode(`x${long}`, OURS, "send").frame, `x${OURS}`);
});
