/** The watch over files: a change counts once its file is written to its end, and only once. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileWatch } from "../../src/reload/file-watch.ts";
import { delay, until } from "../support/until.ts";

test("a file that is written in pieces has changed once, when it is whole, and one that appears has changed", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-files-"));
  t.after(() => rm(folder, { recursive: true }));
  const [file, other] = [join(folder, "a"), join(folder, "b")];
  await writeFile(file, "");
  let changes = 0;
  let isWhole = false;
  const early: number[] = [];
  const watch = new FileWatch(() => {
    changes++;
    if (!isWhole) early.push(changes);
  });
  watch.watch([file, other]);
  t.after(() => watch.watch([]));
  await delay(300); // The first look.
  for (let piece = 0; piece < 20; piece++) {
    await appendFile(file, "piece");
    await delay(75);
  }
  isWhole = true;
  await until(() => changes > 0);
  await delay(1_200); // One look more.
  assert.deepEqual([changes, early], [1, []]);
  await writeFile(join(folder, "new"), "there");
  await rename(join(folder, "new"), other);
  await until(() => changes > 1);
  assert.equal(changes, 2);
});
