/** The references of the repository: links, paths, citations and named tests, each of which must lead somewhere. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/root.ts";

/** Path → text, or undefined for a file that is only there. */
type Tree = ReadonlyMap<string, string | undefined>;
/** A tree in a test. */
type Sources = Readonly<Record<string, string>>;

interface Rule {
  /** A sentence. */
  readonly name: string;
  /** One sentence for every break. */
  breaks(tree: Tree): string[];
  /** Trees, each with the breaks that must be found in it. */
  readonly broken: readonly (readonly [tree: Sources, breaks: readonly string[]])[];
}

const THREATS = "docs/threat-model.md";
const ROWS = "docs/fault-matrix.md";
/** This file is full of references that lead nowhere, on purpose. */
const SELF = "test/references.test.ts";

/** Made or installed, and not in the repository. */
const NOT_OURS: ReadonlySet<string> = new Set([".git", "build", "coverage", "dist", "node_modules"]);

/** A path from the root, with `*`, `**` and `{a,b}` for several, and perhaps a heading. */
const ROOTED =
  /(?<![\w./@:-])(?:src|test|docs|bench|scripts|\.ci|\.github)\/(?:[\w./*-]|\{[\w,.-]+\})*[\w*}](?:#[\w-]+)?/g;
/** The name of a source file, or the end of its path. */
const NAMED = /(?<![\w./@*}-])(?:[\w-]+\/)*[\w-][\w.-]*\.(?:ts|mjs)\b/g;
/** The files that threads begin with, which the build makes of sources of the same names. */
const BUILT = /(?:^|\/)sidesocket-(?:thread|keeper)\.mjs$/;

/** `row 34`, `rows 19 to 22`, `row 20 and row 21`, `Rows 7, 8 and 9`. */
const ROW_CITED = /\b[Rr]ows? \d+(?:(?:,| and| to|, and)(?: row)? \d+)*/g;
/** `threat T7`, `threats T1 and T2`. */
const THREAT_CITED = /\b[Tt]hreats? T\d+(?:(?:,| and| to|, and) T\d+)*/g;
const DECISION_CITED = /\bdecisions? (\d{4})\b/gi;

/** A line that quotes a test: - `test/….test.ts`: "its name". */
const PROOF = /^ *- `([^`]+)`: "(.*)"$/;
/** What a threat without a test says instead, with the reason. */
const NO_PROOF = /^No test: \S/m;

const RULES: readonly Rule[] = [
  {
    name: "every relative link leads to a file, and to a heading in it",
    breaks: (tree) =>
      within(tree, ".md").flatMap(([path, text]) =>
        [...outsideCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
          if (/^[a-z]+:/.test(link)) return [];
          const [file = "", heading] = link.split("#");
          const target = file === "" ? path : posix.join(posix.dirname(path), file);
          return lost(tree, target, heading).map((problem) => `${path} links to ${link}: ${problem}`);
        }),
      ),
    broken: [
      [{ "a.md": "[b](b.md)" }, ["a.md links to b.md: there is no such file"]],
      [{ "docs/a.md": "[b](../b.md)", "b.md": "" }, []],
      [{ "docs/a.md": "[b](../docs)" }, []],
      [{ "a.md": "[b](b.md#here)", "b.md": "# There" }, ["a.md links to b.md#here: there is no such heading"]],
      [{ "a.md": "[b](#json-rpc-20-ids)\n\n## `JSON-RPC` 2.0: ids" }, []],
      [{ "a.md": "[b](#c-1)\n\n# C\n\n# C" }, []],
      [{ "a.md": "[b](#c)\n\n```sh\n# C\n```" }, ["a.md links to #c: there is no such heading"]],
      [{ "a.md": "`[b](b.md)` [c](https://example.org/d.md#e)" }, []],
    ],
  },
  {
    name: "every path that a document or a comment names is there",
    breaks: (tree) =>
      [...tree].flatMap(([path, text]) => {
        const prose = text === undefined || path === SELF ? "" : path.endsWith(".md") ? text : comments(path, text);
        const rooted = [...prose.matchAll(ROOTED)].filter(([named]) => {
          const [file = "", heading] = named.replace(/\.$/, "").split("#");
          return lost(tree, file, heading).length > 0;
        });
        const ends = [...prose.matchAll(NAMED)].filter(
          ([named]) =>
            !BUILT.test(named) && ![...tree.keys()].some((known) => known === named || known.endsWith(`/${named}`)),
        );
        const names = new Set([...rooted, ...ends].map(([named]) => named));
        return [...names].map((named) => `${path} names ${named}`);
      }),
    broken: [
      [{ "a.md": "See `src/b.ts`." }, ["a.md names src/b.ts"]],
      [{ "a.md": "See src/b.ts, src/ and src/b.", "src/b.ts": "", "src/b/c.ts": "" }, []],
      [{ "a.md": "`b/c.ts`, `d.ts`, `./e.ts`, `*.test.ts`", "src/b/c.ts": "" }, ["a.md names d.ts"]],
      [
        { "a.md": "`src/*.ts`, `src/{b,c}/**`, `test/*.ts`", "src/b.ts": "", "src/c/d/e.ts": "" },
        ["a.md names test/*.ts"],
      ],
      [{ "src/a.ts": `/** As docs/b.md says. */\nimport "src/c.ts";` }, ["src/a.ts names docs/b.md"]],
      [{ "src/a.ts": "f(); // docs/b.md#c", "docs/b.md": "# D" }, ["src/a.ts names docs/b.md#c"]],
      [{ "src/a.ts": "// https://example.org/src/b.ts" }, []],
      [{ "a.yml": "run: src/b.ts # as src/c.ts" }, ["a.yml names src/c.ts"]],
    ],
  },
  {
    name: "every cited row, threat and decision is in its list",
    breaks: (tree) => {
      const rows = new Set([...readRows(tree)].map(([row]) => row));
      const threats = new Set([...readThreats(tree)].map(([threat]) => threat));
      const decisions = new Set([...tree.keys()].map((path) => /^docs\/decisions\/(\d{4})-/.exec(path)?.[1] ?? ""));
      return [...tree].flatMap(([path, text = ""]) => {
        if (path === SELF || !/^(?:src|test|docs|scripts)\/|\.md$/.test(path)) return [];
        const missing = [
          ...cited(text, ROW_CITED, /\d+/g)
            .filter((row) => !rows.has(row))
            .map((row) => `row ${row}`),
          ...cited(text, THREAT_CITED, /T\d+/g)
            .filter((threat) => !threats.has(threat))
            .map((threat) => `threat ${threat}`),
          ...cited(text, DECISION_CITED, /\d+/g)
            .filter((page) => !decisions.has(page))
            .map((page) => `decision ${page}`),
        ];
        return missing.map((citation) => `${path} cites ${citation}`);
      });
    },
    broken: [
      [{ "src/a.ts": "// Threat T6", [THREATS]: "### T7: secrets" }, ["src/a.ts cites threat T6"]],
      [{ "src/a.ts": "// threats T6 and T7", [THREATS]: "### T7: secrets" }, ["src/a.ts cites threat T6"]],
      [{ "test/a.ts": `test("row 3: b")`, [ROWS]: "| 4 | b | c | d |" }, ["test/a.ts cites row 3"]],
      [{ "test/a.ts": "/** Rows 4 to 6. */", [ROWS]: "| 4 | b | c | d |" }, ["test/a.ts cites row 6"]],
      [{ "docs/a.md": "decision 0002", "docs/decisions/0001-b.md": "" }, ["docs/a.md cites decision 0002"]],
      [{ "docs/a.md": "decision 0001", "docs/decisions/0001-b.md": "" }, []],
      [{ "bench/a.mjs": "// row 3", "src/a.ts": "rows 3.5 of T6" }, ["src/a.ts cites row 3"]],
    ],
  },
  {
    name: "every threat names tests that are there, or says why there is none",
    breaks: (tree) =>
      readThreats(tree).flatMap(([threat, section]) => {
        const proofs = proofsIn(section);
        const silent = proofs.length === 0 && !NO_PROOF.test(section);
        return [
          ...(silent ? [`${threat} names no test, and no reason`] : []),
          ...proofs
            .filter(({ path, title }) => !titlesOf(tree.get(path)).includes(title))
            .map(({ path, title }) => `${threat} names a test that is not there: ${path}: "${title}"`),
        ];
      }),
    broken: [
      [{ [THREATS]: "### T1: a\n\nA defence." }, ["T1 names no test, and no reason"]],
      [{ [THREATS]: "### T1: a\n\nNo test: nothing of ours could fail." }, []],
      [
        {
          [THREATS]: `### T1: a\n\n- \`test/b.test.ts\`: "c"\n\n### T2: d\n\n- \`test/b.test.ts\`: "e"`,
          "test/b.test.ts": `test("c", f)`,
        },
        [`T2 names a test that is not there: test/b.test.ts: "e"`],
      ],
      [
        { [THREATS]: `### T1: a\n\n- \`test/b.test.ts\`: "c"` },
        [`T1 names a test that is not there: test/b.test.ts: "c"`],
      ],
      [{ [THREATS]: `### T1: a\n\n- \`b.ts\`: "a … of "c""`, "b.ts": `  test(\n    \`a \${name} of "c"\`, f)` }, []],
      [
        { [THREATS]: `### T1: a\n\n- \`b.ts\`: "c"`, "b.ts": `latest("c")` },
        [`T1 names a test that is not there: b.ts: "c"`],
      ],
    ],
  },
  {
    name: "every test that another document quotes is there",
    breaks: (tree) =>
      within(tree, ".md").flatMap(([path, text]) =>
        path === THREATS
          ? []
          : proofsIn(text)
              .filter((proof) => !titlesOf(tree.get(proof.path)).includes(proof.title))
              .map((proof) => `${path} quotes a test that is not there: ${proof.path}: "${proof.title}"`),
      ),
    broken: [
      [{ "docs/a.md": `- \`b.ts\`: "c"` }, [`docs/a.md quotes a test that is not there: b.ts: "c"`]],
      [{ "docs/a.md": `- \`b.ts\`: "c"`, "b.ts": `test("c", f)` }, []],
    ],
  },
  {
    name: "every row of the fault matrix links to tests that name the row, or that it names",
    breaks: (tree) =>
      readRows(tree).flatMap(([row, cell]) => {
        const proofs = [...cell.matchAll(/\[[^\]]+\]\(\.\.\/([^)]+)\)(?:: "([^"]+)")?/g)];
        return [
          ...(proofs.length === 0 ? [`row ${row} names no test`] : []),
          ...proofs
            .filter(([, path = "", title]) =>
              title === undefined ? !namesRow(tree.get(path), row) : !titlesOf(tree.get(path)).includes(title),
            )
            .map(([, path, title = `row ${row}`]) => `row ${row} names a test that is not there: ${path}: "${title}"`),
        ];
      }),
    broken: [
      [{ [ROWS]: "| 1 | a | b | |" }, ["row 1 names no test"]],
      [{ [ROWS]: "| 1 | a | b | [c](../c.ts) |" }, [`row 1 names a test that is not there: c.ts: "row 1"`]],
      [{ [ROWS]: "| 1 | a | b | [c](../c.ts) |", "c.ts": `test("row 1: a")` }, []],
      [
        { [ROWS]: "| 1 | a | b | [c](../c.ts) |", "c.ts": `/** Row 1. */ test("row 11: a")` },
        [`row 1 names a test that is not there: c.ts: "row 1"`],
      ],
      [{ [ROWS]: "| 2 | a | b | [c](../c.ts) |", "c.ts": `test("row 1 and row 2: a")` }, []],
      [{ [ROWS]: "| 2 | a | b | [c](../c.ts) |", "c.ts": "[[1, a], [2, b]]; test(`row ${row}: a`)" }, []],
      [{ [ROWS]: `| 2 | a | b | [c](../c.ts): "d" |`, "c.ts": `test("d")` }, []],
      [
        { [ROWS]: `| 2 | a | b | [c](../c.ts): "e" |`, "c.ts": `test("d")` },
        [`row 2 names a test that is not there: c.ts: "e"`],
      ],
    ],
  },
];

describe("references", () => {
  const tree = readTree();

  test("the lists are found, and neither is empty", () => {
    assert.ok(readRows(tree).length > 50);
    assert.ok(readThreats(tree).length > 20);
  });

  for (const { name, breaks } of RULES) {
    test(name, () => assert.deepEqual(breaks(tree), []));
  }
});

describe("a tree that breaks a rule is seen", () => {
  for (const { name, breaks, broken } of RULES) {
    test(name, () => {
      assert.ok(broken.some(([, problems]) => problems.length > 0));
      for (const [sources, problems] of broken) assert.deepEqual(breaks(new Map(Object.entries(sources))), problems);
    });
  }
});

/** Reads the repository, or what an archive of it holds. */
function readTree(): Tree {
  const list = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (NOT_OURS.has(entry.name)) return [];
      return entry.isDirectory() ? list(path) : [path];
    });
  const isText = (path: string): boolean => /\.(?:md|ts|mjs|yml)$|^Dockerfile$|^\.ci\//.test(path);
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  return new Map(list(".").map((path) => [path, isText(path) ? read(path) : undefined]));
}

function within(tree: Tree, extension: string): [path: string, text: string][] {
  return [...tree].flatMap(([path, text]) => (text !== undefined && path.endsWith(extension) ? [[path, text]] : []));
}

/** A document without its code, where links and headings are not meant. */
function outsideCode(text: string): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, "").replace(/`[^`\n]+`/g, "`");
}

/** The lines, and ends of lines, that are comments. */
function comments(path: string, text: string): string {
  const comment = /\.(?:ts|mjs)$/.test(path) ? /^\s*(?:\/\/|\/?\*).*$|\s\/\/ .*$/gm : /(?:^|\s)# .*$/gm;
  return [...text.matchAll(comment)].map(([line]) => line).join("\n");
}

/** The problem with a path, if any: a file, a folder or a pattern, and a heading in it. */
function lost(tree: Tree, path: string, heading: string | undefined): string[] {
  const pattern = new RegExp(`^${patternOf(path.replace(/\/$/, ""))}(?:/|$)`);
  if (![...tree.keys()].some((known) => pattern.test(known))) return ["there is no such file"];
  if (heading === undefined || headings(tree.get(path) ?? "").includes(heading)) return [];
  return ["there is no such heading"];
}

function patternOf(path: string): string {
  return path.replace(/\*\*|[*{},.+]/g, (token) => {
    const meaning: Readonly<Record<string, string>> = { "**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|" };
    return meaning[token] ?? `\\${token}`;
  });
}

/** The names that GitHub gives to headings: lower case, without punctuation, numbered where they repeat. */
function headings(text: string): string[] {
  const seen = new Map<string, number>();
  return [...text.replace(/^ *```[\s\S]*?^ *```$/gm, "").matchAll(/^#{1,6} +(.*)$/gm)].map(([, heading = ""]) => {
    const name = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return times === 0 ? name : `${name}-${times}`;
  });
}

function cited(text: string, citation: RegExp, each: RegExp): string[] {
  return [...new Set([...text.matchAll(citation)].flatMap(([whole]) => whole.match(each) ?? []))];
}

/** The rows of the fault matrix, with their last cell. */
function readRows(tree: Tree): [row: string, proof: string][] {
  const rows = (tree.get(ROWS) ?? "").matchAll(/^\| (\d+) \|.*\| ?(.*?) ?\|$/gm);
  return [...rows].map(([, row = "", proof = ""]) => [row, proof]);
}

/** The threats, with what stands below their heading. */
function readThreats(tree: Tree): [threat: string, section: string][] {
  const sections = (tree.get(THREATS) ?? "").split(/^### /m).slice(1);
  return sections.map((section) => [/^T\d+/.exec(section)?.[0] ?? "?", section.split(/^## /m, 1)[0] ?? ""]);
}

/** The tests that a text quotes, one a line. */
function proofsIn(text: string): { readonly path: string; readonly title: string }[] {
  return text.split("\n").flatMap((line) => {
    const [, path, title] = PROOF.exec(line) ?? [];
    return path === undefined || title === undefined ? [] : [{ path, title }];
  });
}

/** The names of a file's tests. Where a name is put together, `…` stands for each value in it. */
function titlesOf(source = ""): string[] {
  const titles = source.matchAll(/(?<![\w.])test\(\s*(["`])((?:\\.|(?!\1)[^\\])*)\1/g);
  return [...titles].map(([, , title = ""]) => title.replace(/\$\{[^}]*\}/g, "…").replace(/\\(.)/g, "$1"));
}

/** True if a test's name, or a value of which one is made, begins with the row. */
function namesRow(source = "", row: string): boolean {
  if (new RegExp(`["\`]rows? (?:[^:"\`]*\\D)?${row}\\b`).test(source)) return true;
  return source.includes("`row ${") && new RegExp(`\\[${row}, `).test(source);
}
