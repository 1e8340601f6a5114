/**
 * The cost of the public types: a program of one line is type-checked against the build, declarations included.
 *
 *   npm run build && node scripts/public-types.mjs
 *
 * It has neither the types of Node nor `skipLibCheck`, as a stranger's program may have. Fails beyond the bounds, or if
 * the types of another package than Hono are loaded.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runTool } from "./tool.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const FOLDER = "build/public-types";

/** It takes 108 MB, and less than a second on a machine that has nothing else to do. */
const MEMORY_MAX_MB = 250;
const SECONDS_MAX = 20;
const PACKAGES = new Set(["hono", "typescript", "@typescript"]);

const PROGRAM = `
import { type App, createApp, Sidecar } from "sidesocket";
const sidecar = await Sidecar.start({ url: "wss://example.org/", limits: { in_flight: 10 }, connect_within: "3s" });
export const app: App = createApp({ default: sidecar });
`;

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  module: "nodenext",
  target: "es2023",
  lib: ["es2023", "esnext.disposable", "dom"],
  types: [],
  noEmit: true,
  skipLibCheck: false,
};

// In the package's own folder its name leads to its exports.
mkdirSync(FOLDER, { recursive: true });
writeFileSync(join(FOLDER, "program.mts"), PROGRAM);
writeFileSync(join(FOLDER, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.mts"] }));

const require = createRequire(import.meta.url);
const tsc = join(require.resolve("typescript/package.json"), "..", "bin", "tsc");
const { status, stdout } = runTool(tsc, ["--project", FOLDER, "--extendedDiagnostics", "--listFiles"]);

const problems = status === 0 ? [] : [stdout];
const memoryMb = Number(/Memory used:\s*(\d+)K/.exec(stdout)?.[1]) / 1_000;
const seconds = Number(/Total time:\s*([\d.]+)s/.exec(stdout)?.[1]);
if (!(memoryMb <= MEMORY_MAX_MB)) problems.push(`type-checking takes ${memoryMb} MB, more than ${MEMORY_MAX_MB}`);
if (!(seconds <= SECONDS_MAX)) problems.push(`type-checking takes ${seconds} s, more than ${SECONDS_MAX}`);
const packages = Array.from(stdout.matchAll(/node_modules\/(@[\w-]+|[\w-]+)\//g), ([, name]) => name);
const foreign = [...new Set(packages)].filter((name) => !PACKAGES.has(name));
if (foreign.length > 0) problems.push(`the public types load those of ${foreign.join(", ")}`);
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
