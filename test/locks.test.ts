/** The lockfiles: complete, so that nothing is installed unverified, and in agreement. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { version as packageVersion } from "../src/version.ts";
import { denoPath, nodePath, root, runtime } from "./support/root.ts";

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
  for (const folder of [".", "bench", "site", "test/package", "test/real", "test/runtimes"]) {
    test(`packages that npm installs in ${folder} are verified, on other platforms, too`, () => {
      const unverified = [...byNpm(folder)].filter(([, integrity]) => integrity === undefined).map(([name]) => name);
      assert.deepEqual(unverified, []);
    });
  }

  test("npm and Deno install the same versions of the same packages", () => {
    assert.deepEqual([...byDeno()].sort(), [...byNpm(".")].sort());
  });

  test("what runs with the service is in the bill of materials, and has a licence that asks only for its notice", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sidesocket-sbom-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const sbom = join(folder, "sbom.json");
    const script = join(root, "scripts", "audit.mjs");
    const [command, args] = runtime === "node" ? [nodePath(), []] : [denoPath(), ["run", "--quiet", "--allow-all"]];
    const { status, stdout } = spawnSync(command, [...args, script, "--offline", "--sbom", sbom], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
    const { components } = JSON.parse(readFileSync(sbom, "utf8")) as { components: readonly { name: string }[] };
    const { dependencies } = read<{ dependencies: Record<string, string> }>("package.json");
    const named = new Set(components.map(({ name }) => name));
    assert.deepEqual(
      [...Object.keys(dependencies), "htm", "preact"].filter((name) => !named.has(name)),
      [],
    );
  });
});

/** The scripts of npm that Deno alone cannot run, or that a task of its own holds. */
const FOR_NPM = ["bench", "bench:against", "docs", "mutants", "package", "release", "static"];

test("deno.json has the version of the package, and a task for each script that does not need npm", () => {
  const { version, tasks } = read<{ version: string; tasks: Record<string, unknown> }>("deno.json");
  assert.equal(version, packageVersion);
  const { scripts } = read<{ scripts: Record<string, string> }>("package.json");
  const wanted = Object.keys(scripts).filter((name) => !FOR_NPM.includes(name));
  assert.deepEqual(
    wanted.filter((name) => tasks[name] === undefined),
    [],
  );
});

test("the page about packages names each that runs with the service, with its licence", () => {
  const { dependencies, peerDependencies } = read<Record<string, Record<string, string>>>("package.json");
  const { packages } = read<{ packages: Record<string, { license: string }> }>("package-lock.json");
  const needed = Object.keys({ ...dependencies, ...peerDependencies, preact: "", htm: "" });
  const page = readFileSync(join(root, "docs", "dependencies.md"), "utf8");
  const rows = [...page.matchAll(/^\| (`.*`) \| (.*) \| .* \|$/gm)].flatMap(([, names = "", licences = ""]) => {
    const each = licences.split(", ");
    return names.split(", ").map((name, index) => [name.replaceAll("`", ""), each[index]]);
  });
  assert.deepEqual(rows.sort(), needed.map((name) => [name, packages[`node_modules/${name}`]?.license]).sort());
});

test("the image starts without options of Node, and nothing in it opens the inspector", () => {
  const image = readFileSync(join(root, "Dockerfile"), "utf8");
  assert.match(image, /^ENV .*NODE_OPTIONS=""/m);
  assert.doesNotMatch(image, /--inspect/);
});
