/**
 * The software that nobody here wrote: an npm folder of its own, so that nobody needs it but these tests. The test
 * command installs it; by hand it is `npm ci --prefix test/real`.
 */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { root } from "../support/root.ts";

const folder = join(root, "test", "real");

interface Package {
  readonly version?: string;
  /** The platforms that it is for; all when not given. */
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

interface Lock {
  readonly packages: Readonly<Record<string, Package>>;
}

function isForThisPlatform({ os, cpu }: Package): boolean {
  return (os?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true);
}

/** True when all that the lock file names is there. npm writes what it installed to a lock file of its own. */
function isInstalled(): boolean {
  const installed = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as Lock;
  const there = JSON.parse(readFileSync(installed, "utf8")) as Lock;
  return Object.entries(wanted.packages).every(
    ([path, wants]) => path === "" || !isForThisPlatform(wants) || there.packages[path]?.version === wants.version,
  );
}

function demand(): void {
  if (!isInstalled()) throw new Error("not installed, or not as the lock file wants it: npm ci --prefix test/real");
}

/**
 * Loads one of those packages. By its path, because the compiled tests stand where no `import "ethers"` finds it;
 * so the caller says what part of its types the test uses.
 */
export async function load<T>(name: string): Promise<T> {
  demand();
  const require = createRequire(join(folder, "package.json"));
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}

/** The folder of one of those packages. */
export function packageFolder(name: string): string {
  demand();
  return join(folder, "node_modules", ...name.split("/"));
}
