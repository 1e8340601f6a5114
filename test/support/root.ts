/** Paths of the repository and of both runtimes, and the runtime that runs this test. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type Runtime = "node" | "deno";

/** The runtime of this test; the product is started on the same one. */
export const runtime: Runtime = "Deno" in globalThis ? "deno" : "node";

/** The repository's root, whether the test runs from source or from build/. */
export const root: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  const manifest = join(from, "package.json");
  if (existsSync(manifest)) {
    const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown };
    if (name === "sidesocket") return from;
  }
  const parent = dirname(from);
  if (parent === from) throw new Error("no package.json of sidesocket above the tests");
  return findRoot(parent);
}

/** Finds the Deno binary: the one that runs this test, else the one that npm installed, else the first on the PATH. */
export function denoPath(): string {
  if (runtime === "deno") return process.execPath;
  // The binary itself, since the package's wrapper does not pass signals on.
  for (const folder of [join(root, "test", "runtimes"), root]) {
    const scope = join(folder, "node_modules", "@deno");
    for (const platform of existsSync(scope) ? readdirSync(scope) : []) {
      for (const file of ["deno", "deno.exe"]) {
        const path = join(scope, platform, file);
        if (existsSync(path)) return path;
      }
    }
  }
  return findOnPath("deno");
}

/** Finds the Node binary: the one that runs this test, else the first on the PATH. */
export function nodePath(): string {
  if (runtime === "node") return process.execPath;
  return findOnPath("node");
}

/** Finds the absolute path of a program on the PATH. Throws if there is none. */
export function findOnPath(program: string): string {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    if (folder !== "" && existsSync(path)) return path;
  }
  throw new Error(`${program} is not on the PATH`);
}
