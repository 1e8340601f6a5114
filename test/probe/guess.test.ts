/** The guess at a dialect: what connections showed, and what is proposed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { hintsFor, proposalsFor } from "../../src/probe/guess.ts";
import { type Look, OFFERS, SIGNS } from "../../src/probe/signs.ts";
import { preset, presetNames } from "../../src/protocols/presets.ts";

const look = (shown: Partial<Look> = {}): Look => ({
  url: "ws://127.0.0.1:1/socket",
  offered: undefined,
  open: true,
  subprotocol: "",
  frames: [],
  ...shown,
});
const agreeing = (name: string) => look({ offered: name, subprotocol: name });
const shown = (looks: readonly Look[]) => proposalsFor(looks).map(({ sureness, dialect }) => `${sureness}: ${dialect}`);

const frame = (value: unknown) => look({ frames: [JSON.stringify(value)] });
/** A path or a host says less than a frame: the server may be another one. */
const likely = (dialect: string) => [`likely: ${dialect}`, "possible: json-rpc"];

describe("a guess at", () => {
  const table: readonly (readonly [what: string, looks: readonly Look[], proposed: readonly string[]])[] = [
    ["auth_required", [look({ frames: ['{"type":"auth_required","ha_version":"1"}'] })], ["certain: home-assistant"]],
    ["another auth_required", [look({ frames: ['{"type":"auth_required"}'] })], ["likely: json"]],
    ["the hello of OBS", [look({ frames: ['{"op":0,"d":{"obsWebSocketVersion":"5"}}'] })], ["certain: obs"]],
    [
      "the hello of a gateway",
      [look({ frames: ['{"op":10,"d":{"heartbeat_interval":1}}'] })],
      ["certain: discord-gateway"],
    ],
    [
      "the hello of Slack",
      [look({ frames: ['{"type":"hello","num_connections":1}'] })],
      ["certain: slack-socket-mode"],
    ],
    ["a notification of JSON-RPC", [look({ frames: ['{"jsonrpc":"2.0","method":"a"}'] })], ["certain: json-rpc"]],
    ["the opening of Engine.IO", [look(), look({ frames: ['0{"sid":"a","pingInterval":1}'] })], ["certain: socket.io"]],
    ["a subprotocol of GraphQL", [look(), agreeing("graphql-transport-ws")], ["certain: graphql-transport-ws"]],
    ["a server that offers nothing", [look(), look({ offered: "mqtt", open: false })], ["possible: json-rpc"]],
    ["a server that agrees to everything", [look(), ...OFFERS.map(agreeing)], ["possible: json-rpc"]],
    ["a page of Chromium", [look({ url: "ws://a/devtools/page/1" })], ["likely: cdp", "possible: json-rpc"]],
    ["a kernel", [look({ url: "ws://a/api/kernels/k/channels" })], ["likely: jupyter", "possible: json-rpc"]],
    ["the session of a realtime AI", [frame({ type: "session.created", session: {} })], ["certain: openai-realtime"]],
    ["the version of Z-Wave", [frame({ type: "version", driverVersion: "1", homeId: 1 })], ["certain: zwave-js"]],
    ["another version", [frame({ type: "version" })], ["likely: json"]],
    ["a challenge of Nostr", [frame(["AUTH", "a"])], ["certain: nostr"]],
    ["the INFO of NATS", [look({ frames: ['INFO {"server_id":"N"} \r\n'] })], ["certain: nats"]],
    ["another INFO", [look({ frames: ['INFO {"a":1}'] })], ["likely: text"]],
    ["another array", [frame(["READY", "a"])], ["likely: json"]],
    [
      "the status of Kraken",
      [frame({ channel: "status", type: "update", data: [{ system: "online" }] })],
      ["certain: kraken"],
    ],
    ["another status", [frame({ channel: "status", type: "update", data: [] })], ["likely: json"]],
    ["a server of tools", [look(), agreeing("mcp")], ["certain: mcp"]],
    ["a station's system", [look(), agreeing("ocpp1.6")], ["certain: ocpp"]],
    ["an exchange by its host", [look({ url: "wss://stream.binance.com:9443/ws" })], likely("binance")],
    ["another host of that end", [look({ url: "wss://notbinance.com/ws" })], ["possible: json-rpc"]],
    ["a host that cannot be reached", [look({ url: "wss://ws.kraken.com/v2", open: false })], []],
    ["a ledger by its host", [look({ url: "wss://s1.ripple.com/" })], likely("xrpl")],
    ["a session of WebDriver", [look({ url: "ws://a/session/1-2" })], likely("webdriver-bidi")],
    ["a socket of Phoenix", [look({ url: "ws://a/socket/websocket?vsn=2.0.0" })], likely("phoenix")],
    ["a hub", [look({ url: "ws://a/chathub" })], ["possible: signalr", "possible: json-rpc"]],
    ["aria2 where it listens", [look({ url: "ws://a:6800/jsonrpc" })], likely("aria2")],
    ["lines of text", [look({ frames: ["READY"] })], ["likely: text"]],
    ["bytes", [look({ frames: [undefined] })], ["possible: text"]],
    ["nothing at all", [look({ open: false, why: "the upstream could not be reached" })], []],
  ];
  for (const [what, looks, proposed] of table) {
    test(`${what} proposes ${proposed.join(", ") || "nothing"}`, () => assert.deepEqual(shown(looks), proposed));
  }

  test("a refusal hints at its cure", () => {
    const refused = look({ open: false, why: "the upstream answered the upgrade with HTTP 401" });
    assert.deepEqual(hintsFor([refused]), ["it wants credentials: give them with --upstream-header or in the URL"]);
    const closed = look({ close: { code: 4406, reason: "" } });
    assert.deepEqual(hintsFor([closed]), ["it closed the connection with code 4406: it wants another subprotocol"]);
  });
});

test("each subprotocol of a preset that it wants most is offered once, and is a sign of that preset", () => {
  assert.equal(new Set(OFFERS).size, OFFERS.length);
  for (const name of presetNames) {
    const [wanted] = preset(name)?.subprotocols ?? [];
    if (wanted === undefined) continue;
    assert.ok(OFFERS.includes(wanted), wanted);
    assert.match(shown([look(), agreeing(wanted)]).join(), new RegExp(`(certain|likely): ${name}`));
  }
});

test("the settings of every sign are valid, and the surest of a dialect stands first", async () => {
  const order = ["certain", "likely", "possible"];
  const before = new Map<string, number>();
  for (const { dialect, sureness, settings } of SIGNS) {
    const rank = order.indexOf(sureness);
    assert.ok((before.get(dialect) ?? 0) <= rank, dialect);
    before.set(dialect, rank);
    if (!settings) continue;
    const text = [
      "upstreams:",
      "  default:",
      "    url: ws://127.0.0.1:1",
      ...settings.map((line) => `    ${line}`),
    ].join("\n");
    const env = {
      HOME_ASSISTANT_TOKEN: "a-token",
      OBS_PASSWORD: "a-password",
      DISCORD_TOKEN: "a-token",
      PASSWORD: "a",
    };
    await loadConfig({ flags: { config: "a.yaml" }, env, readFile: async () => text, cwd: "/" });
  }
});
