/** The mutant tables beside the tests: `test/<folder>/<module>.mutants.mjs` breaks `src/<folder>/<module>.ts`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SUFFIX = ".mutants.mjs";

/**
 * Reads every table under `test/`. A table's default export is `{ tests, deno, mutants }`:
 *
 * - `tests`: parts of paths; a mutant is killed once any of these files goes red
 * - `deno`: run them on Deno, which needs no compiling; by default on Node
 * - `mutants`: rows of `[defect, find, replace, own]`; `own` overrides the table's fields for that row
 */
export async function readMutants(root) {
  const mutants = [];
  for (const table of testFiles(root, SUFFIX)) {
    const { default: found } = await import(pathToFileURL(join(root, table)).href);
    const file = `${table.slice(0, -SUFFIX.length).replace("test/", "src/")}.ts`;
    for (const [name, find, replace, own = {}] of found.mutants) {
      mutants.push({ file, tests: found.tests, deno: found.deno ?? false, name, find, replace, ...own });
    }
  }
  return mutants;
}

/** Lists the files under `test/` whose names end in `suffix`, as sorted paths from the root. */
export function testFiles(root, suffix) {
  const list = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      if (entry.isDirectory()) return entry.name === "node_modules" ? [] : list(`${folder}/${entry.name}`);
      return entry.name.endsWith(suffix) ? [`${folder}/${entry.name}`] : [];
    });
  return list("test").sort();
}

/** Describes each mutant whose text does not occur exactly once in its source: such a mutant breaks nothing. */
export function misfits(root, mutants) {
  return mutants.flatMap(({ file, name, find }) => {
    if (!existsSync(join(root, file))) return [`${file}: ${name}: the source does not exist`];
    const times = readFileSync(join(root, file), "utf8").split(find).length - 1;
    return times === 1 ? [] : [`${file}: ${name}: the text occurs ${times} times, not once`];
  });
}
