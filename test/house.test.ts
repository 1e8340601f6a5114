/** The habits of `src/` and `test/` that a machine can check. Each rule is shown a tree that breaks it. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/root.ts";

/** A source tree: path relative to its folder → text. */
type Sources = Readonly<Record<string, string>>;

interface Rule {
  readonly name: string;
  /** One sentence for each violation. */
  violations(sources: Sources): string[];
  /** Trees with the violations that must be found in them. */
  readonly examples: readonly (readonly [sources: Sources, found: readonly string[]])[];
}

/** The longest line, in characters. */
const COLUMNS = 120;
const RELATIVE = /^(What|Who|Whom|Whose|Whoever|Where|Whether)\b/;

/** Files that face each other across the thread or the HTTP boundary and share a name for that reason. */
const COUNTERPARTS: readonly (readonly string[])[] = [
  // The state machine on the thread, its list on the host, its routes.
  ["core/messages/subscriptions.ts", "http/routes/subscriptions.ts", "sidecar/host/subscriptions.ts"],
  ["sidecar/host/blocking-lines.ts", "sidecar/thread/blocking-lines.ts"],
  // The stores, and the routes in front of them.
  ["core/kept-replies.ts", "http/routes/kept-replies.ts"],
  ["http/routes/tickets.ts", "http/tickets.ts"],
  // The server behind a cluster, and the preset for upstreams.
  ["cluster/nats.ts", "protocols/dialects/nats.ts"],
  // The protocol's messages, and the routes that speak it over HTTP.
  ["http/routes/graphql.ts", "protocols/graphql.ts"],
];

const RULES: readonly Rule[] = [
  {
    name: "a file begins with a doc comment",
    violations: (sources) =>
      Object.entries(sources)
        .filter(([, text]) => !/^(?:#!.*\n)?\/\*\*\s/.test(text))
        .map(([path]) => `${path} has no header`),
    examples: [
      [{ "a.ts": `import "./b.ts";\n` }, ["a.ts has no header"]],
      [{ "a.ts": `/** Units of time and size. */\n` }, []],
    ],
  },
  {
    name: "a file's header is one sentence that starts with the noun it holds",
    violations: (sources) =>
      Object.entries(sources).flatMap(([path, text]) => {
        const [header] = commentsIn(text);
        if (header === undefined || !text.startsWith("/**")) return [];
        if (RELATIVE.test(header)) return [`${path}'s header does not name what it holds`];
        return /^[^.]*(?:\.\S[^.]*)*\.$/.test(firstParagraph(header)) ? [] : [`${path}'s header is not one sentence`];
      }),
    examples: [
      [{ "a.ts": `/** What is kept. */\n` }, ["a.ts's header does not name what it holds"]],
      [{ "a.ts": `/** A store. It is bounded. */\n` }, ["a.ts's header is not one sentence"]],
      [{ "a.ts": `/** The names of core/b.ts, version 1.5, by key. */\n` }, []],
      [{ "a.ts": `/**\n * A store of replies.\n *\n * It is bounded. It is pure.\n */\n` }, []],
    ],
  },
  {
    name: "no comment begins with a relative pronoun",
    violations: (sources) => {
      const comments = Object.values(sources).flatMap(commentsIn);
      return comments.filter((comment) => RELATIVE.test(comment)).map((comment) => comment.slice(0, 80));
    },
    examples: [
      [{ "a.ts": "// Who waits is notified.\n" }, ["Who waits is notified."]],
      [{ "a.ts": "/**\n * Whether it is open.\n */\n" }, ["Whether it is open."]],
      [{ "a.ts": "// The caller is notified,\n// who waits.\nconst a = 1; // What a\n" }, ["What a"]],
      [{ "a.ts": "// Notify the caller,\n// who waits.\n" }, []],
    ],
  },
  {
    name: `no line is longer than ${COLUMNS} characters`,
    violations: (sources) =>
      Object.entries(sources).flatMap(([path, text]) =>
        text.split("\n").flatMap((line, index) => (line.length > COLUMNS ? [`${path}:${index + 1}`] : [])),
      ),
    examples: [[{ "a.ts": `\n// ${"x".repeat(COLUMNS)}\n` }, ["a.ts:2"]]],
  },
  {
    name: "no type name stands in two files",
    violations: (sources) => {
      const files = new Map<string, string[]>();
      for (const [path, text] of Object.entries(sources)) {
        const names = text.matchAll(/^(?:export )?(?:abstract )?(?:interface|type|class) (\w+)\b(?! *[,}])/gm);
        for (const name of new Set(Array.from(names, ([, name = ""]) => name))) {
          files.set(name, [...(files.get(name) ?? []), path]);
        }
      }
      return [...files].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(", ")}`);
    },
    examples: [
      [{ "a.ts": "interface Kept {}\n", "b.ts": "export type Kept = string;\n" }, ["Kept: a.ts, b.ts"]],
      [{ "a.ts": "export class Kept {}\n", "b.ts": "import type { Kept } from './a.ts';\n" }, []],
    ],
  },
  {
    name: "no two files share a base name, unless they face each other across a boundary",
    violations: (sources) => {
      const byName = groupBy(Object.keys(sources), (path) => basename(path));
      return [...byName.values()]
        .filter((paths) => paths.length > 1)
        .filter((paths) => !COUNTERPARTS.some((known) => paths.every((path) => known.includes(path))))
        .map((paths) => paths.sort().join(", "));
    },
    examples: [
      [{ "http/a.ts": "", "core/a.ts": "" }, ["core/a.ts, http/a.ts"]],
      [{ "core/kept-replies.ts": "", "http/routes/kept-replies.ts": "" }, []],
    ],
  },
  {
    name: "nothing is cast to never",
    violations: (sources) =>
      Object.entries(sources)
        .filter(([, text]) => /\bas never\b/.test(text))
        .map(([path]) => `${path} casts to never`),
    examples: [[{ "a.ts": "f(g as never);\n" }, ["a.ts casts to never"]]],
  },
];

const TEST_RULES: readonly Rule[] = [
  {
    // A line may be written after the response that it is about.
    name: "a service's log is waited for (`said`, `line`), never read once",
    violations: (sources) =>
      Object.entries(sources)
        .filter(([, text]) =>
          /\bassert\.match\([\w.]*\.stderr\(\)|(?:= |\()\w*product\.log\(\)\.(?:find|some)\(/.test(text),
        )
        .map(([path]) => path),
    examples: [
      [{ "a.ts": "assert.match(product.stderr(), /x/);\n" }, ["a.ts"]],
      [{ "a.ts": "const line = product.log().find(wanted);\n" }, ["a.ts"]],
      [{ "a.ts": "await product.said(/x/);\nassert.doesNotMatch(product.stderr(), /y/);\n" }, []],
    ],
  },
];

const HOUSES = [
  { folder: "src", rules: RULES },
  { folder: "test", rules: TEST_RULES },
] as const;

for (const { folder, rules } of HOUSES) {
  describe(`the habits of ${folder}/`, () => {
    const sources = readSources(folder);
    for (const { name, violations } of rules) test(name, () => assert.deepEqual(violations(sources), []));
  });
}

describe("a tree without the habit is found", () => {
  for (const { name, violations, examples } of HOUSES.flatMap(({ rules }) => rules)) {
    test(name, () => {
      assert.ok(examples.some(([, found]) => found.length > 0));
      for (const [sources, found] of examples) assert.deepEqual(violations(sources), found);
    });
  }
});

function readSources(name: "src" | "test"): Sources {
  const folder = join(root, name);
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules/") && path !== "house.test.ts");
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

/** The texts of the comments in a file, in order. Neighbouring `//` lines are one comment. */
function commentsIn(text: string): string[] {
  const FORM = /^[ \t]*\/\/ ?(.*(?:\n[ \t]*\/\/.*)*)|\/\*\*?([\s\S]*?)\*\/|[ \t]\/\/ (.*)$/gm;
  return Array.from(text.matchAll(FORM), ([, lines, block, trailing]) =>
    (lines ?? block ?? trailing ?? "").replace(/^[ \t]*(?:\*|\/\/) ?/gm, "").trim(),
  );
}

function firstParagraph(comment: string): string {
  return comment.split(/\n\s*\n/, 1)[0]?.replaceAll("\n", " ") ?? "";
}

/** `Map.groupBy`, which Node 20 lacks. */
function groupBy<Key, Value>(values: readonly Value[], keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
