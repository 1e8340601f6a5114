/**
 * The sources of the site, made of the documents as they lie in the repository: a folder's README becomes its index,
 * and a file or folder that a page links to becomes a page, so that every link leads somewhere without a network.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, posix } from "node:path";

/** The pages besides docs/. */
const PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"];
const LINK = /(?<=\]\()([^)\s#]+)(?=(?:#[^)\s]*)?\))/g;
const LANGUAGES = { ".ts": "ts", ".mjs": "js", ".json": "json", ".ndjson": "json", ".yaml": "yaml", ".xml": "xml" };
const PICTURES = new Set([".png", ".svg"]);

/** Writes the sources, and throws an Error with every link that leads nowhere. */
export function stage(root, source) {
  rmSync(source, { recursive: true, force: true });
  const files = new Set();
  const dead = [];
  // Sets that grow while they are walked are walked to their end: a page that is linked to may link to others.
  const pages = new Set([...PAGES, ...markdownIn(root, "docs")]);
  for (const path of pages) {
    const staged = outsideFences(readFileSync(join(root, path), "utf8"), (text) =>
      // A picture in HTML is taken for a package unless its path begins with a dot.
      text.replace(/(?<= src(?:set)?=")(?=\w+\/)/g, "./").replace(LINK, (link) => {
        if (/^[a-z]+:/.test(link)) return link;
        const target = posix.join(posix.dirname(path), link);
        if (!existsSync(join(root, target))) {
          dead.push(`${path} links to ${link}`);
          return link;
        }
        if (statSync(join(root, target)).isDirectory()) {
          const readme = posix.join(target, "README.md");
          if (existsSync(join(root, readme))) pages.add(readme);
          else files.add(target);
          return posix.join(link, "index.md");
        }
        if (PICTURES.has(extname(target))) return link;
        if (!target.endsWith(".md")) {
          files.add(target);
          return `${link}.md`;
        }
        pages.add(target);
        return link.replace(/README\.md$/, "index.md");
      }),
    );
    write(join(source, path.replace(/README\.md$/, "index.md")), staged);
  }
  if (dead.length > 0) throw new Error(`links that lead nowhere:\n${dead.join("\n")}`);
  for (const path of files) addFile(root, path, source, files);
  cpSync(join(root, "docs"), join(source, "docs"), {
    recursive: true,
    filter: (path) => PICTURES.has(extname(path)) || statSync(path).isDirectory(),
  });
}

/** Makes a page of a file, or of a folder and its files. */
function addFile(root, path, source, files) {
  const name = posix.basename(path);
  if (!statSync(join(root, path)).isDirectory()) {
    const text = readFileSync(join(root, path), "utf8");
    const fence = "`".repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([{ length }]) => length + 1)));
    const language = LANGUAGES[extname(path)] ?? "text";
    return write(join(source, `${path}.md`), `# ${name}\n\n\`${path}\`\n\n${fence}${language}\n${text}\n${fence}\n`);
  }
  const lines = readdirSync(join(root, path), { withFileTypes: true }).map((entry) => {
    const each = entry.name;
    if (each.endsWith(".md")) return `- [${titleOf(readFileSync(join(root, path, each), "utf8"))}](${each})`;
    files.add(posix.join(path, each));
    return entry.isDirectory() ? `- [${each}/](${each}/index.md)` : `- [${each}](${each}.md)`;
  });
  const title = name[0].toUpperCase() + name.slice(1);
  write(join(source, path, "index.md"), `# ${title}\n\n${lines.join("\n")}\n`);
}

/** The first heading, without marks. */
export function titleOf(text) {
  return /^# (.*)$/m.exec(text)?.[1].replaceAll("`", "") ?? "";
}

export function markdownIn(root, folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .map((path) => posix.join(folder, path.replaceAll("\\", "/")))
    .filter((path) => path.endsWith(".md"))
    .sort();
}

/** The place of a heading in its page, as the hosts of repositories write it. */
export function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}

function outsideFences(text, change) {
  return text
    .split(/^( *```[\s\S]*?^ *```)/m)
    .map((part, index) => (index % 2 === 0 ? change(part) : part))
    .join("");
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
