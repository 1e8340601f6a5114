/** The rows of the table: each with its runtimes and the way to start it. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { denoPath } from "../scripts/deno.mjs";
import { serve } from "./processes.mjs";

const OWN_PATH = "/v1/upstreams/default/request";
const OWN_MESSAGES = "/v1/upstreams/default/messages";

/**
 * `messagesPath` serves messages as a stream of events; `path` takes one message, `batchPath` a JSON-RPC batch if that
 * is another path.
 */
const kinds = {
  bare: { file: "bench/rows/bare.mjs", path: "/" },
  "hand-written": { file: "bench/rows/hand-written.mjs", path: "/" },
  "connect-per-request": { file: "bench/rows/connect-per-request.mjs", path: "/" },
  ethers: { file: "bench/rows/ethers.mjs", path: "/", nodeOnly: true },
  viem: { file: "bench/rows/viem.mjs", path: "/", nodeOnly: true },
  sidesocket: { path: OWN_PATH, batchPath: "/rpc", messagesPath: OWN_MESSAGES },
  /** The floor for reading messages. */
  writes: { file: "bench/rows/writes.mjs", path: "/", messagesPath: "/", hidden: true },
  /** Only for looking at the main thread from within: the service offers no way to do that, and gets none. */
  library: { file: "bench/rows/library.mjs", path: OWN_PATH, batchPath: "/rpc", hidden: true },
};

export const rowNames = Object.keys(kinds).filter((name) => !kinds[name].hidden);
export const hiddenNames = Object.keys(kinds).filter((name) => kinds[name].hidden);

/** Selects the rows of these names on these runtimes, in the order of the table. */
export function rowsOf(names, runtimes) {
  return runtimes.flatMap((runtime) =>
    names.filter((name) => runtime === "node" || !kinds[name].nodeOnly).map((name) => row(name, runtime)),
  );
}

/** All rows on Deno get the V8 flags of `deno task start`. */
const { tasks } = JSON.parse(readFileSync(new URL("../deno.json", import.meta.url), "utf8"));
const [V8_FLAGS] = /--v8-flags=\S+/.exec(tasks.start.command);

export function row(name, runtime) {
  return { name, runtime, ...kinds[name] };
}

/** Starts a row's process in front of this upstream. `flags` are extra ones of sidesocket's own. */
export async function startRow(
  { name, runtime, file, path, batchPath = path, messagesPath },
  upstreamUrl,
  flags = [],
  folder = ".",
) {
  const own = ["--port", "0", ...(flags.length > 0 ? flags : ["--upstream", upstreamUrl])];
  const [program, ...before] =
    runtime === "deno" ? [denoPath(), "run", V8_FLAGS, "--allow-all", "--no-prompt"] : [process.execPath];
  const main = runtime === "deno" ? `${folder}/src/main.ts` : `${folder}/dist/main.js`;
  const service = await serve(program, [...before, ...(file ? [file, upstreamUrl] : [main, ...own])]);
  return { ...service, name, runtime, path, batchPath, messagesPath };
}

export function startUpstream(flags = []) {
  return serve(process.execPath, ["bench/upstream.mjs", ...flags]);
}
