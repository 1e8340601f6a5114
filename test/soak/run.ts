/**
 * One soak in its own process, so that its memory is measured alone: `run.ts cycles 10000`.
 *
 * A timed soak waits for a load average below the third argument.
 */
import { loadavg } from "node:os";
import process from "node:process";
import { runtime } from "../support/root.ts";
import { delay } from "../support/until.ts";
import { soakReloads } from "./reloads.ts";
import { LIMITS, type Soaked, type SoakOptions, soakCycles, soakReconnects } from "./soaks.ts";
import { soakHeld, soakStops } from "./stops.ts";

const soaks: Readonly<Record<string, (options: SoakOptions) => Promise<Soaked>>> = {
  cycles: soakCycles,
  reconnects: soakReconnects,
  stops: soakStops,
  held: (options) => soakHeld(options),
  reloads: (options) => soakReloads(options),
};

const [name = "", count = "", belowLoad = "Infinity"] = process.argv.slice(2);
const soak = soaks[name];
if (!soak || !(Number(count) >= 1)) throw new Error("usage: run.ts SOAK COUNT [LOAD]");
const soaked = await soak({
  count: Number(count),
  limits: LIMITS,
  progress: (done, figure) => process.stderr.write(`${runtime}: ${done} of ${count} ${name}, ${figure}\n`),
  async calm() {
    while (!((loadavg()[0] ?? 0) < Number(belowLoad))) await delay(1_000);
  },
});
process.stdout.write(`${JSON.stringify(soaked)}\n`);
process.exit(soaked.problems.length === 0 ? 0 : 1);
