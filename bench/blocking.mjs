/**
 * What a call costs that blocks, beside others: `node bench/blocking.mjs [--node] [--deno] [--rounds N] [--lines N]`.
 *
 * Prints p50 and p99 of one call at a time in microseconds, and what four blocked threads reach on one connection.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { denoPath, installOnce } from "../scripts/deno.mjs";
import { startUpstream } from "./rows.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    rounds: { type: "string", default: "20" },
    lines: { type: "string", default: "25000" },
  },
});
installOnce("bench");
const upstream = await startUpstream();
const job = { url: upstream.url, rounds: Number(flags.rounds), calls: 100, lines: Number(flags.lines) };
for (const runtime of ["node", "deno"].filter((name) => flags[name] || !(flags.node || flags.deno))) {
  const [program, args] =
    runtime === "deno" ? [denoPath(), ["run", "--allow-all", "--no-prompt"]] : [process.execPath, []];
  const { stdout, stderr, status } = spawnSync(program, [...args, "bench/blocking-program.mjs", JSON.stringify(job)], {
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`${runtime}: ${stderr}`);
  const { figures, four, exitMs } = JSON.parse(stdout);
  console.log(`${runtime}\n${stderr}`);
  console.table(figures);
  const ratio = figures.requestSync.p50 / figures.await.p50;
  console.log(
    `requestSync against await: ${ratio.toFixed(2)}; beyond raw: ${figures.requestSync.p50 - figures.raw.p50} µs`,
  );
  console.log(`four threads: ${JSON.stringify(four)}; exit after ${exitMs} ms`);
}
await upstream.stop();
