/** The release script, in repositories made for it, where what it runs is replaced by programs that only report. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { lacks } from "./real/programs.ts";
import { type Ran, run } from "./support/child.ts";
import { nodePath, root, runtime } from "./support/root.ts";

const skip = runtime === "deno" ? "npm publishes, and so Node releases" : lacks("git");
const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
const FILES = {
  "src/version.ts": `export const version = "1.2.0";\n`,
  "scripts/package.mjs": `import { mkdirSync } from "node:fs";
    mkdirSync("build/package", { recursive: true });
    console.log("packed");`,
  "scripts/audit.mjs": `console.log("audited", process.argv[3]);`,
  "package.json": `{ "private": true, "scripts": { "check": "node scripts/check.mjs" } }`,
  "scripts/check.mjs": `import { existsSync } from "node:fs";
    console.log("checked");
    process.exit(existsSync("build/broken") ? 1 : 0);`,
  ".gitignore": "build/\n",
};
const NOTES = "### Fixed\n\n- [Here](docs/a.md#b) and [there](https://example.org/).";

interface Repository {
  readonly folder: string;
  release(...args: readonly string[]): Promise<Ran>;
}

async function repository(t: TestContext, changelog: string): Promise<Repository> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "sidesocket-release-")));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["src", "scripts"]) await mkdir(join(folder, name));
  await cp(join(root, "scripts", "release.mjs"), join(folder, "scripts", "release.mjs"));
  for (const [path, text] of Object.entries({ ...FILES, "CHANGELOG.md": changelog })) {
    await writeFile(join(folder, path), text);
  }
  const author = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"];
  for (const args of [
    ["init", "--quiet"],
    ["add", "."],
    [...author, "commit", "--quiet", "--message", "all"],
  ]) {
    assert.equal((await run({ command: "git", args, cwd: folder, env })).code, 0);
  }
  const script = join(folder, "scripts", "release.mjs");
  return { folder, release: (...args) => run({ command: nodePath(), args: [script, ...args], cwd: folder, env }) };
}

test("a release checks all, proves the package, writes the notes of its version and publishes nothing", {
  skip,
}, async (t) => {
  const { folder, release } = await repository(
    t,
    `# Changelog\n\n## 1.2.0 - 2026-01-01\n\n${NOTES}\n\n## 1.1.0\n\nOld.\n`,
  );
  const { code, stdout, stderr } = await release();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /checked\npacked\naudited build\/package\/sidesocket-1\.2\.0\.cdx\.json\n/);
  assert.match(
    stdout,
    /^nothing is published\. To publish: npm publish \.\/build\/package\/sidesocket-1\.2\.0\.tgz\nthen: deno publish$/m,
  );

  await writeFile(join(folder, "build", "broken"), "");
  const broken = await release("--publish");
  assert.equal(broken.code, 1);
  assert.doesNotMatch(broken.stdout, /packed/);
  assert.match(broken.stderr, /`npm run check` failed/);
  const notes = await readFile(join(folder, "build", "package", "sidesocket-1.2.0.md"), "utf8");
  assert.equal(notes, "### Fixed\n\n- Here (`docs/a.md#b`) and [there](https://example.org/).\n");
});

test("a release stops before it builds unless the tree is clean and the version has notes", { skip }, async (t) => {
  const { folder, release } = await repository(t, `# Changelog\n\n## Unreleased\n\n${NOTES}\n\n## 1.1.0\n\nOld.\n`);
  const withoutNotes = await release();
  assert.deepEqual([withoutNotes.code, withoutNotes.stdout], [1, ""]);
  assert.match(withoutNotes.stderr, /CHANGELOG\.md has no notes under "## 1\.2\.0"/);

  await writeFile(join(folder, "forgotten.ts"), "");
  const unclean = await release("--publish");
  assert.deepEqual([unclean.code, unclean.stdout], [1, ""]);
  assert.match(unclean.stderr, /the tree is not clean/);

  const dry = await release("--dry-run");
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^not checked: a release runs `npm run check` here/);
  assert.match(dry.stdout, /^a release would stop here: the tree is not clean/m);
  assert.match(dry.stdout, /^a release would stop here: CHANGELOG\.md has no notes/m);
  assert.match(await readFile(join(folder, "build", "package", "sidesocket-1.2.0.md"), "utf8"), /^### Fixed/);
});
