/**
 * A runner of Deno for contributors who have only Node: `node scripts/deno.mjs check`.
 *
 * It runs the binary itself, since the package's wrapper does not pass signals on.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(import.meta.dirname ?? fileURLToPath(new URL(".", import.meta.url)), "..");

/** Installs a folder with its own package.json, if that was never done or its lockfile has changed since. */
export function installOnce(folder) {
  const wanted = locked(join(root, folder, "package-lock.json"));
  const there = locked(join(root, folder, "node_modules", ".package-lock.json"));
  const isThere = ([path, { version, optional }]) => path === "" || optional || there[path]?.version === version;
  if (Object.entries(wanted).every(isThere)) return;
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) throw new Error(`npm ci --prefix ${folder} failed`);
}

function locked(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : {};
}

/**
 * Finds the Deno that runs this, else the one of test/runtimes, else the one on the PATH (for platforms without an npm
 * package).
 */
export function denoPath() {
  if ("Deno" in globalThis) return process.execPath;
  installOnce("test/runtimes");
  const scope = join(root, "test", "runtimes", "node_modules", "@deno");
  for (const platform of existsSync(scope) ? readdirSync(scope) : []) {
    for (const file of ["deno", "deno.exe"]) {
      const path = join(scope, platform, file);
      if (existsSync(path)) return path;
    }
  }
  return "deno";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status, error } = spawnSync(denoPath(), process.argv.slice(2), { cwd: root, stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
