/**
 * The build: dist/cli for the command line, bundled so that it starts fast, and the rest of dist/ for programs that
 * import the library.
 *
 *   node scripts/build.mjs [--cli]
 *
 * The library's modules stay as they are written, so that a program shares its packages with them; only the files that
 * its threads begin with are bundled, each into one file that can lie anywhere. `--cli` builds the command line alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const CLI = "dist/cli";
/** The path of the program, which does not tell how it is built. */
const PROGRAM = "dist/main.js";
/** The library of programs that import it. */
export const LIBRARY = "dist/index.js";
const THREAD = "src/runtime/sidesocket-thread.ts";
/** The packages of the pages, which are in the sources in compressed form. */
export const OF_PAGES = ["htm", "preact"];
const LICENCES = "THIRD-PARTY-LICENSES.txt";

/** Modules of node that most starts do not need: loaded when one of their names is first used. */
const USED_LATER = ["node:https", "node:tls", "node:zlib"];

/** Reads node's own modules by `require`: for an `import`, Node evaluates every export, and loads `fetch` for it. */
const requireBuiltins = {
  name: "require-builtins",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^(?:node:)?[a-z0-9_/]+$/ }, ({ path, kind, namespace }) => {
      if (!isBuiltin(path)) return undefined;
      const name = path.replace(/^(?!node:)/, "node:");
      if (namespace === "builtin" || (kind === "require-call" && !USED_LATER.includes(name))) {
        return { path: name, external: true };
      }
      return { path: name, namespace: "builtin", sideEffects: false };
    });
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => {
      // Not only those that are enumerable: the constants of zlib are not.
      const names = Object.getOwnPropertyNames(require(path)).filter((name) =>
        /^(?!default$)[A-Za-z_$][\w$]*$/.test(name),
      );
      return { contents: (USED_LATER.includes(path) ? lazyBuiltin : eagerBuiltin)(JSON.stringify(path), names) };
    });
  },
};

/** A module that has only the names that are imported: copying all of them costs a start milliseconds. */
function eagerBuiltin(path, names) {
  const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})();`);
  return [`const builtin = require(${path});`, "export default builtin;", ...exported].join("\n");
}

function lazyBuiltin(path, names) {
  const getters = names.map((name) => `get ${name}() { return require(${path}).${name}; }`);
  return `module.exports = { ${getters.join(", ")} };`;
}

/** Leaves out HTTP/2, which the adapter of the HTTP server knows and no listener speaks. */
const withoutHttp2 = {
  name: "without-http2",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:http2$/ }, ({ path }) => ({ path, namespace: "http2" }));
    onLoad({ filter: /.*/, namespace: "http2" }, () => ({
      contents: "export class Http2ServerRequest {}\nexport const constants = {};",
    }));
  },
};

/** Leaves out the messages of zod in fifty languages, of which only English is used. */
const englishOnly = {
  name: "english-only",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path }) => ({
      contents: `export { default as en } from "./en.js";`,
      resolveDir: dirname(path),
    }));
  },
};

/** Leaves out what only replicas of the service need: a program's own threads are in no cluster. */
const withoutCluster = {
  name: "without-cluster",
  setup({ onLoad }) {
    const contents = 'export function joinCluster() { throw new Error("unreachable: no cluster in a program"); }';
    onLoad({ filter: /[\\/]thread[\\/]join-cluster\.ts$/ }, () => ({ contents }));
  },
};

const options = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  metafile: true,
  logLevel: "warning",
  legalComments: "none", // The licences are in a file of their own.
  banner: {
    js: [
      'import { createRequire as createRequireOf } from "node:module";',
      "const require = createRequireOf(import.meta.url);",
    ].join("\n"),
  },
  plugins: [withoutHttp2, requireBuiltins, englishOnly],
};

/** They are modules wherever they are copied to, whatever package.json is near. */
const MODULE_FILES = { outExtension: { ".js": ".mjs" } };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values: flags } = parseArgs({ options: { cli: { type: "boolean" } } });
  await (flags.cli ? buildCommandLine() : buildAll());
}

/** @param node the program that runs the compiler */
export async function buildAll(node = process.execPath) {
  await buildLibrary(node);
  await buildCommandLine();
}

/** Bundles the command line: what a start does not need stays in files of its own, loaded when it is needed. */
export async function buildCommandLine() {
  const outdir = CLI;
  const begun = new Date();
  mkdirSync(join(root, CLI), { recursive: true });
  const main = await build({ ...options, outdir, entryPoints: ["src/main.ts"], splitting: true });
  // Built apart, because the threads share no module: one that they shared would be cut into more files.
  const thread = await build({ ...options, ...MODULE_FILES, outdir, entryPoints: [THREAD], splitting: true });
  const made = [main, thread].flatMap(({ metafile }) => Object.keys(metafile.outputs).map((path) => basename(path)));
  for (const old of readdirSync(join(root, CLI))) if (!made.includes(old)) rmSync(join(root, CLI, old));
  writeLicences(CLI, [main, thread]);
  writeFileSync(join(root, PROGRAM), `#!/usr/bin/env node\nimport "./${basename(CLI)}/main.js";\n`, { mode: 0o755 });
  setTime(PROGRAM, begun);
}

/** Dates a build from its beginning: a source that changed meanwhile is newer (scripts/up-to-date.mjs). */
function setTime(built, begun) {
  utimesSync(join(root, built), begun, begun);
}

async function buildLibrary(node) {
  const begun = new Date();
  for (const old of existsSync(join(root, "dist")) ? readdirSync(join(root, "dist")) : []) {
    if (old !== basename(CLI)) rmSync(join(root, "dist", old), { recursive: true });
  }
  const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
  const { status } = spawnSync(node, tsc, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
  writeLicences("dist", [await buildThreadFiles("dist")]);
  setTime(LIBRARY, begun);
}

/** Bundles the files that the library's threads begin with, each into one beside the compiled module that starts it. */
export function buildThreadFiles(outdir) {
  const entryPoints = [THREAD, "src/sidesocket-keeper.ts"];
  const plugins = [...options.plugins, withoutCluster];
  return build({ ...options, ...MODULE_FILES, plugins, outbase: "src", outdir, entryPoints });
}

/** Writes the licences of the packages whose code is in the bundles. */
function writeLicences(folder, bundles) {
  const inputs = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const bundled = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const packages = new Set([...bundled, ...OF_PAGES.map((name) => `node_modules/${name}`)]);
  const texts = [...packages].sort().map((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
    const { name, version, license } = manifest;
    return `${name} ${version} (${license})\n\n${licenceText(join(root, path), manifest).trim()}\n`;
  });
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, LICENCES), texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** Some packages name the MIT licence and do not hold its text: theirs is ours, with their authors. */
function licenceText(folder, { name, license, author }) {
  const file = readdirSync(folder).find((each) => /^licen[cs]e(\.|$)/i.test(each));
  if (file !== undefined) return readFileSync(join(folder, file), "utf8");
  const holder = (typeof author === "string" ? author : author?.name) ?? `the authors of ${name}`;
  if (license !== "MIT") throw new Error(`${name} is bundled, but holds no text of its licence: ${license}`);
  return readFileSync(join(root, "LICENSE"), "utf8").replace(/^Copyright .*$/m, `Copyright (c) ${holder}`);
}
