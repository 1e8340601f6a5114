/** Playback, without sockets: recorded dialogues of each kind of protocol, and clients that are not the same as then. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { fromModule, type PresetSettings, preset } from "../../src/protocols/presets.ts";
import type { Body, Protocol } from "../../src/protocols/protocol.ts";
import { Player, type Reaction, scenesOf } from "../../src/recording/playback.ts";
import { recordedProtocol } from "../../src/recording/recorded-protocol.ts";
import type { RecordingEntry, RecordingHead } from "../../src/recording/recording-format.ts";

await preparePatterns({ text: "" });

type Line = readonly [event: "sent" | "received", at: number, frame: unknown];

const textOf = (frame: unknown) =>
  typeof frame === "string" || frame instanceof Uint8Array ? (frame as Body) : JSON.stringify(frame);

function entriesOf(lines: readonly Line[]): RecordingEntry[] {
  return lines.map(([event, at, frame]) => ({ at, event, connection: 1, frame: textOf(frame) }));
}

/** Makes the reply to a request, of whatever shape the dialect gives both. */
type Replied = (request: ReturnType<typeof JSON.parse>, n: number) => unknown;

const headOf = (protocol: PresetSettings): RecordingHead => {
  return { recording: 1, sidesocket: "0", upstream: "default", protocol, started: "" };
};

async function protocolOf(settings: Parameters<typeof preset>[0], seed?: string): Promise<Protocol> {
  const found = preset(settings, seed)?.protocol;
  assert.ok(found);
  return typeof found === "function" ? await found() : found;
}

function playerOf(protocol: Protocol, entries: readonly RecordingEntry[], ignored: readonly string[][] = []): Player {
  const [scene] = scenesOf(entries, protocol, ignored);
  assert.ok(scene);
  return new Player(scene, protocol, ignored);
}

const shown = (reactions: readonly Reaction[] | undefined) =>
  reactions?.map((reaction) => ("frame" in reaction ? reaction.frame : reaction.close));

const call = (id: unknown, method: string, params: unknown = []) => ({ jsonrpc: "2.0", id, method, params });
const result = (id: unknown, value: unknown) => ({ jsonrpc: "2.0", id, result: value });
const tick = { jsonrpc: "2.0", method: "tick" };

describe("a played recording of json-rpc", () => {
  const dialogue: readonly Line[] = [
    ["received", 3, { jsonrpc: "2.0", method: "hello" }],
    ["sent", 10, call(1, "a", [{ x: 1, y: 2 }])],
    ["sent", 20, call(2, "b")],
    ["received", 25, result(2, "of b")],
    ["received", 40, tick],
    ["received", 50, result(1, "of a")],
  ];
  const play = async (ignored?: readonly string[][]) =>
    playerOf(await protocolOf("json-rpc"), entriesOf(dialogue), ignored);

  test("begins with what came before the client said anything", async () => {
    assert.deepEqual(shown((await play()).begin()), [textOf({ jsonrpc: "2.0", method: "hello" })]);
  });

  test("replies with the id of the live request, whatever the order of members", async () => {
    const live = '{"params":[{"y":2,"x":1}],"id":77,"method":"a","jsonrpc":"2.0"}';
    assert.deepEqual((await play()).onFrame(live), [{ afterMs: 40, frame: textOf(result(77, "of a")) }]);
  });

  test("keeps the order of causes for a client with another order", async () => {
    const player = await play();
    assert.deepEqual(player.onFrame(textOf(call(5, "b"))), [
      { afterMs: 5, frame: textOf(result(5, "of b")) },
      { afterMs: 20, frame: textOf(tick) },
    ]);
    assert.deepEqual(shown(player.onFrame(textOf(call(6, "a", [{ x: 1, y: 2 }])))), [textOf(result(6, "of a"))]);
    assert.equal(player.next, undefined);
  });

  test("answers a repeated request as the last time", async () => {
    const player = await play();
    for (const id of [8, 9])
      assert.deepEqual(shown(player.onFrame(textOf(call(id, "b"))))?.[0], textOf(result(id, "of b")));
  });

  test("does not know other parameters, unless their place is ignored", async () => {
    const other = textOf(call(1, "a", [{ x: 1, y: 3 }]));
    const player = await play();
    assert.equal(player.onFrame(other), undefined);
    assert.equal(player.next, textOf(call(1, "a", [{ x: 1, y: 2 }])));
    assert.deepEqual(shown((await play([["params", "0", "y"]])).onFrame(other)), [textOf(result(1, "of a"))]);
  });

  test("lets any text stand where a secret was masked", async () => {
    const masked: Line[] = [
      ["sent", 0, call(1, "login", ["(redacted)", "Bearer (redacted)."])],
      ["received", 1, result(1, true)],
    ];
    const player = async () => playerOf(await protocolOf("json-rpc"), entriesOf(masked));
    assert.ok((await player()).onFrame(textOf(call(3, "login", ["me", "Bearer xyz."]))));
    assert.equal((await player()).onFrame(textOf(call(3, "login", ["me", "Basic xyz."]))), undefined);
  });

  test("closes as the upstream did, and not as the client did", async () => {
    const close = (by: "us" | "peer", code: number): RecordingEntry => {
      return { at: 90, event: "close", connection: 1, by, code, reason: "bye", why: "" };
    };
    const first = entriesOf(dialogue.slice(1, 2));
    const protocol = await protocolOf("json-rpc");
    const closed = (entry: RecordingEntry) =>
      playerOf(protocol, [...first, entry]).onFrame(textOf(call(1, "a", [{ x: 1, y: 2 }])));
    assert.deepEqual(closed(close("peer", 4001)), [{ afterMs: 80, close: { code: 4001, reason: "bye" } }]);
    assert.deepEqual(shown(closed(close("peer", 1006))), [{ code: undefined, reason: "bye" }]);
    assert.deepEqual(closed(close("us", 1001)), []);
  });
});

describe("a played recording of", () => {
  test("graphql has the parts of a subscription under the live id", async () => {
    const protocol = await protocolOf("graphql-transport-ws");
    const subscribe = (id: string) => ({ id, type: "subscribe", payload: { query: "subscription { n }" } });
    const next = (id: string, n: number) => ({ id, type: "next", payload: { data: { n } } });
    const player = playerOf(
      protocol,
      entriesOf([
        ["sent", 0, { type: "connection_init" }],
        ["received", 1, { type: "connection_ack" }],
        ["sent", 2, subscribe("1")],
        ["sent", 3, subscribe("2")],
        ["received", 4, next("1", 1)],
        ["received", 5, next("2", 2)],
        ["received", 6, { id: "1", type: "complete" }],
      ]),
    );
    assert.deepEqual(shown(player.onFrame('{"type":"connection_init"}')), ['{"type":"connection_ack"}']);
    assert.deepEqual(shown(player.onFrame(textOf(subscribe("31")))), [
      textOf(next("31", 1)),
      textOf({ id: "31", type: "complete" }),
    ]);
    assert.deepEqual(shown(player.onFrame(textOf(subscribe("32")))), [textOf(next("32", 2))]);
  });

  const uuidDialects: readonly (readonly [settings: PresetSettings, ask: (n: number) => unknown, reply: Replied])[] = [
    [
      { preset: "json", id: { out: "/id", in: "/id", kind: "uuid" } },
      (n) => ({ ask: n }),
      ({ id, ask }, n) => ({ id, of: ask, n }),
    ],
    [{ preset: "ocpp" }, (n) => [2, "", "Ask", { n }], ([, id], n) => [3, id, { n }]],
    [
      { preset: "jupyter" },
      (n) => ({ header: { msg_id: "", msg_type: "info_request" }, content: { n } }),
      ({ header }, n) => ({ header: { msg_id: "s", msg_type: "info_reply" }, parent_header: header, content: { n } }),
    ],
  ];
  for (const [settings, ask, replyTo] of uuidDialects) {
    test(`${settings.preset} with UUIDs of another process has the reply to each request`, async () => {
      const process = () => protocolOf(settings, randomUUID());
      const sent = (protocol: Protocol, n: number) => protocol.encode(textOf(ask(n)), n, "request").frame;
      const read = (frame: Body) => JSON.parse(String(frame));
      const then = await process();
      const requests = [1, 2].map((n) => read(sent(then, n)));
      const replies = requests.map((request, index) => replyTo(request, index)).reverse();
      // Some upstreams repeat a UUID in capitals.
      const inCapitals = JSON.stringify(replies[1]).replace(/[0-9a-f-]{36}/, (id) => id.toUpperCase());
      const lines = [...requests.map((frame) => ["sent", 0, frame] as const), ["received", 1, replies[0]] as const];
      const { protocol } = await recordedProtocol(headOf(settings), undefined);
      const player = playerOf(protocol, entriesOf([...lines, ["received", 2, inCapitals]]));
      const now = await process();
      for (const [n, afterMs] of [
        [2, 1],
        [1, 2],
      ] as const) {
        const live = sent(now, n);
        const [reaction, ...others] = player.onFrame(live) ?? [];
        assert.ok(reaction && "frame" in reaction && others.length === 0);
        assert.deepEqual([reaction.afterMs, read(reaction.frame)], [afterMs, replyTo(read(live), n - 1)]);
      }
    });
  }

  test("text without ids has what came after each line", async () => {
    const protocol = await protocolOf({ preset: "text", reply: { text: "^[+-]" } });
    const player = playerOf(
      protocol,
      entriesOf([
        ["sent", 0, "get"],
        ["received", 1, "+1"],
        ["sent", 2, "get"],
        ["received", 3, "+2"],
        ["received", 4, "news"],
      ]),
    );
    assert.deepEqual(
      ["get", "get", "get"].map((line) => shown(player.onFrame(line))),
      [["+1"], ["+2", "news"], ["+2", "news"]],
    );
  });

  test("text with ids has the live id in its lines", async () => {
    const id = { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )", kind: "int" } as const;
    const player = playerOf(
      await protocolOf({ preset: "text", id }),
      entriesOf([
        ["sent", 0, "#1 get"],
        ["received", 1, "#1 on"],
      ]),
    );
    assert.deepEqual(shown(player.onFrame("#9 get")), ["#9 on"]);
  });

  test("a protocol that keeps callers' ids has the same ids", async () => {
    const player = playerOf(
      await protocolOf({ preset: "json", id: { kind: "keep" } }),
      entriesOf([
        ["sent", 0, { id: "a", op: "x" }],
        ["received", 1, { id: "a", ok: true }],
      ]),
    );
    assert.equal(player.onFrame('{"id":"b","op":"x"}'), undefined);
    assert.deepEqual(shown(player.onFrame('{"id":"a","op":"x"}')), ['{"id":"a","ok":true}']);
  });

  test("a module that shows no ids has them in their places, too", () => {
    const protocol = fromModule({
      default: {
        name: "bytes",
        accepts: "any",
        encode: (message: Body, id: number) => ({ frame: new Uint8Array([255, id, message.length]) }),
        adopt: (frame: Uint8Array, id: number) => ({
          frame: new Uint8Array([255, id, frame[2] ?? 0]),
          own: { was: frame[1] },
        }),
        decode: (frame: Uint8Array) => ({
          type: "reply",
          id: frame[1],
          render: ({ was }: { was: number }) => new Uint8Array([255, was, frame[2] ?? 0]),
        }),
      },
    });
    const bytes = (id: number, value: number) => new Uint8Array([255, id, value]);
    const player = playerOf(
      protocol,
      entriesOf([
        ["sent", 0, bytes(1, 7)],
        ["sent", 1, bytes(2, 8)],
        ["received", 2, bytes(1, 70)],
        ["received", 3, bytes(2, 80)],
      ]),
    );
    assert.deepEqual(shown(player.onFrame(bytes(9, 8))), [bytes(9, 80)]);
    assert.deepEqual(shown(player.onFrame(bytes(10, 7))), [bytes(10, 70)]);
  });

  test("a module that keeps state has one for each connection, of the recording and of clients", () => {
    let ended = 0;
    // The upstream says first where the ids of this connection are.
    const protocol = fromModule({
      default: () => {
        let place = "none";
        const read = (frame: Body): Record<string, unknown> => JSON.parse(String(frame));
        const put = (frame: Body, id: unknown) => JSON.stringify({ ...read(frame), [place]: id });
        return {
          name: "places",
          encode: (message: Body, id: number) => ({ frame: put(message, id) }),
          adopt: (frame: Body, id: number) =>
            place in read(frame) ? { frame: put(frame, id), own: read(frame)[place] } : undefined,
          decode(frame: Body) {
            const { at, [place]: id } = read(frame);
            if (typeof at === "string") place = at;
            return id === undefined
              ? { type: "message" }
              : { type: "reply", id, render: (own: unknown) => put(frame, own) };
          },
          end: () => void ended++,
        };
      },
    });
    const dialogue = (connection: number, at: string): RecordingEntry[] => [
      { event: "received", at: 0, connection, frame: textOf({ at }) },
      { event: "sent", at: 1, connection, frame: textOf({ ask: at, [at]: 1 }) },
      { event: "received", at: 2, connection, frame: textOf({ told: at, [at]: 1 }) },
    ];
    const [a, b] = [dialogue(1, "a"), dialogue(2, "b")];
    const scenes = scenesOf(
      a.flatMap((entry, n) => [entry, b[n] ?? entry]),
      protocol,
      [],
    );
    const players = scenes.map((scene) => new Player(scene, protocol, []));
    for (const player of players)
      for (const reaction of player.begin()) if ("frame" in reaction) player.sent(reaction.frame);
    assert.deepEqual(
      players.map((player, n) => shown(player.onFrame(textOf({ ask: "ab"[n], ["ab"[n] ?? ""]: 7 })))),
      [['{"told":"a","a":7}'], ['{"told":"b","b":7}']],
    );
    for (const player of players) player.end();
    assert.equal(ended, 2);
  });
});
