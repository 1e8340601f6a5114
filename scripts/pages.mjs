/**
 * The pages for people, from pages/ into src/http/page-files.ts: compressed, so that they are in every form of the
 * program, bundles included, and nothing has to be found or read when they are served.
 *
 *   node scripts/pages.mjs [--check]
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = join(root, "pages");
const MADE = join(root, "src/http/page-files.ts");
/** The one file that is bundled: the others are served as they are written. */
const BUNDLED = "preact.js";
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
const COLUMNS = 100;

export async function bundlePreact() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join("pages", BUNDLED)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    banner: { js: "/* preact (MIT) and htm (Apache-2.0), see THIRD-PARTY-LICENSES.txt */" },
  });
  return Buffer.from(outputFiles[0].contents);
}

function entryOf(name, bytes) {
  const etag = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  const lines = gzipSync(bytes, { level: 9 })
    .toString("base64")
    .match(new RegExp(`.{1,${COLUMNS}}`, "g"));
  const type = TYPES[extname(name)];
  return `  "${name}": {\n    type: "${type}",\n    etag: '"${etag}"',\n    gzip: \`\n${lines.join("\n")}\`,\n  },\n`;
}

/** Without the compressed bytes: those of another version of Node may differ. */
function facts(text) {
  return text.replaceAll(/gzip: `[^`]*`/g, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const entries = [];
  for (const name of readdirSync(FOLDER).sort()) {
    entries.push(entryOf(name, name === BUNDLED ? await bundlePreact() : readFileSync(join(FOLDER, name))));
  }
  const text = `/** The pages for people, written by scripts/pages.mjs from pages/, each file compressed and in base64. */

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly gzip: string;
}

export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
${entries.join("")}};
`;
  if (!process.argv.includes("--check")) writeFileSync(MADE, text);
  else if (facts(readFileSync(MADE, "utf8")) !== facts(text)) {
    console.error("src/http/page-files.ts is not what pages/ makes: run node scripts/pages.mjs");
    process.exitCode = 1;
  }
}
