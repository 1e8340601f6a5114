/** `sidesocket check-protocol` as a real process, with the module that `sidesocket presets module` prints. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { presets } from "../../src/commands/presets-command.ts";
import { runProduct } from "../support/product.ts";

describe("a protocol module over recorded frames", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-check-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const check = async (module: string, frames: readonly object[]) => {
    const file = join(folder, "tagged.mjs");
    const replay = join(folder, "frames.ndjson");
    await writeFile(file, module);
    await writeFile(replay, frames.map((frame) => `${JSON.stringify(frame)}\n`).join(""));
    return await runProduct(["check-protocol", file, "--replay", replay]);
  };

  test("is shown with what it makes of each frame", async () => {
    const frames = [
      { event: "sent", text: "#7 get /lamp" },
      { event: "received", text: "#7 on" },
      { event: "received", text: "READY" },
      { event: "received", at: 30_000, text: "READY" },
    ];
    const ran = await check(presets({ preset: "module" }), frames);
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const lines = [
      ...["line 1: connection 1 opens", "line 2: #7 on", "  reply to 7: on", "line 3: READY", "  message"],
      ...["tick of connection 1 at 30000 ms", "  sends: PING", "line 4: READY", "  message"],
      ...["connection 1 closes", "3 frames, 0 faults", ""],
    ];
    assert.equal(ran.stdout, lines.join("\n"));
  });

  test("has its faults shown with their places, and exit code 1", async () => {
    const module = [
      'export default { name: "faulty", encode: (frame) => ({ frame }), decode(frame) {',
      '  if (frame === "several") return [{ type: "reply", id: 1 }, { type: "part" }];',
      "  return JSON.parse(frame);",
      "} };",
    ].join("\n");
    const frames = ["several", "{", '{"type":"noise","why":"not for us"}'].map((text) => ({ event: "received", text }));
    const ran = await check(module, frames);
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(
      ran.stdout,
      /^line 1: several\n {2}reply to 1: several\n {2}fault: the protocol's decode returned no usable id/,
    );
    assert.match(ran.stdout, /^ {2}fault: the protocol's decode threw: SyntaxError: .* \(tagged\.mjs:3:\d+\)$/m);
    assert.match(ran.stdout, /^ {2}noise: not for us\n3 frames, 2 faults\n$/m);
  });

  test("that exports a function is called for each connection, opened, ticked by the recording's times, and ended", async () => {
    const module = `export default (connection) => {
      let count = 0;
      return {
        name: "counting",
        encode: (frame) => ({ frame }),
        decode: (frame) => ({ type: "message", render: () => ({ [frame]: ++count }) }),
        opened() {
          connection.tickAfter(100);
          return ["hello", new Uint8Array(3)];
        },
        tick: () => {
          if (connection.number === 2) throw new Error("no tick");
          return "tick " + count;
        },
        end: () => { if (count === 2) throw new Error("at the end"); },
      };
    };`;
    const ran = await check(module, [
      { event: "received", connection: 1, at: 0, text: "a" },
      { event: "open", connection: 2, at: 50 },
      { event: "received", connection: 1, at: 99, text: "a" },
      { event: "close", connection: 1, at: 120 },
      { event: "received", connection: 2, at: 200, text: "b" },
    ]);
    assert.equal(ran.code, 1, ran.stderr);
    const lines = ran.stdout.replace(/ \(tagged\.mjs:\d+:\d+\)/g, " (place)").split("\n");
    assert.deepEqual(lines, [
      ...["line 1: connection 1 opens", "  sends: hello", "  sends: (3 bytes: 00 00 00)"],
      ...["line 1: a", '  message: {"a":1}'],
      ...["line 2: connection 2 opens", "  sends: hello", "  sends: (3 bytes: 00 00 00)"],
      ...["line 3: a", '  message: {"a":2}'],
      ...["tick of connection 1 at 100 ms", "  sends: tick 2"],
      ...["line 4: connection 1 closes", "  fault: the protocol's end threw: Error: at the end (place)"],
      ...["tick of connection 2 at 150 ms", "  fault: the protocol's tick threw: Error: no tick (place)"],
      ...["line 5: b", '  message: {"b":1}'],
      ...["connection 2 closes", "3 frames, 2 faults", ""],
    ]);
  });
});
