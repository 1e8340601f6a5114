/**
 * The npm package: builds it, packs it and proves it.
 *
 *   node scripts/package.mjs [--lint]
 *
 * The package is made in build/package, with a package.json of its own. The repository's has no version, so that npm
 * refuses to pack or publish it: with install scripts switched off, npm would not build first, and would pack whatever
 * dist/ there is, or none. `--lint` stops after publint and attw; otherwise the package is also installed and tried
 * (test/package): as the README says, with each version of Node and with Deno, and by each bundler. Deno looks at what
 * its own registry would be given, the sources and deno.json, and publishes nothing.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildAll } from "./build.mjs";
import { denoPath, installOnce } from "./deno.mjs";

const FOLDER = "build/package";
const CONTENT = ["dist", "docs", "examples", "ops", "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"];
/** The pictures that documents show; the others would be a third of the package. */
const SHOWN = ["refused-light.png", "docs-light.png"];
/** What only the repository needs. */
const NOT_SHIPPED = ["private", "scripts", "devDependencies"];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({ options: { lint: { type: "boolean" } } });

await buildAll();
const tarball = pack();
lint(tarball);
console.log(tarball);
if (!flags.lint) {
  lintSources();
  prove(tarball);
}

function pack() {
  rmSync(FOLDER, { recursive: true, force: true });
  const content = join(FOLDER, "content");
  mkdirSync(content, { recursive: true });
  for (const path of CONTENT) cpSync(path, join(content, path), { recursive: true });
  rmSync(join(content, "docs/benchmarks/results.json"));
  for (const name of readdirSync("docs/page")) if (!SHOWN.includes(name)) rmSync(join(content, "docs/page", name));
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  for (const key of NOT_SHIPPED) delete manifest[key];
  const { name, ...rest } = manifest;
  const version = /version = "(.*)"/.exec(readFileSync("src/version.ts", "utf8"))[1];
  writeFileSync(join(content, "package.json"), `${JSON.stringify({ name, version, ...rest }, undefined, 2)}\n`);
  run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", FOLDER, `./${content}`]);
  return join(FOLDER, `${name}-${version}.tgz`);
}

/** Both look at what a program's runtime, its compiler and its bundler will find. */
function lint(tarball) {
  run(process.execPath, ["node_modules/publint/src/cli.js", "run", "--strict", `./${tarball}`]);
  const attw = ["node_modules/@arethetypeswrong/cli/dist/index.js", "--quiet", tarball];
  // A `require` loads the ES module, or fails with a sentence. The two files of threads have no types.
  run(process.execPath, [...attw, "--profile", "esm-only", "--exclude-entrypoints", "thread", "keeper"]);
}

function lintSources() {
  const args = ["publish", "--dry-run", "--allow-dirty", "--quiet"];
  // It lists every file, and warns that it cannot follow the paths of protocol modules, which users name.
  const { status, stdout, stderr } = spawnSync(denoPath(), args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`deno ${args.join(" ")} failed\n${stdout}${stderr}`);
}

function prove(tarball) {
  installOnce("test/package");
  const env = { ...process.env, SIDESOCKET_PACKAGE: tarball };
  run(process.execPath, ["scripts/test.mjs", "--node", "--jobs", "1", "test/package/"], env);
}

function run(program, args, env = process.env) {
  const { status } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"], env });
  if (status !== 0) throw new Error(`${[program, ...args].join(" ")} failed`);
}
