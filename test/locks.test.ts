/** The lockfiles: complete, so that nothing is installed unverified, and in agreement. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/root.ts";

type Locked = Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;

function read<T>(...path: readonly string[]): T {
  return JSON.parse(readFileSync(join(root, ...path), "utf8")) as T;
}

/** Reads what npm installs in a folder: `name@version` → integrity. */
function byNpm(folder: string): Map<string, string | undefined> {
  const { packages } = read<{ packages: Locked }>(folder, "package-lock.json");
  const installed = Object.entries(packages).filter(([path]) => path !== "");
  return new Map(
    installed.map(([path, { version, integrity }]) => [`${path.split("node_modules/").at(-1)}@${version}`, integrity]),
  );
}

/** Reads the same for Deno, whose names end with the versions of peers. */
function byDeno(): Map<string, string | undefined> {
  const { npm } = read<{ npm: Locked }>("deno.lock");
  return new Map(
    Object.entries(npm).map(([key, { integrity }]) => [/^@?[^@]+@[^_]+/.exec(key)?.[0] ?? key, integrity]),
  );
}

describe("lockfiles", () => {
  for (const folder of [".", "bench", "test/package", "test/real", "test/runtimes"]) {
    test(`packages that npm installs in ${folder} are verified, on other platforms, too`, () => {
      const unverified = [...byNpm(folder)].filter(([, integrity]) => integrity === undefined).map(([name]) => name);
      assert.deepEqual(unverified, []);
    });
  }

  test("npm and Deno install the same versions of the same packages", () => {
    assert.deepEqual([...byDeno()].sort(), [...byNpm(".")].sort());
  });
});
