/** The dialects of servers that ask, too: what they answer by themselves, and what they leave to callers. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import { type PresetSettings, preset } from "../../../src/protocols/presets.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";

const protocolOf = (settings: PresetSettings): Protocol => preset(settings)?.protocol as Protocol;

const asked = (method: string, params?: unknown, id: unknown = "s-1") =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });

/** The answer to a request of the server; undefined if it is left to callers. */
function answerOf(protocol: Protocol, frame: string): unknown {
  const decoded = protocol.decode(frame);
  if (decoded.type === "answer") return JSON.parse(String(decoded.frame));
  assert.deepEqual(decoded, { type: "message", json: true, wantsReply: true });
  return undefined;
}

const greetingOf = (protocol: PresetSettings) =>
  upstreamSchema.parse({ url: "ws://127.0.0.1/", protocol }).greeting.map(({ send }) => send);

const refusalOf = (protocol: object) =>
  upstreamSchema.safeParse({ url: "ws://127.0.0.1/", protocol }).error?.issues[0]?.message;

describe("lsp", () => {
  const settings = { python: { analysis: { mode: "strict" }, path: null }, "a.b": 1 };
  const configured = protocolOf({ preset: "lsp", settings: JSON.stringify(settings) });
  const configuration = (items: readonly unknown[], id?: unknown) => asked("workspace/configuration", { items }, id);

  test("registrations and progress are acknowledged, and everything else waits for a caller", () => {
    const plain = protocolOf({ preset: "lsp" });
    for (const method of [
      "client/registerCapability",
      "client/unregisterCapability",
      "window/workDoneProgress/create",
    ]) {
      assert.deepEqual(answerOf(plain, asked(method, {}, 7)), { jsonrpc: "2.0", id: 7, result: null });
    }
    for (const method of ["workspace/configuration", "window/showMessageRequest", "workspace/applyEdit"]) {
      assert.equal(answerOf(plain, asked(method, { items: [{}] })), undefined);
    }
    assert.equal(plain.decode('{"jsonrpc":"2.0","method":"client/registerCapability"}').type, "message");
  });

  test("a server gets the part of the settings for each of its sections, null for one that is not there", () => {
    const items = ["python.analysis", "python.path", "python.path.x", "python.nothing", "constructor", "a.b"];
    const sections = [...items.map((section) => ({ section })), { scopeUri: "file:///a" }, { section: "" }];
    const result = [{ mode: "strict" }, null, null, null, null, null, settings, settings];
    assert.deepEqual(answerOf(configured, configuration(sections)), { jsonrpc: "2.0", id: "s-1", result });
    assert.deepEqual(answerOf(configured, configuration([], 3)), { jsonrpc: "2.0", id: 3, result: [] });
  });

  test("a request for settings that is none, or for too many, waits for a caller", () => {
    const many = Array.from({ length: 1_001 }, () => ({}));
    for (const params of [undefined, {}, { items: {} }, { items: many }]) {
      assert.equal(answerOf(configured, asked("workspace/configuration", params)), undefined);
    }
    assert.notEqual(answerOf(configured, configuration(many.slice(1))), undefined);
  });

  test("a request for more settings than can be answered at once waits for a caller", () => {
    const large = protocolOf({ preset: "lsp", settings: JSON.stringify({ text: "x".repeat(8_000) }) });
    const items = (count: number) => configuration(Array.from({ length: count }, () => ({})));
    assert.notEqual(answerOf(large, items(30)), undefined);
    assert.equal(answerOf(large, items(40)), undefined);
  });

  test("any section has an answer with one value for each item, and the id as it was written", () => {
    const item = fc.oneof(fc.record({ section: fc.string() }), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(item, { maxLength: 5 }), fc.oneof(fc.string(), fc.maxSafeNat()), (items, id) => {
        const answer = answerOf(configured, configuration(items, id)) as { readonly result: readonly unknown[] };
        assert.deepEqual({ ...answer, result: answer.result.length }, { jsonrpc: "2.0", id, result: items.length });
      }),
    );
  });

  test("a caller who leaves has its request cancelled", () => {
    const frame = protocolOf({ preset: "lsp" }).cancel?.(7);
    assert.equal(frame, '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7}}');
  });

  test("the greeting has what the options say, and settings only if there are some", () => {
    const [initialize, ...others] = greetingOf({ preset: "lsp" });
    assert.deepEqual(initialize, {
      jsonrpc: "2.0",
      id: "initialize",
      method: "initialize",
      params: {
        processId: null,
        clientInfo: { name: "sidesocket" },
        rootUri: null,
        workspaceFolders: null,
        capabilities: {
          workspace: { configuration: false },
          window: { workDoneProgress: true },
          textDocument: { publishDiagnostics: {} },
        },
      },
    });
    assert.deepEqual(others, [{ jsonrpc: "2.0", method: "initialized", params: {} }]);
    const options = { root: "file:///a", capabilities: '{"b":{}}', options: '{"c":1}', settings: '{"d":2}' };
    const [all, , changed] = greetingOf({ preset: "lsp", ...options }) as { readonly params: object }[];
    const expected = { rootUri: "file:///a", capabilities: { b: {} }, initializationOptions: { c: 1 } };
    const workspaceFolders = [{ uri: "file:///a", name: "file:///a" }];
    assert.deepEqual(all?.params, {
      processId: null,
      clientInfo: { name: "sidesocket" },
      workspaceFolders,
      ...expected,
    });
    assert.deepEqual(changed?.params, { settings: { d: 2 } });
  });

  test("an option that is no JSON object, or nests too deep for a message, is refused", () => {
    const deep = `{"a":${"[".repeat(56)}${"]".repeat(56)}}`;
    for (const settings of ["{", "[]", "null", '{"a":1} x', deep]) {
      assert.match(refusalOf({ preset: "lsp", settings }) ?? "", /must be a JSON object/, settings);
    }
    assert.equal(refusalOf({ preset: "lsp", settings: deep.replace("[[", "").replace("]]", "") }), undefined);
    assert.match(refusalOf({ preset: "lsp", root: "/srv" }) ?? "", /must be a URI/);
  });
});

describe("mcp", () => {
  const plain = protocolOf({ preset: "mcp" });

  test("a ping of the server is answered, and everything else waits for a caller", () => {
    assert.deepEqual(answerOf(plain, asked("ping", undefined, 7)), { jsonrpc: "2.0", id: 7, result: {} });
    for (const method of ["sampling/createMessage", "roots/list", "elicitation/create"]) {
      assert.equal(answerOf(plain, asked(method, {})), undefined);
    }
  });

  test("a caller who leaves has its request cancelled", () => {
    const { method, params } = JSON.parse(String(plain.cancel?.(7)));
    assert.deepEqual([method, params], ["notifications/cancelled", { requestId: 7, reason: "the caller has left" }]);
  });

  test("the greeting has what the options say, and the application is pinged", () => {
    const brought = upstreamSchema.parse({ url: "ws://127.0.0.1/", protocol: "mcp" });
    const [initialize, initialized] = brought.greeting.map(({ send }) => send) as { readonly params?: object }[];
    assert.deepEqual(
      { ...initialize?.params, clientInfo: 0 },
      {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: 0,
      },
    );
    assert.deepEqual(initialized, { jsonrpc: "2.0", method: "notifications/initialized" });
    assert.deepEqual(brought.subprotocols, ["mcp"]);
    assert.deepEqual([brought.keepalive.heartbeat?.every, brought.keepalive.heartbeat?.within], [30_000, 10_000]);
    const options = { version: "2024-11-05", capabilities: '{"roots":{}}' };
    const [other] = greetingOf({ preset: "mcp", ...options }) as { readonly params?: object }[];
    const given = { protocolVersion: "2024-11-05", capabilities: { roots: {} }, clientInfo: 0 };
    assert.deepEqual({ ...other?.params, clientInfo: 0 }, given);
    assert.match(refusalOf({ preset: "mcp", version: "1.0" }) ?? "", /must be a date/);
    assert.match(refusalOf({ preset: "mcp", capabilities: "[]" }) ?? "", /must be a JSON object/);
  });
});
