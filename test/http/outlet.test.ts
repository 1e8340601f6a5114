import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { Outlet } from "../../src/http/outlet.ts";
import { delay, until } from "../support/until.ts";

const MB = 1024 * 1024;
const STALLED_MS = 400;

test("who reads slowly is not cut, however long it takes for what was written; who stops is", async () => {
  const page = Uint8Array.from({ length: MB }, (_, n) => n % 251);
  let pages = 0;
  let left = 0;
  const outlet: Outlet = new Outlet({ resume: () => more(), left: () => left++ }, STALLED_MS);
  // As much as is wanted, as a journal would have it.
  const more = () => {
    if (outlet.room <= 0) return;
    pages++;
    outlet.write(page);
  };
  more();
  const reader = outlet.readable.getReader();
  const got: Uint8Array[] = [];
  for (let size = 0; size < 2 * MB; ) {
    const { value } = await reader.read();
    assert.ok(value);
    got.push(value);
    size += value.length;
    // As slow as a socket that takes so much a second.
    await delay((value.length / MB) * 2 * STALLED_MS);
    assert.equal(left, 0, `cut after ${size} bytes`);
  }
  assert.ok(pages <= 3, `${pages} pages for one who has read two`);
  assert.ok(
    Buffer.concat(got)
      .subarray(0, 2 * MB)
      .equals(Buffer.concat([page, page])),
  );
  await until(() => left === 1, { what: "the reader to be cut" });
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  }, /does not read/);
});

test("an end comes behind all that was written", async () => {
  const outlet = new Outlet({ resume: () => {}, left: () => {} });
  const reader = outlet.readable.getReader();
  outlet.write("x".repeat(MB));
  outlet.end("the end");
  let text = "";
  const decoder = new TextDecoder();
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    text += decoder.decode(value, { stream: true });
  }
  assert.ok(text === `${"x".repeat(MB)}the end`);
});
