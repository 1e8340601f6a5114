/** The site of the documents. Its sidebar is made of the folders, so that no page can be forgotten. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { markdownIn, slugOf, titleOf } from "../stage.mjs";

const source = fileURLToPath(new URL("../../build/site/source/", import.meta.url));
const read = (page) => readFileSync(join(source, page), "utf8");
const loose = (...names) => names.map((name) => `docs/${name}.md`);

/** The pages of a folder: its index, those that the index links to in their order, and the rest. */
function folder(name) {
  const all = markdownIn(source, `docs/${name}`).filter((page) => !page.endsWith(".ndjson.md"));
  const index = `docs/${name}/index.md`;
  const linked = all.includes(index) ? [...read(index).matchAll(/\]\(([\w.-]+\.md)/g)].map(([, page]) => page) : [];
  const inOrder = [index, ...linked.map((page) => `docs/${name}/${page}`), ...all];
  return [...new Set(inOrder)].filter((page) => all.includes(page));
}

const SECTIONS = [
  { text: "Start", pages: ["index.md", ...loose("getting-started", "index")] },
  { text: "Guides", pages: [...folder("guides"), "examples/index.md"] },
  { text: "Recipes", pages: folder("recipes"), collapsed: true },
  {
    text: "Examples",
    pages: markdownIn(source, "examples").filter((page) => page.endsWith("index.md")),
    collapsed: true,
  },
  { text: "Concepts", pages: folder("concepts") },
  { text: "Deploy", pages: folder("deploy") },
  {
    text: "Operate",
    pages: [...folder("operate"), ...loose("observability", "limits", "exit-protocol", "runtimes", "page")],
  },
  {
    text: "Reference",
    pages: loose("http-api", "configuration", "commands", "protocols", "presets", "reaching", "library", "client"),
  },
  {
    text: "Judge it",
    pages: [
      ...loose(
        "promises",
        "versions",
        "dependencies",
        "fault-matrix",
        "threat-model",
        "benchmarks/index",
        "deno-reports",
      ),
      ...["CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"],
    ],
  },
  { text: "Decisions", pages: folder("decisions"), collapsed: true },
];
const listed = new Set(SECTIONS.flatMap(({ pages }) => pages));
for (const page of markdownIn(source, "docs")) {
  if (listed.has(page) || page.includes("/recordings/")) continue;
  SECTIONS.find(({ text }) => text === "Reference").pages.push(page);
  listed.add(page);
}

/** The text that the search knows: that of the documents, not of the files that they link to. */
function searched(text, env, markdown) {
  return listed.has(env.relativePath) ? markdown.render(text, env) : "";
}

export default defineConfig({
  title: "sidesocket",
  description: "Call any WebSocket API as if it were HTTP.",
  lang: "en",
  srcDir: source,
  outDir: fileURLToPath(new URL("../../build/site/html/", import.meta.url)),
  cacheDir: fileURLToPath(new URL("../../build/site/cache/", import.meta.url)),
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: { anchor: { slugify: slugOf } },
  themeConfig: {
    outline: [2, 3],
    search: { provider: "local", options: { _render: searched } },
    sidebar: SECTIONS.map(({ text, pages, collapsed = false }) => ({
      text,
      collapsed,
      items: pages.map((page) => ({ text: titleOf(read(page)), link: `/${page.replace(/(?:index)?\.md$/, "")}` })),
    })),
    docFooter: { prev: false, next: false },
  },
});
