/** The mutants, which must fit the source they break. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "./support/root.ts";

interface Mutant {
  readonly file: string;
  readonly name: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}

interface MutantTables {
  testFiles(root: string, suffix: string): string[];
  readMutants(root: string): Promise<Mutant[]>;
  misfits(root: string, mutants: readonly Mutant[]): string[];
}

let tables: MutantTables;
let mutants: Mutant[];

before(async () => {
  // Imported by path: plain JavaScript, which runs without compiling, has no copy in build/.
  tables = (await import(pathToFileURL(join(root, "scripts", "mutant-tables.mjs")).href)) as MutantTables;
  mutants = await tables.readMutants(root);
});

test("every mutant's text occurs exactly once in its source", () => {
  assert.ok(mutants.length > 200, `only ${mutants.length} mutants found`);
  assert.deepEqual(tables.misfits(root, mutants), []);
});

test("every mutant changes its source", () => {
  const unchanged = mutants.filter(({ find, replace }) => find === replace).map(({ file, name }) => `${file}: ${name}`);
  assert.deepEqual(unchanged, []);
});

test("every mutant has a unique name in its file", () => {
  const names = mutants.map(({ file, name }) => `${file}: ${name}`);
  const repeated = names.filter((name, at) => names.indexOf(name) !== at);
  assert.deepEqual(repeated, []);
});

test("every mutant names tests that exist", () => {
  const files = tables.testFiles(root, ".test.ts");
  const named = new Set(mutants.flatMap(({ tests }) => tests));
  const missing = [...named].filter((part) => !files.some((file) => file.includes(part)));
  assert.deepEqual(missing, []);
});

test("a misfit is reported with its source and its name", () => {
  const [mutant] = mutants;
  assert.ok(mutant);
  const absent = { ...mutant, find: "this text is in no source" };
  assert.deepEqual(tables.misfits(root, [absent]), [
    `${mutant.file}: ${mutant.name}: the text occurs 0 times, not once`,
  ]);
  const moved = { ...mutant, file: "src/no-such-module.ts" };
  assert.deepEqual(tables.misfits(root, [moved]), [`src/no-such-module.ts: ${mutant.name}: the source does not exist`]);
});
