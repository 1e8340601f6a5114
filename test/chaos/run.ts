/**
 * A long chaos run in its own process: `run.ts chaos SEED MINUTES [FAULT]`, `run.ts isolation SEED REQUESTS` or
 * `run.ts cluster SEED MINUTES RUNTIMES SERVERS [FAULT]`.
 */
import process from "node:process";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { chaos, type Findings } from "./chaos.ts";
import { clusterChaos } from "./cluster.ts";
import { isolation } from "./isolation.ts";

const [what, seed = "", amount = "", ...rest] = process.argv.slice(2);
const begun: (() => Promise<void>)[] = [];
const t: Cleanup = {
  after: (end) => {
    begun.unshift(end);
  },
};
const began = performance.now();
const report = (text: string): void => {
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  process.stderr.write(`${runtime} ${seconds} s: ${text}\n`);
};

async function run(): Promise<Findings> {
  const common = { seed: Number(seed), t, report };
  const ms = Number(amount) * 60_000;
  if (what === "chaos") return await chaos({ ...common, ms, only: rest[0] ?? "" });
  if (what === "isolation") return await isolation({ ...common, requests: Number(amount) });
  if (what === "cluster") return await clusterChaos({ ...common, ms, ...clusterOf(rest) });
  throw new Error("usage: run.ts chaos SEED MINUTES [FAULT] | run.ts isolation SEED REQUESTS | run.ts cluster …");
}

function clusterOf([runtimes = "", servers, only = ""]: readonly string[]) {
  const on = runtimes.split(",").map((name) => (name === "deno" ? "deno" : "node"));
  return { on, servers: servers === "3" ? 3 : 1, only } as const;
}

const findings = await run();
for (const end of begun) await end();
process.stdout.write(`${JSON.stringify(findings)}\n`);
process.exit(findings.problems.length === 0 ? 0 : 1);
