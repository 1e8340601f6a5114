/**
 * The release: proves the package, and puts its bill of materials and its notes beside it.
 *
 *   node scripts/release.mjs [--dry-run | --publish]
 *
 * Releases the version of src/version.ts, from a clean tree that passes `npm run check`, with the notes of that version
 * in CHANGELOG.md. It prints the commands that publish, and runs `npm publish` only with `--publish`. `--dry-run` leaves
 * the check out, goes on where a release would stop, with the notes of "Unreleased" if the version has none, and lists at
 * the end what would have stopped it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const FOLDER = "build/package";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({ options: { "dry-run": { type: "boolean" }, publish: { type: "boolean" } } });
if (flags.publish && flags["dry-run"]) stop("--dry-run publishes nothing: leave out one of --dry-run and --publish");

const version = /version = "(.*)"/.exec(readFileSync("src/version.ts", "utf8"))[1];
const tag = `v${version}`;
const made = (ending) => join(FOLDER, `sidesocket-${version}.${ending}`);
const inTheWay = [];

if (git("status", "--porcelain") !== "") hinder("the tree is not clean: commit or stash what `git status` lists");
if (git("tag", "--list", tag) !== "") hinder(`the tag ${tag} is there already: set another version in src/version.ts`);
const notes = notesOf(version) ?? unreleased();

if (flags["dry-run"]) console.log("not checked: a release runs `npm run check` here, all tests included");
else if (!npm("run", "check")) stop("`npm run check` failed: mend what it says above");
// The package comes before the rest: it empties the folder.
if (!run("scripts/package.mjs")) stop("the package is not fit to be published");
if (!run("scripts/audit.mjs", "--sbom", made("cdx.json"))) {
  hinder("the audit found something, or could not ask the registry: see above");
}
writeFileSync(made("md"), `${notes}\n`);

console.log(`\nmade ${["tgz", "cdx.json", "md"].map(made).join(", ")}`);
for (const reason of inTheWay) console.log(`a release would stop here: ${reason}`);
// A version such as 1.0.0-beta.1 is not what a plain `npm install` should give.
const publish = ["publish", `./${made("tgz")}`, ...(version.includes("-") ? ["--tag", "next"] : [])];
if (flags.publish) {
  if (!npm(...publish)) stop("npm published nothing: see above");
} else console.log(`nothing is published. To publish: npm ${publish.join(" ")}`);
// Deno's registry takes the sources as they are committed, and knows who publishes by the browser that this opens.
console.log("then: deno publish");
console.log(`then: git tag --annotate ${tag} --file ${made("md")} --cleanup verbatim && git push origin ${tag}`);

/** Reads the notes of a version from the change log, or undefined without a section for it. */
function notesOf(name) {
  const sections = readFileSync("CHANGELOG.md", "utf8").split(/^## /m).slice(1);
  const section = sections.find((text) => text.split(/[\s\]]/, 1)[0].replace("[", "") === name);
  const [, ...lines] = section?.split("\n") ?? [];
  const text = lines.join("\n").trim();
  // The notes are read far from the repository, where links within it lead nowhere.
  return text === "" ? undefined : text.replace(/\[([^\]]+)\]\((?![a-z]+:)([^)]+)\)/g, "$1 (`$2`)");
}

function unreleased() {
  hinder(`CHANGELOG.md has no notes under "## ${version}": move those of "Unreleased" there, or set another version`);
  return notesOf("Unreleased") ?? "";
}

/** Stops a release, and lets a dry run go on. */
function hinder(reason) {
  if (!flags["dry-run"]) stop(reason);
  inTheWay.push(reason);
}

function stop(reason) {
  console.error(`release: ${reason}`);
  process.exit(1);
}

function git(...args) {
  const { status, stdout, stderr, error } = spawnSync("git", args, { encoding: "utf8" });
  if (status !== 0) stop(`git ${args.join(" ")} failed: ${error?.message ?? stderr.trim()}`);
  return stdout.trim();
}

function npm(...args) {
  return spawnSync("npm", args, { stdio: "inherit", shell: process.platform === "win32" }).status === 0;
}

function run(script, ...args) {
  return spawnSync(process.execPath, [script, ...args], { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}
