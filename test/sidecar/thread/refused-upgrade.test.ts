/** The response that refuses an upgrade, as people see it. */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { mock, test } from "node:test";
import { readBody, shownRefusal } from "../../../src/sidecar/thread/refused-upgrade.ts";

const refusal = { reason: "status", status: 401 } as const;
const bytes = (text: string) => new TextEncoder().encode(text);
const URL_HERE = "wss://here.example/socket";

test("a body is at most 1,024 characters without secrets, and bytes are named as such", () => {
  const shown = (body: Uint8Array) => shownRefusal({ ...refusal, body }, URL_HERE, ["s3cret-key"]).body;
  assert.equal(shown(bytes("no s3cret-key")), "no (redacted)");
  assert.equal(shown(bytes(`${"x".repeat(1_020)}s3cret-key`)), `${"x".repeat(1_020)}(red…`);
  assert.equal(shown(bytes("é").subarray(0, 1)), "", "a character that is cut is left out");
  assert.equal(shown(new Uint8Array([0xff, 0xfe])), "(bytes)");
  assert.equal(shown(bytes("\u001b[31mred")), "�[31mred");
});

test("a Location is shown with its host, its path without keys, and no query", () => {
  const shown = (location: string) => shownRefusal({ ...refusal, location }, URL_HERE, []).location;
  assert.equal(shown("/login?next=1"), "wss://here.example/login?…");
  assert.equal(shown("https://a.example/k7d9f3a1c5e8b2d4f6/x"), "https://a.example/(redacted)/x");
  assert.equal(shown("https://user:word@a.example/"), "https://a.example/");
});

test("a body that goes on is cut at its bound, and one that stalls after half a second", async (t) => {
  t.after(() => mock.timers.reset());
  mock.timers.enable({ apis: ["setTimeout"] });
  for (const [sent, ticks, expected] of [
    [40_000, 0, 16_384],
    [5, 500, 5],
  ] as const) {
    const response = new PassThrough() as unknown as IncomingMessage & PassThrough;
    const read = new Promise<Uint8Array>((resolve) => readBody(response, resolve));
    const arrived = new Promise((resolve) => response.once("data", resolve));
    response.write(Buffer.alloc(sent, "x"));
    await arrived;
    mock.timers.tick(ticks);
    assert.equal((await read).length, expected);
    assert.ok(response.destroyed);
  }
});
