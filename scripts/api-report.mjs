/**
 * The report of the public types: every declaration that the entry points of the package export or refer to, without
 * comments, in etc/api.md.
 *
 *   npm run build && node scripts/api-report.mjs [--check]
 *
 * A change of the public surface is a change of that file, so that a review sees it. `--check` writes nothing, and
 * fails if the report is not that of the build. Microsoft's API Extractor does the same by a compiler of its own.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const PATH = "etc/api.md";

const STATEMENT = /^(?:import|export|declare|abstract|class|interface|type|const|function|enum)\b/;

const { name, exports } = JSON.parse(readFileSync("package.json", "utf8"));
const modules = new Map();
const sections = Object.entries(exports)
  .filter(([, target]) => target.default)
  .map(([entry, target]) => sectionOf(join(name, entry), join(".", target.default.replace(/\.js$/, ".d.ts"))));
const report = [
  "# Public types",
  "Written by `scripts/api-report.mjs`, checked by `npm run api`. Comments are left out.",
  ...sections,
].join("\n\n");

if (process.argv.includes("--check")) {
  if (readFileSync(PATH, "utf8") === `${report}\n`) process.exit(0);
  console.error(`${PATH} is not the report of the build: the public types have changed.`);
  console.error("If that is meant, run node scripts/api-report.mjs and commit the report.");
  process.exit(1);
}
writeFileSync(PATH, `${report}\n`);

/** The section of an entry point: what it exports, then what that refers to. */
function sectionOf(title, path) {
  const exported = new Map([...exportsOf(path)].sort(([a], [b]) => (a < b ? -1 : 1)));
  const found = new Map();
  const packages = new Set();
  const pending = [...exported.values()];
  for (const { module, local } of pending) {
    const key = `${module}#${local}`;
    if (found.has(key)) continue;
    const { declarations, imports } = read(module);
    const text = declarations.get(local);
    if (text === undefined) throw new Error(`${module} does not declare ${local}`);
    found.set(key, { local, text });
    for (const word of new Set(text.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/[A-Za-z_$][\w$]*/g))) {
      const imported = imports.get(word);
      if (imported?.module === undefined && imported) packages.add(`${word} of ${imported.from}`);
      else if (imported) pending.push(exportsOf(imported.module).get(imported.local) ?? fail(module, word));
      else if (declarations.has(word)) pending.push({ module, local: word });
    }
  }
  const isExported = new Set([...exported.values()].map(({ module, local }) => `${module}#${local}`));
  const others = [...found].filter(([key]) => !isExported.has(key)).map(([, each]) => each);
  const block = (texts) => `\`\`\`ts\n${texts.join("\n\n")}\n\`\`\``;
  return [
    `## ${title}`,
    block([...exported.values()].map(({ module, local }) => found.get(`${module}#${local}`).text)),
    ...(others.length > 0
      ? ["Not exported, but referred to:", block(others.sort((a, b) => (a.local < b.local ? -1 : 1)).map(textOf))]
      : []),
    ...(packages.size > 0 ? [`Of other packages: ${[...packages].sort().join(", ")}.`] : []),
  ].join("\n\n");
}

function textOf({ text }) {
  return text;
}

function fail(module, word) {
  throw new Error(`${module} imports ${word}, which is not exported`);
}

/** The exports of a module, by name, with the place of each declaration. */
function exportsOf(path) {
  const { exported, stars } = read(path);
  const all = new Map(stars.flatMap((star) => [...exportsOf(star)]));
  for (const [as, { module, local }] of exported) {
    all.set(as, module === path ? { module, local } : (exportsOf(module).get(local) ?? fail(path, local)));
  }
  return all;
}

/** Reads a file of declarations as the compiler writes it: each statement begins with a keyword at the left margin. */
function read(path) {
  const known = modules.get(path);
  if (known) return known;
  const module = { declarations: new Map(), imports: new Map(), exported: new Map(), stars: [] };
  modules.set(path, module);
  const text = readFileSync(path, "utf8").replaceAll(/("(?:[^"\\\n]|\\.)*")|\/\*[\s\S]*?\*\/|\/\/.*/g, "$1");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const statements = lines.reduce((all, line) => {
    if (STATEMENT.test(line) || all.length === 0) all.push(line);
    else all.push(`${all.pop()}\n${line}`);
    return all;
  }, []);
  for (const statement of statements) take(module, path, statement);
  return module;
}

function take(module, path, statement) {
  const [, keyword, star, list, from] =
    /^(import|export)\s+(?:type\s+)?(?:(\*)|\{([\s\S]*?)\})?\s*(?:from\s+)?(?:"(.+)")?;$/.exec(statement) ?? [];
  if (keyword === undefined || (star === undefined && list === undefined)) {
    const [, declared] =
      /^(?:export\s+)?(?:declare\s+)?(?:abstract\s+)?(?:class|interface|type|const|function|enum)\s+([\w$]+)/.exec(
        statement,
      ) ?? fail(path, statement);
    const former = module.declarations.get(declared);
    module.declarations.set(declared, former === undefined ? statement : `${former}\n${statement}`);
    if (statement.startsWith("export")) module.exported.set(declared, { module: path, local: declared });
    return;
  }
  const place = from?.startsWith(".")
    ? relative(".", join(dirname(path), from.replace(/\.[jt]s$/, ".d.ts")))
    : undefined;
  if (star !== undefined) return void module.stars.push(place ?? fail(path, from));
  for (const item of list.split(",").filter((each) => each.trim() !== "")) {
    const [local, as = local] = item
      .trim()
      .replace(/^type\s+/, "")
      .split(/\s+as\s+/);
    if (keyword === "import") module.imports.set(as, { module: place, local, from });
    else if (from === undefined) exportLocal(module, path, local, as);
    else module.exported.set(as, { module: place, local });
  }
}

/** Exports what the module declares, or what it has imported. */
function exportLocal({ exported, imports }, path, local, as) {
  const imported = imports.get(local);
  exported.set(as, imported ? { module: imported.module, local: imported.local } : { module: path, local });
}
