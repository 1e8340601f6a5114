/** A look for a file that a thread begins with. */

import { existsSync } from "node:fs";

/** On Deno a program may run files that it may not look for: there, every file counts as there. */
export function hasFile(url: URL): boolean {
  return "Deno" in globalThis || url.protocol !== "file:" || existsSync(url);
}
