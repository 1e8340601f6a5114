/** A runner of the command line programs of packages, on the runtime that runs this. */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** Runs a program by the path of its script, to its end. */
export function runTool(script, args, options = {}) {
  const runtime = "Deno" in globalThis ? ["run", "--allow-all"] : [];
  return spawnSync(process.execPath, [...runtime, script, ...args], { ...options, encoding: "utf8" });
}
