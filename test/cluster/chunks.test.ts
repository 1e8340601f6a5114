/** Messages in chunks: any length passes, and nothing that is missing passes for a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHUNK_BYTES, type Chunk, ChunkReader, ChunkWriter, readChunk, writeChunk } from "../../src/cluster/chunks.ts";

/** Lengths at the borders of chunks. */
const lengths = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -1, max: 1 })).map(([n, more]) => n * CHUNK_BYTES + more),
  { minLength: 1, maxLength: 4 },
);

function written(lengths: readonly number[]): { messages: Uint8Array[]; chunks: Uint8Array[] } {
  const messages = lengths.map((length, index) => new Uint8Array(Math.max(length, 0)).fill(index + 1));
  const writer = new ChunkWriter();
  return { messages, chunks: messages.flatMap((message) => writer.write("whole", message)) };
}

function read(reader: ChunkReader, chunks: readonly Uint8Array[]): (Uint8Array | "lost")[] {
  return chunks.flatMap((bytes) => {
    const result = reader.read(readChunk(bytes) as Chunk);
    if (result === undefined) return [];
    return [result === "lost" ? result : new Uint8Array(result.message)];
  });
}

test("messages of any length come out as they went in", () => {
  fc.assert(
    fc.property(lengths, (lengths) => {
      const { messages, chunks } = written(lengths);
      assert.deepEqual(read(new ChunkReader(4 * CHUNK_BYTES), chunks), messages);
    }),
    { numRuns: 50 },
  );
});

test("a chunk that is missing, doubled or too early makes all that follows lost", () => {
  fc.assert(
    fc.property(lengths, fc.nat(), fc.constantFrom("missing", "doubled", "early"), (lengths, at, fault) => {
      const { chunks } = written([...lengths, 1, 1]);
      const index = at % (chunks.length - 1);
      const [one, next] = [chunks[index], chunks[index + 1]] as [Uint8Array, Uint8Array];
      const instead = { missing: [next], doubled: [one, one, next], early: [next, one] }[fault] ?? [];
      const faulty = [...chunks.slice(0, index), ...instead, ...chunks.slice(index + 2)];
      const results = read(new ChunkReader(4 * CHUNK_BYTES), faulty);
      const from = results.indexOf("lost");
      assert.ok(from >= 0);
      assert.ok(results.slice(from).every((result) => result === "lost"));
    }),
    { numRuns: 50 },
  );
});

test("a message that is longer than its limit is lost", () => {
  const { messages, chunks } = written([CHUNK_BYTES, CHUNK_BYTES + 1]);
  assert.deepEqual(read(new ChunkReader(CHUNK_BYTES), chunks), [messages[0], "lost"]);
});

test("random bytes are no chunk, or one that is written the same", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const chunk = readChunk(bytes);
      if (chunk) assert.deepEqual(new Uint8Array(writeChunk(chunk)), bytes);
    }),
  );
});
