import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { BodyStore, type StoredBody } from "../../../src/core/messages/body-store.ts";

const BLOCK = 64 * 1024;

test("what is put is given back, whatever else comes and goes", () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 5_000, max: 20_000 }));
  const body = fc.tuple(fc.constantFrom("x", "\u00fc", "\u65e5", "\u{1f642}", undefined), size);
  fc.assert(
    fc.property(fc.array(body, { maxLength: 60, size: "max" }), fc.integer({ min: 1, max: 20 }), (bodies, kept) => {
      const shelf = new BodyStore();
      const lying: { readonly place: StoredBody; readonly body: string | Uint8Array }[] = [];
      const look = ({ place, body }: (typeof lying)[number]) => {
        if (typeof body === "string") assert.equal(shelf.text(place), body);
        else assert.deepEqual(shelf.bytes(place), body);
        assert.equal(place.length, Buffer.byteLength(body));
      };
      for (const [n, [character, size]] of bodies.entries()) {
        const body = character === undefined ? new Uint8Array(size).fill(n) : `${n} ${character.repeat(size / 2)}`;
        lying.push({ place: shelf.put(body), body });
        if (lying.length <= kept) continue;
        const oldest = lying.shift();
        if (oldest) look(oldest);
        if (oldest) shelf.drop(oldest.place);
        lying.forEach(look);
      }
      lying.forEach(look);
    }),
    { numRuns: 60 },
  );
});

test("bytes are its own: neither what the sender does with its buffer nor what a reader does with its copy is seen", () => {
  const shelf = new BodyStore();
  for (const size of [10, BLOCK]) {
    const sent = Buffer.alloc(size, 1);
    const place = shelf.put(sent);
    sent.fill(2);
    const got = shelf.bytes(place);
    assert.ok(got.every((byte) => byte === 1) && got.length === size);
    assert.equal(got.buffer.byteLength, size, "a copy brings nothing along");
    got.fill(3);
    assert.ok(shelf.bytes(place).every((byte) => byte === 1));
  }
});

test("blocks are used again: a million bytes that pass take no more of them than lie there at once", () => {
  const shelf = new BodyStore();
  const blocks = new Set<unknown>();
  const lying: StoredBody[] = [];
  for (let n = 0; n < 10_000; n++) {
    const place = shelf.put("x".repeat(1_000));
    blocks.add(place.block);
    lying.push(place);
    const oldest = lying.length > 500 ? lying.shift() : undefined;
    if (oldest) shelf.drop(oldest);
  }
  assert.ok(blocks.size <= 11, `${blocks.size} blocks for half a megabyte`);
});

test("a byte order mark is part of a text", () => {
  const shelf = new BodyStore();
  assert.equal(shelf.text(shelf.put("\ufeffx")), "\ufeffx");
});
