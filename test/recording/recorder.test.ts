/** The recorder: bounded, numbered over several threads, and always with an end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Recorder } from "../../src/recording/recorder.ts";
import type { TapeEntry } from "../../src/sidecar/contract.ts";

const HEAD = { recording: 1, sidesocket: "1", upstream: "default", protocol: "json-rpc" } as const;
const open = (connection: number): TapeEntry => ({
  at: Date.now(),
  event: "open",
  connection,
  url: "ws://a/",
  headers: {},
  offered: [],
  subprotocol: "",
});
const sent = (connection: number, frame: string): TapeEntry => ({ at: Date.now(), event: "sent", connection, frame });

/** Runs a recorder to its end. */
async function recorded(bytes: number, entries: readonly TapeEntry[]) {
  let text = "";
  const recorder = new Recorder(bytes, HEAD, async (chunk) => {
    text += new TextDecoder().decode(chunk);
  });
  for (const entry of entries) recorder.onEntry(entry);
  await recorder.end("SIGTERM");
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  return { text, lines };
}

test("a recording never exceeds its bytes, and says that they were the reason of its end", async () => {
  const frames = Array.from({ length: 100 }, () => sent(1, "ä".repeat(50)));
  const { text, lines } = await recorded(2_000, [open(1), ...frames]);
  assert.ok(Buffer.byteLength(text) <= 2_000, `${Buffer.byteLength(text)} bytes`);
  assert.ok(lines.length > 5);
  assert.deepEqual(lines.at(-1).why, "bytes");
});

test("connections of a thread that replaces another have numbers of their own", async () => {
  const { lines } = await recorded(10_000, [open(1), sent(1, "a"), open(1), sent(1, "b"), open(2), sent(1, "c")]);
  assert.deepEqual(
    lines.slice(1, -1).map(({ connection }) => connection),
    [1, 1, 2, 2, 3, 2],
  );
});

test("a system clock that is set back does not set back the times", async () => {
  const later = { ...sent(1, "a"), at: Date.now() + 60_000 };
  const { lines } = await recorded(10_000, [open(1), later, sent(1, "b")]);
  const times = lines.slice(1).map(({ at }) => at);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

test("a reader that leaves ends the recording", async () => {
  const recorder = new Recorder(10_000, HEAD, () => Promise.reject(new Error("EPIPE")));
  assert.equal(await recorder.over, "unread");
  await recorder.end("SIGTERM");
});
