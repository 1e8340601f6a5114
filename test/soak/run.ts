/** One soak in a process of its own, so that its memory is that of nothing else: `run.ts cycles 10000`. */
import process from "node:process";
import { runtime } from "../support/root.ts";
import { LIMITS, type Soaked, type SoakOptions, soakCycles, soakProcesses, soakReconnects } from "./soaks.ts";

const soaks: Readonly<Record<string, (options: SoakOptions) => Promise<Soaked>>> = {
  cycles: soakCycles,
  processes: soakProcesses,
  reconnects: soakReconnects,
};

const [name = "", count = ""] = process.argv.slice(2);
const soak = soaks[name];
if (!soak || !(Number(count) >= 1)) throw new Error("which soak, and how often?");
const soaked = await soak({
  count: Number(count),
  limits: LIMITS,
  progress: (done, { lastMb }) => {
    const memory = Number.isNaN(lastMb) ? "" : `, ${lastMb.toFixed(1)} MB`;
    process.stderr.write(`${runtime}: ${done} of ${count} ${name}${memory}\n`);
  },
});
process.stdout.write(`${JSON.stringify(soaked)}\n`);
process.exit(soaked.problems.length === 0 ? 0 : 1);
