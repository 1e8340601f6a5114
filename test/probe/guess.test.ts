/** The guess at a dialect: what connections showed, and what is proposed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { hintsFor, proposalsFor } from "../../src/probe/guess.ts";
import { type Look, OFFERS, SIGNS } from "../../src/probe/signs.ts";

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

describe("a guess at", () => {
  const table: readonly (readonly [what: string, looks: readonly Look[], proposed: readonly string[]])[] = [
    ["auth_required", [look({ frames: ['{"type":"auth_required","ha_version":"1"}'] })], ["certain: home-assistant"]],
    ["another auth_required", [look({ frames: ['{"type":"auth_required"}'] })], ["likely: json"]],
    ["the hello of OBS", [look({ frames: ['{"op":0,"d":{"obsWebSocketVersion":"5"}}'] })], ["certain: obs"]],
    [
      "the hello of a gateway",
      [look({ frames: ['{"op":10,"d":{"heartbeat_interval":1}}'] })],
      ["certain: gateway of Discord's kind"],
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
    const env = { HOME_ASSISTANT_TOKEN: "a-token", OBS_PASSWORD: "a-password" };
    await loadConfig({ flags: { config: "a.yaml" }, env, readFile: async () => text, cwd: "/" });
  }
});
