/** Files that a test writes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cleanup } from "../support/until.ts";

/** Writes a file into a folder that is removed when the test ends. */
export async function written(t: Cleanup, name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, name), text);
  return join(folder, name);
}
