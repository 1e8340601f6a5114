/**
 * The documents as a site in build/site/html, for any server of files, which needs no network: `npm run docs`.
 *
 *   node scripts/docs.mjs [--base /PATH/] [--check] [--serve]
 *
 * Fails on a link, a heading or a picture that is not there. `--base` is the path below which the site will lie;
 * `--check` looks at it in Chromium: nothing comes from elsewhere, nothing fails, and the search finds. `--serve` shows
 * it on 127.0.0.1.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, posix } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stage } from "../site/stage.mjs";
import { installOnce } from "./deno.mjs";

const FOLDER = "build/site";
const HTML = join(FOLDER, "html");

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({
  options: { base: { type: "string", default: "/" }, check: { type: "boolean" }, serve: { type: "boolean" } },
});

installOnce("site");
stage(".", join(FOLDER, "source"));
rmSync(HTML, { recursive: true, force: true });
vitepress("build", "--base", flags.base);
report(deadLinks(flags.base));
console.log(`made ${HTML}`);
if (flags.check) {
  const { checkInBrowser } = await import("../site/check.mjs");
  report(await checkInBrowser(HTML, flags.base));
  console.log("checked in a browser, light and dark: nothing comes from elsewhere, and the search finds");
}
if (flags.serve) vitepress("preview", "--base", flags.base, "--host", "127.0.0.1");

function report(wrong) {
  for (const sentence of wrong) console.error(sentence);
  if (wrong.length > 0) process.exit(1);
}

function vitepress(command, ...args) {
  const program = "site/node_modules/vitepress/bin/vitepress.js";
  const { status } = spawnSync(process.execPath, [program, command, "site", ...args], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

/** Finds what VitePress does not look at: headings, and files that are no pages. */
function deadLinks(base) {
  const names = readdirSync(HTML, { recursive: true }).map((name) => name.replaceAll("\\", "/"));
  const pages = new Map(
    names.filter((name) => name.endsWith(".html")).map((name) => [name, readFileSync(join(HTML, name), "utf8")]),
  );
  const ids = new Map(Array.from(pages, ([name, text]) => [name, new Set(matches(text, / id="([^"]+)"/g))]));
  return Array.from(pages).flatMap(([name, text]) =>
    matches(text, / (?:href|src|srcset)="([^"]+)"/g).flatMap((link) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path, heading] = link.replaceAll("&amp;", "&").split("#");
      const inSite = path.startsWith(base) ? path.slice(base.length) : posix.join(posix.dirname(name), path);
      const file = path === "" ? name : /(?:^|\/)\.?$/.test(inSite) ? posix.join(inSite, "index.html") : inSite;
      if (!existsSync(join(HTML, file))) return [`${name} links to ${link}: there is no such file`];
      const isThere = !heading || !ids.has(file) || ids.get(file).has(decodeURIComponent(heading));
      return isThere ? [] : [`${name} links to ${link}: there is no such heading`];
    }),
  );
}

function matches(text, pattern) {
  return [...new Set(Array.from(text.matchAll(pattern), ([, group]) => group))];
}
