/**
 * The OpenAPI document of the built library, checked by Redocly with the rules of redocly.yaml.
 *
 *   npm run build && node scripts/openapi.mjs
 *
 * No service starts: the app of the library serves the document to a request that never leaves the process. The
 * document stays in build/openapi.json.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runTool } from "./tool.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const PATH = "build/openapi.json";

const { createApp } = await import(new URL("../dist/index.js", import.meta.url).href);
const response = await createApp({}).request("/openapi.json");
mkdirSync("build", { recursive: true });
writeFileSync(PATH, `${JSON.stringify(await response.json(), undefined, 2)}\n`);

const require = createRequire(import.meta.url);
const redocly = require.resolve("@redocly/cli/bin/cli.js");
const env = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", REDOCLY_TELEMETRY: "off" };
const { status, stdout, stderr } = runTool(redocly, ["lint", PATH], { env });
// A valid document needs no words, nor does Redocly's notice about the version of Node.
if (status !== 0) console.error(stdout + stderr);
process.exit(status ?? 1);
