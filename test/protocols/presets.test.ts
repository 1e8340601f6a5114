/** Tests of the registry of presets, and of the `text` preset. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { preset, presetNames } from "../../src/protocols/presets.ts";
import { text } from "../../src/protocols/text.ts";

/** Options without which a preset cannot greet. */
const NEEDED: Readonly<Record<string, object>> = {
  "home-assistant": { token: "t" },
  "discord-gateway": { token: "t" },
  "gemini-live": { model: "m" },
};

/** Presets of services that speak JSON-RPC, for which `/rpc` and `rpc()` are there, too. */
const SPEAKING_JSON_RPC: readonly string[] = ["json-rpc", "aria2", "deribit", "lsp", "mcp", "mopidy"];

test("every preset is found by its name, and bears it, or that of JSON-RPC if it speaks that", () => {
  for (const name of presetNames) {
    const borne = SPEAKING_JSON_RPC.includes(name) ? "json-rpc" : name;
    assert.equal(preset(name)?.protocol.name, borne);
    // TypeScript gives up on an object of so many kinds.
    assert.equal(preset({ preset: name } as Parameters<typeof preset>[0])?.protocol.name, borne);
  }
});

test("the configuration's schema accepts every preset, by name and with settings, and no other", () => {
  for (const name of presetNames) {
    const given = { preset: name, ...NEEDED[name] };
    assert.ok(upstreamSchema.safeParse({ url: "wss://example.org/", protocol: given }).success, name);
    const bare = upstreamSchema.safeParse({ url: "wss://example.org/", protocol: name, greeting: [] });
    assert.ok(bare.success, name);
  }
  assert.ok(!upstreamSchema.safeParse({ url: "wss://example.org/", protocol: { preset: "mqtt" } }).success);
});

test("an unknown name has no preset, not even a name that Object inherits", () => {
  for (const name of ["", "./mine.js", "constructor", "__proto__", "toString"]) assert.equal(preset(name), undefined);
});

test("a preset takes its settings", () => {
  const protocol = preset({ preset: "json", id: { kind: "int32" } })?.protocol;
  assert.ok(typeof protocol === "object");
  assert.equal(protocol.maxId, 2147483647);
  assert.throws(() => preset({ preset: "json", id: { out: "id" } }), /is not a JSON pointer/);
});

test("text passes everything unchanged both ways, in order", () => {
  assert.deepEqual([text.correlation, text.accepts], ["order", "any"]);
  for (const body of ["line\n", "\ufeff", new Uint8Array([0, 255])]) {
    assert.equal(text.encode(body, 1, "request").frame, body);
    const decoded = text.decode(body);
    assert.ok(decoded.type === "reply");
    assert.equal(decoded.render(undefined), body);
  }
});

test("text refuses an empty body, but an empty frame is a reply", () => {
  for (const empty of ["", new Uint8Array()]) {
    assert.throws(() => text.encode(empty, 1, "request"), { kind: "shape", message: "the body is empty" });
    assert.equal(text.decode(empty).type, "reply");
  }
});
