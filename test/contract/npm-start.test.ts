/** `npm start`: the command line from a checkout, which compiles nothing that has not changed. */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { optionLines } from "../../src/config/commandline.ts";
import { version } from "../../src/version.ts";
import { lacks } from "../real/programs.ts";
import { Child, run } from "../support/child.ts";
import { nodePath, root, runtime } from "../support/root.ts";

const START = join(root, "scripts", "start.mjs");
const skip = runtime === "deno" && "it is Node's: Deno has `deno task start`";

function start(env: Record<string, string> = {}) {
  return run({ command: nodePath(), args: [START, "--version"], cwd: root, env: { ...process.env, ...env } });
}

test("a start whose sources have not changed compiles nothing", { skip }, async () => {
  assert.equal((await start()).stdout, `${version}\n`);
  const built = join(root, "dist", "cli", "main.js");
  const before = await stat(built);
  assert.equal((await start()).stdout, `${version}\n`);
  assert.equal((await stat(built)).mtimeMs, before.mtimeMs);
});

test("a build is up to date until a source changes, and not if it is not there", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-start-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const made of ["scripts", "src/core", "dist"]) await mkdir(join(folder, made), { recursive: true });
  const script = join(folder, "scripts", "up-to-date.mjs");
  await copyFile(join(root, "scripts", "up-to-date.mjs"), script);
  const { isUpToDate } = (await import(pathToFileURL(script).href)) as { isUpToDate(built: string): boolean };
  const at = (seconds: number, ...paths: readonly string[]) =>
    Promise.all(paths.map((path) => utimes(join(folder, path), seconds, seconds)));
  assert.equal(isUpToDate("dist/index.js"), false);
  for (const file of ["src/core/a.ts", "tsconfig.json", "dist/index.js"]) await writeFile(join(folder, file), "");
  await at(1_000, "src", "src/core", "src/core/a.ts", "tsconfig.json");
  await at(2_000, "dist/index.js");
  assert.equal(isUpToDate("dist/index.js"), true);
  for (const changed of ["src/core/a.ts", "src/core", "tsconfig.json"]) {
    await at(2_000, changed);
    assert.equal(isUpToDate("dist/index.js"), false, changed);
    await at(1_000, changed);
  }
});

test("options that npm has taken for its own are named, with the cure", { skip }, async () => {
  // So npm 11 does for `npm start --upstream ws://… --log-level debug`.
  const { code, stderr } = await start({ npm_config_upstream: "true", npm_config_log_level: "true" });
  assert.equal(code, 2);
  assert.equal(
    stderr,
    "sidesocket: npm took --upstream --log-level for itself: put -- before the options " +
      "(npm start -- --upstream --log-level …)\n",
  );
});

test("a SIGTERM to npm ends the service in order", { skip: skip || lacks("npm") }, async (t) => {
  const env = { ...process.env, PORT: "0", NO_COLOR: "1" };
  const child = await Child.start({ command: "npm", args: ["start"], cwd: root, env, t });
  await child.until(() => /^listening on /m.test(child.stdout), { what: "`listening on`" });
  child.signal("SIGTERM");
  await child.until(() => /"cause":"SIGTERM","forced":false,"exit_code":0/.test(child.stderr), { what: "its report" });
});

test("every option of the service is among those that npm may take", async () => {
  const [, list = ""] = /const OPTIONS = \[([^\]]*)\]/.exec(await readFile(START, "utf8")) ?? [];
  const known = Array.from(list.matchAll(/"([\w-]+)"/g), ([, name]) => name);
  const options = optionLines.filter(
    ({ of, hint, name }) => of === undefined && (hint !== undefined || name === "insecure"),
  );
  assert.deepEqual(
    known,
    options.map(({ name }) => name),
  );
});

test("a shell replaces itself by its command, and cmd finds a file that runs it", async () => {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { scripts: { start: string } };
  assert.match(scripts.start, /^exec node [\w/.-]+$/);
  assert.match(await readFile(join(root, "exec.cmd"), "utf8"), /^(?:@rem .*\n)*@%\*\n$/);
});
