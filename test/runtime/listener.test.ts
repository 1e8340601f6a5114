/** The end of the HTTP side by itself: whom it cuts, whom it does not, and that nobody can hold it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runtime } from "../../src/runtime/pick-runtime.ts";
import type { Listener } from "../../src/runtime/runtime.ts";
import { RawConnection } from "../support/http.ts";
import { bounded, type Cleanup, delay, until } from "../support/until.ts";

/** Whoever has connected and said nothing may be about to ask, for so long; in milliseconds. */
const ASKING_WITHIN_MS = 100;
/** A header must be there within this; in milliseconds. */
const HEADERS_WITHIN_MS = 10_000;
/** More than the buffers of both ends of a connection grow to. */
const ENDLESS_BYTES = 64 * 1024 * 1024;
const LARGE_BYTES = 16 * 1024 * 1024;

const place = { host: "127.0.0.1", port: 0, keepAliveMs: 60_000, connectionsMax: 1_000, onFull: () => {} };

interface Site extends Listener {
  readonly url: string;
  /** How many requests have come. */
  asked(): number;
}

async function open(body: string, t: Cleanup): Promise<Site> {
  let asked = 0;
  const fetch = () => {
    asked++;
    return new Response(body);
  };
  const listener = await runtime.listen({ ...place, fetch });
  t.after(async () => {
    listener.close();
    listener.cut(new Set());
    await listener.answered(0);
  });
  return { ...listener, url: `http://127.0.0.1:${listener.port}`, asked: () => asked };
}

test("an answer that nobody reads holds the end no longer than its bound", async (t) => {
  const site = await open("x".repeat(ENDLESS_BYTES), t);
  const deaf = await RawConnection.open(site, t);
  deaf.pause();
  deaf.send({ path: "/" });
  await until(() => site.asked() === 1);
  site.close();
  const began = performance.now();
  await bounded(site.answered(300), { what: "the end of who never reads" });
  assert.ok(performance.now() - began >= 290, "it had its time");
});

test("an answer that is read is not cut while it is written, and the end does not wait for its bound", async (t) => {
  const site = await open("x".repeat(LARGE_BYTES), t);
  const reader = await RawConnection.open(site, t);
  reader.pause();
  reader.send({ path: "/", headers: { Connection: "close" } });
  await until(() => site.asked() === 1);
  site.close();
  const over = site.answered(60_000);
  await delay(2 * ASKING_WITHIN_MS); // whoever is to be cut has been by now
  reader.resume();
  const { status, bytes } = await reader.response();
  assert.deepEqual([status, bytes.length], [200, LARGE_BYTES]);
  reader.destroy();
  await bounded(over, { what: "the end, once everybody has left" });
});

test("a connection that was answered and is kept holds nobody's flush", async (t) => {
  const site = await open("here", t);
  const caller = await RawConnection.open(site, t);
  for (let n = 0; n < 2; n++) {
    caller.send({ path: "/" });
    assert.equal((await caller.response()).body, "here");
  }
  await bounded(site.flushed(new Set()), { what: "the flush of what is written" });
  assert.equal(caller.ended, undefined);
});

test("a caller who leaves with requests piled up on its connection holds nobody's flush", async (t) => {
  const site = await open("x".repeat(ENDLESS_BYTES), t);
  const caller = await RawConnection.open(site, t);
  caller.pause();
  // The answers to all but the first wait for their turn, and an answer without a turn is told of nothing.
  for (let n = 0; n < 3; n++) caller.send({ path: "/" });
  await until(() => site.asked() === 3);
  const flushed = site.flushed(new Set());
  caller.destroy();
  await bounded(flushed, { what: "the flush, once nobody is there" });
});

test("a caller who leaves with streams piled up on its connection has left them all", async (t) => {
  let [asked, left] = [0, 0];
  const fetch = () => {
    asked++;
    return new Response(new ReadableStream({ cancel: () => void left++ }));
  };
  const listener = await runtime.listen({ ...place, fetch });
  t.after(async () => {
    listener.close();
    listener.cut(new Set());
    await listener.answered(0);
  });
  const caller = await RawConnection.open({ url: `http://127.0.0.1:${listener.port}` }, t);
  for (let n = 0; n < 3; n++) caller.send({ path: "/" });
  await until(() => asked === 3);
  await delay(ASKING_WITHIN_MS); // and all of them are being read
  caller.destroy();
  await until(() => left === 3);
});

test("who has only just connected is not cut, and is answered; who never asks is cut a moment later", async (t) => {
  const site = await open("here", t);
  for (let round = 1; ; round++) {
    const began = performance.now();
    const [late, silent] = [await RawConnection.open(site, t), await RawConnection.open(site, t)];
    // An answer to one that came after them says that the listener knows them both.
    const other = await RawConnection.open(site, t);
    other.send({ path: "/" });
    await other.response();
    site.cut(new Set());
    if (performance.now() - began >= ASKING_WITHIN_MS) {
      assert.ok(round < 50, "the machine is too busy for this");
      continue;
    }
    late.send({ path: "/" });
    assert.equal((await late.response()).body, "here");
    await other.until(() => other.ended);
    assert.equal(silent.ended, undefined);
    await delay(ASKING_WITHIN_MS);
    site.cut(new Set());
    // Sooner than Node itself would end who sends no header.
    await silent.until(() => silent.ended, { within: 5_000 });
    return;
  }
});

test("a header that never ends is waited for 10 s and no longer, also behind an answer; who is idle is left alone", async (t) => {
  const site = await open("here", t);
  const [fresh, used, idle] = [
    await RawConnection.open(site, t),
    await RawConnection.open(site, t),
    await RawConnection.open(site, t),
  ];
  for (const caller of [used, idle]) {
    caller.send({ path: "/" });
    await caller.response();
  }
  const began = performance.now();
  for (const slow of [fresh, used]) slow.write("GET / HTTP/1.1\r\nHost: ");
  // Node and Deno look every second.
  const within = HEADERS_WITHIN_MS + 5_000;
  await Promise.all([fresh, used].map((slow) => slow.until(() => slow.ended, { within, what: "its end" })));
  assert.ok(performance.now() - began >= HEADERS_WITHIN_MS - 500, "it had its time");
  assert.equal(idle.ended, undefined);
});
