/**
 * Third-party software in a separate npm folder, which only these tests need.
 *
 * The test command installs it; by hand it is `npm ci --prefix test/real`.
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
  /** The platforms of the package; all by default. */
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

interface Lock {
  readonly packages: Readonly<Record<string, Package>>;
}

function isForThisPlatform({ os, cpu }: Package): boolean {
  return (os?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true);
}

/**
 * Reports whether everything in the lock file is installed. npm records what it installed in a lock file of its own.
 */
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
  if (!isInstalled()) throw new Error("test/real is not installed or out of date: run npm ci --prefix test/real");
}

/**
 * Loads one of those packages by path, because the compiled tests are where no `import "ethers"` finds it; the caller
 * declares the part of its types that the test uses.
 */
export async function load<T>(name: string): Promise<T> {
  demand();
  const require = createRequire(join(folder, "package.json"));
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}

/** Returns the folder of one of those packages. */
export function packageFolder(name: string): string {
  demand();
  return join(folder, "node_modules", ...name.split("/"));
}
