/**
 * The command line from a checkout, compiled first if its sources are newer than the last build: `npm start -- OPTIONS`.
 *
 * It runs in this process, so that signals and Ctrl-C reach it alone, and needs nothing of a shell.
 */
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isUpToDate } from "./up-to-date.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = join(root, "dist", "main.js");
/** The options that npm takes for its own, unless `--` stands before them. */
const OPTIONS = [
  "upstream",
  "protocol",
  "config",
  "upstream-header",
  "subprotocol",
  "host",
  "port",
  "listen-path",
  "cluster",
  "cluster-name",
  "cluster-credentials-file",
  "token-file",
  "shutdown-token-file",
  "log-level",
  "log-format",
  "insecure",
];

const swallowed = OPTIONS.filter((name) => process.env[`npm_config_${name.replaceAll("-", "_")}`] === "true");
if (swallowed.length > 0) {
  const given = swallowed.map((name) => `--${name}`).join(" ");
  console.error(`sidesocket: npm took ${given} for itself: put -- before the options (npm start -- ${given} …)`);
  process.exit(2);
}
if (!isUpToDate("dist/main.js")) {
  const { buildCommandLine } = await import("./build.mjs");
  await buildCommandLine();
}
await import(pathToFileURL(PROGRAM).href);
