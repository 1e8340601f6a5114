/**
 * The cost of a request through another replica than the owner of its upstream, beside the owner's own callers and a
 * service without a cluster, on Node: `npm run build && node bench/cluster.mjs [ROUNDS]`.
 *
 * Needs `nats-server` (`NATS_SERVER=FILE`, or in the path or /usr/sbin). The three ways take turns.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loads } from "./loads.mjs";
import { measure, serve } from "./processes.mjs";
import { startUpstream } from "./rows.mjs";

const WITHIN_MS = 20_000;
const SECONDS = 3;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const rounds = Number(process.argv[2] ?? 3);

/** Waits until `probe` holds. */
async function until(probe, what) {
  for (const late = performance.now() + WITHIN_MS; !(await probe().catch(() => false)); await pause(20))
    if (performance.now() > late) throw new Error(`${what} did not come`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startNats() {
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-bench-"));
  const port = await freePort();
  const PATH = [process.env.PATH, "/usr/sbin"].join(delimiter);
  const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder];
  const child = spawn(process.env.NATS_SERVER ?? "nats-server", args, {
    stdio: "ignore",
    env: { ...process.env, PATH },
  });
  process.once("exit", () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  child.once("error", (error) => {
    console.error(`nats-server cannot be started: ${error.message}`);
    process.exit(1);
  });
  const listens = () =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      }).once("error", reject);
    });
  await until(listens, "nats-server");
  return { pid: child.pid, url: `nats://127.0.0.1:${port}` };
}

const upstream = await startUpstream();
const nats = await startNats();
const start = async (flags = []) => {
  const service = await serve(process.execPath, ["dist/main.js", "--port", "0", "--upstream", upstream.url, ...flags]);
  await until(async () => (await fetch(`${service.url}/readyz`)).ok, "readiness");
  return service;
};
const alone = await start();
const owner = await start(["--cluster", nats.url]);
const other = await start(["--cluster", nats.url]);

const ways = {
  "without a cluster": { service: alone, pids: { service: alone.pid } },
  "at the owner": { service: owner, pids: { owner: owner.pid, nats: nats.pid } },
  "through another replica": { service: other, pids: { replica: other.pid, owner: owner.pid, nats: nats.pid } },
};
const path = "/v1/upstreams/default/request";
const figures = Object.fromEntries(Object.keys(ways).map((name) => [name, { c1: [], c64: [] }]));
for (let round = 0; round < rounds; round++) {
  for (const [name, { service, pids }] of Object.entries(ways)) {
    for (const load of ["c1", "c64"]) {
      const job = { ...loads[load], url: service.url, paths: [path], pids, seconds: SECONDS, warmSeconds: 1 };
      figures[name][load].push(await measure(process.execPath, ["bench/load.mjs", JSON.stringify(job)]));
    }
  }
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
for (const [name, { c1, c64 }] of Object.entries(figures)) {
  const of = (results, value) => median(results.map(value));
  const shares = Object.keys(ways[name].pids).map(
    (part) => `${part} ${of(c64, ({ cpuOf }) => cpuOf[part]).toFixed(1)}`,
  );
  console.log(
    `${name}: ${Math.round(of(c64, ({ perSecond }) => perSecond))}/s with 64 connections, ` +
      `CPU us a request: ${shares.join(", ")}; one alone ${of(c1, ({ p50 }) => p50).toFixed(3)} ms`,
  );
}
for (const service of [other, owner, alone, upstream]) await service.stop();
process.exit(0);
