/** Placeholders in settings: found, filled in once, and never read out of values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expand } from "../src/config/environment.ts";
import { filledIn, placeholdersIn } from "../src/placeholders.ts";

const settings = {
  url: "wss://example.org/?${credentials:query}",
  headers: { authorization: "Bearer ${file:/run/token}" },
  greeting: [{ send: { deep: ["${file:/run/token}", 7, null, "$${file:/run/no}"] } }],
};

test("placeholders are found at any depth, except escaped ones", () => {
  assert.deepEqual(placeholdersIn(settings), { files: new Set(["/run/token"]), credentials: true });
  assert.deepEqual(placeholdersIn("${NAME} $${credentials:a} {file:/a}"), { files: new Set(), credentials: false });
});

test("every text is filled in once, and everything else stays unchanged", () => {
  const found = filledIn(settings, (kind, name) => `<${kind} ${name} \${file:/x} $&>`);
  assert.deepEqual(found, {
    url: "wss://example.org/?<credentials query ${file:/x} $&>",
    headers: { authorization: "Bearer <file /run/token ${file:/x} $&>" },
    greeting: [{ send: { deep: ["<file /run/token ${file:/x} $&>", 7, null, "${file:/run/no}"] } }],
  });
});

test("a variable's value is never read as a placeholder, whatever it is", () => {
  const tricky = fc
    .array(fc.constantFrom("$", "$$", "{", "${", "file:", "credentials:", "/a", "}", "x"))
    .map((all) => all.join(""));
  fc.assert(
    fc.property(tricky, tricky, (before, value) => {
      if (value === "") return;
      const read = expand("a${V}b", { V: value });
      assert.deepEqual(read.problems, []);
      assert.equal(
        filledIn(read.text, () => assert.fail("a placeholder was resolved")),
        `a${value}b`,
      );
      // An escaped template of the user's own comes out as written.
      const literal = expand(`$\${file:/${before.replaceAll(/[${}]/g, "")}}`, {}).text;
      assert.deepEqual(placeholdersIn(literal).files, new Set());
    }),
    { numRuns: 1_000 },
  );
});

test("a relative path is refused when the configuration is read", () => {
  assert.match(String(expand("${file:token}", {}).problems), /not absolute/);
  assert.deepEqual(expand("${file:/run/token}", {}), { text: "${file:/run/token}", names: [], problems: [] });
});
