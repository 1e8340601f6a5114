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
    ];
    const ran = await check(presets({ preset: "module" }), frames);
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const lines = ["line 2: #7 on", "  reply to 7: on", "line 3: READY", "  message", "2 frames, 0 with faults", ""];
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
    assert.match(ran.stdout, /^ {2}noise: not for us\n3 frames, 2 with faults\n$/m);
  });
});
