/** The times of a build and of what it reads, which tell if a source has changed since. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** The files and folders that the build reads. */
const SOURCES = ["src", "package-lock.json", "scripts/build.mjs", "tsconfig.json", "tsconfig.build.json"];

/** Tells if a file of the build is there and newer than each source. */
export function isUpToDate(built) {
  return lastChange(SOURCES) < lastChange([built]);
}

/** The time of the last change of files, of those in folders, and of the folders, where files come and go. */
function lastChange(paths) {
  let last = 0;
  for (const path of paths) {
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (found === undefined) continue;
    const within = found.isDirectory() ? readdirSync(join(root, path), { recursive: true }) : [];
    last = Math.max(last, found.mtimeMs, ...within.map((file) => statSync(join(root, path, file)).mtimeMs));
  }
  return last;
}
