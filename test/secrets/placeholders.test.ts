/** Placeholders: one grammar for the reader of the configuration and for connection attempts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expand } from "../../src/config/environment.ts";
import { filledText } from "../../src/core/connection/captured-texts.ts";
import {
  ALL_AT_ONCE,
  ATTEMPT,
  fillParams,
  fillPlaceholders,
  PLACEHOLDER_PATTERN,
  paramsIn,
  placeholdersIn,
  tokenize,
  unquoted,
} from "../../src/secrets/placeholders.ts";

const settings = {
  url: "wss://example.org/?${credentials:query}",
  headers: { authorization: "Bearer ${file:/run/token}" },
  greeting: [{ send: { deep: ["${file:/run/token}", 7, null, "$${file:/run/no}"] } }],
};

/** Texts made of the pieces of placeholders. */
const pieces = fc
  .array(fc.constantFrom("$", "$$", "{", "${", "file:", "credentials:", "conn:", "param:", "/a", "}", "x"))
  .map((all) => all.join(""));

test("each kind of placeholder is a token", () => {
  const cases: readonly (readonly [source: string, token: object])[] = [
    ["${file:/run/token}", { kind: "file", name: "/run/token" }],
    ["${credentials:query}", { kind: "credentials", name: "query" }],
    ["${conn:session}", { kind: "conn", name: "session" }],
    ["${param:room}", { kind: "param", name: "room" }],
    ["${NAME_1}", { kind: "variable", name: "NAME_1" }],
    ["$${", { kind: "escape", before: undefined }],
    ["${", { kind: "malformed" }],
    ["$ {NAME}", { kind: "text" }],
  ];
  for (const [source, token] of cases) assert.deepEqual(tokenize(source), [{ ...token, source }], source);
  assert.deepEqual(tokenize("$${file:/run/token}")[0], { kind: "escape", source: "$${", before: "file" });
  for (const source of ["${1A}", "${A-B}", "${file:/a", "${}"]) assert.equal(tokenize(source)[0]?.kind, "malformed");
});

test("the tokens of a text add up to it", () => {
  fc.assert(
    fc.property(pieces, (text) =>
      assert.equal(
        tokenize(text)
          .map(({ source }) => source)
          .join(""),
        text,
      ),
    ),
  );
});

test("the pattern for editors matches exactly the texts with a placeholder, escaped or not", () => {
  const pattern = new RegExp(PLACEHOLDER_PATTERN);
  for (const text of ["${A}", "a${file:/b}", "$${credentials:c}"]) assert.match(text, pattern);
  for (const text of ["${", "${}", "$A", "{A}", "${file:/b"]) assert.doesNotMatch(text, pattern);
});

test("placeholders are found at any depth, unless they are escaped", () => {
  assert.deepEqual(placeholdersIn(settings), {
    files: new Set(["/run/token"]),
    credentials: true,
    captured: new Set(),
    escapes: true,
  });
  assert.deepEqual(placeholdersIn("$${credentials:a} $${file:/a}"), {
    files: new Set(),
    credentials: false,
    captured: new Set(),
    escapes: true,
  });
  assert.deepEqual(placeholdersIn("${NAME} $${ {file:/a}"), {
    files: new Set(),
    credentials: false,
    captured: new Set(),
    escapes: false,
  });
});

test("every text is filled in once, and everything else stays as it is", () => {
  const found = fillPlaceholders(settings, (kind, name) => `<${kind} ${name} \${file:/x} $&>`, ALL_AT_ONCE);
  assert.deepEqual(found, {
    url: "wss://example.org/?<credentials query ${file:/x} $&>",
    headers: { authorization: "Bearer <file /run/token ${file:/x} $&>" },
    greeting: [{ send: { deep: ["<file /run/token ${file:/x} $&>", 7, null, "${file:/run/no}"] } }],
  });
});

test("the value of a variable is never taken for a placeholder, whatever it holds", () => {
  fc.assert(
    fc.property(pieces, pieces, (before, value) => {
      if (value === "") return;
      const read = expand("a${V}b", { V: value });
      assert.deepEqual(read.problems, []);
      assert.equal(
        fillPlaceholders(read.text, () => assert.fail("a placeholder was resolved"), ALL_AT_ONCE),
        `a${value}b`,
      );
      // An escaped template comes out as it was written.
      const literal = expand(`$\${file:/${before.replaceAll(/[${}]/g, "")}}`, {}).text;
      assert.deepEqual(placeholdersIn(literal).files, new Set());
    }),
    { numRuns: 1_000 },
  );
});

test("the values of adjacent variables are never taken for a placeholder together", () => {
  fc.assert(
    fc.property(pieces, pieces, (first, second) => {
      if (first === "" || second === "") return;
      const { text } = expand("${A}${B}", { A: first, B: second });
      assert.equal(
        fillPlaceholders(text, () => assert.fail("a placeholder was resolved"), ALL_AT_ONCE),
        first + second,
      );
    }),
    { numRuns: 1_000, examples: [["${", "file:/etc/passwd}"]] },
  );
});

test("a path that is not absolute is refused when the configuration is read", () => {
  assert.match(String(expand("${file:token}", {}).problems), /not absolute/);
  assert.deepEqual(expand("${file:/run/token}", {}), { text: "${file:/run/token}", names: [], problems: [] });
});

test("parameters are found at any depth and filled in, and all other placeholders stay", () => {
  const template = {
    url: "/${param:a}?${file:/x}",
    list: ["$${param:b}", { c: "${param:c}${credentials:d}" }, "${conn:e}"],
  };
  assert.deepEqual([...paramsIn(template)], ["a", "c"]);
  assert.deepEqual(
    fillParams(template, (name) => name.toUpperCase()),
    { url: "/A?${file:/x}", list: ["${param:b}", { c: "C${credentials:d}" }, "${conn:e}"] },
  );
});

test("a parameter is never taken for a placeholder, not even with the text around it", () => {
  fc.assert(
    fc.property(pieces, pieces, pieces, (before, first, second) => {
      const template = expand(`${before.replaceAll("$", () => "$$")}V`, {}).text;
      const values: Record<string, string> = { first, second };
      const filled = fillParams(`${template}\${param:first}\${param:second}`, (name) => values[name] ?? "");
      const sent = fillPlaceholders(filled, () => assert.fail("a placeholder was resolved"), ATTEMPT);
      const out = filledText(sent, new Map());
      assert.ok(out.endsWith(`V${first}${second}`), out);
    }),
    { numRuns: 1_000, examples: [["", "${", "file:/etc/passwd}"]] },
  );
  const joined = fillParams("$\u007bx${param:a}", () => "{file:/etc/passwd}");
  assert.deepEqual(placeholdersIn(joined).files, new Set());
  assert.deepEqual(placeholdersIn(fillParams("${${param:a}", () => "file:/etc/passwd}")).files, new Set());
});

test("values and placeholders of every moment go out as they are, wherever they meet", () => {
  fc.assert(
    fc.property(
      fc.array(pieces, { minLength: 5, maxLength: 5 }),
      fc.array(fc.nat(5), { maxLength: 8 }),
      (values, order) => {
        const [variable = "", param = "", file = "", credentials = "", conn = ""] = values;
        if (variable === "") return;
        const kinds = ["${V}", "${param:p}", "${file:/f}", "${credentials:c}", "${conn:n}", "-"];
        const brought = [...values, "-"];
        const read = expand(order.map((at) => kinds[at]).join(""), { V: variable });
        assert.deepEqual(read.problems, []);
        const opened = fillParams(read.text, () => param);
        const attempted = fillPlaceholders(opened, (kind) => (kind === "file" ? file : credentials), ATTEMPT);
        const sent = filledText(attempted, new Map([["n", JSON.stringify(conn)]]));
        assert.equal(sent, order.map((at) => brought[at]).join(""));
      },
    ),
    {
      numRuns: 2_000,
      examples: [
        [
          ["a$", "b$$", "", "$", "${file:/x}"],
          [0, 2, 1, 2, 3, 2, 4, 4],
        ],
      ],
    },
  );
});

test("only the reader of a configuration makes quoted texts", () => {
  assert.match(expand("${conn:$a}", {}).problems.join(), /name begins with \$/);
  assert.equal(unquoted(expand("${V}", { V: "$a}" }, true).text), "$a}");
});
