/** Tests of the body store: round trips, isolation and reuse of blocks. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { BodyStore, type StoredBody } from "../../../src/core/messages/body-store.ts";

const BLOCK = 64 * 1024;

test("a stored body is returned unchanged, whatever else comes and goes", () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 5_000, max: 20_000 }));
  const body = fc.tuple(fc.constantFrom("x", "\u00fc", "\u65e5", "\u{1f642}", undefined), size);
  fc.assert(
    fc.property(fc.array(body, { maxLength: 60, size: "max" }), fc.integer({ min: 1, max: 20 }), (bodies, kept) => {
      const store = new BodyStore();
      const held: { readonly stored: StoredBody; readonly body: string | Uint8Array }[] = [];
      const check = ({ stored, body }: (typeof held)[number]) => {
        if (typeof body === "string") assert.equal(store.text(stored), body);
        else assert.deepEqual(store.bytes(stored), body);
        assert.equal(stored.length, Buffer.byteLength(body));
      };
      for (const [n, [character, size]] of bodies.entries()) {
        const body = character === undefined ? new Uint8Array(size).fill(n) : `${n} ${character.repeat(size / 2)}`;
        held.push({ stored: store.put(body), body });
        if (held.length <= kept) continue;
        const oldest = held.shift();
        if (oldest) check(oldest);
        if (oldest) store.release(oldest.stored);
        held.forEach(check);
      }
      held.forEach(check);
    }),
    { numRuns: 60 },
  );
});

test("stored bytes are isolated from both the sender's buffer and the readers' copies", () => {
  const store = new BodyStore();
  for (const size of [10, BLOCK]) {
    const sent = Buffer.alloc(size, 1);
    const stored = store.put(sent);
    sent.fill(2);
    const got = store.bytes(stored);
    assert.ok(got.every((byte) => byte === 1) && got.length === size);
    assert.equal(got.buffer.byteLength, size, "a copy does not retain its block");
    got.fill(3);
    assert.ok(store.bytes(stored).every((byte) => byte === 1));
  }
});

test("released blocks are reused: ten million bytes passing through need only the blocks of those held at once", () => {
  const store = new BodyStore();
  const blocks = new Set<unknown>();
  const held: StoredBody[] = [];
  for (let n = 0; n < 10_000; n++) {
    const stored = store.put("x".repeat(1_000));
    blocks.add(stored.block);
    held.push(stored);
    const oldest = held.length > 500 ? held.shift() : undefined;
    if (oldest) store.release(oldest);
  }
  assert.ok(blocks.size <= 11, `${blocks.size} blocks for half a megabyte`);
});

test("a byte order mark is part of a text", () => {
  const store = new BodyStore();
  assert.equal(store.text(store.put("\ufeffx")), "\ufeffx");
});
