/**
 * A program that makes the same call in several ways, in turns, so that a disturbance of the machine affects all of
 * them: once over a socket of its own, by a sidecar with and without blocking, and by each library that makes
 * asynchronous functions block. Then four threads block on lines of one sidecar.
 *
 *   node bench/blocking-program.mjs '{"url":"ws://…","rounds":20,"calls":100,"lines":20000}'
 */
import process from "node:process";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Sidecar } from "../dist/index.js";
import { attach } from "../dist/sync.js";
import rawCall from "./blocking-call.mjs";

const message = (id, params) => JSON.stringify({ jsonrpc: "2.0", id, method: "echo", params });

if (isMainThread || workerData?.line === undefined) await main(JSON.parse(process.argv[2]));
else callByLine(workerData);

async function main({ url, rounds, calls, lines }) {
  const sidecar = await Sidecar.start({ url, limits: { in_flight: 64 } });
  const forms = { raw: (text) => rawCall(url, text), await: (text) => sidecar.request(text) };
  forms.requestSync = (text) => sidecar.requestSync(text);
  for (const [name, form] of await others(url)) forms[name] = form;
  const times = Object.fromEntries(Object.keys(forms).map((name) => [name, []]));
  const text = message(1, ["x"]);
  for (let round = -2; round < rounds; round++) {
    for (const [name, form] of Object.entries(forms)) {
      for (let n = 0; n < calls; n++) {
        const began = performance.now();
        const reply = form(text);
        if (typeof reply !== "string") await reply;
        if (round >= 0) times[name].push((performance.now() - began) * 1_000);
      }
    }
  }
  const figures = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, quantiles(all)]));
  const four = await fourThreads(sidecar, lines);
  const report = await sidecar.exit();
  process.stdout.write(`${JSON.stringify({ figures, four, exitMs: report.ms })}\n`, () => process.exit(0));
}

/** The libraries that work on this runtime. */
async function others(url) {
  const made = [
    async () => {
      const { createSyncFn } = await import("synckit");
      const call = createSyncFn(new URL("blocking-synckit.mjs", import.meta.url));
      return ["synckit", (text) => call(url, text)];
    },
    async () => {
      const { default: makeSynchronized } = await import("make-synchronized");
      const call = makeSynchronized(new URL("blocking-call.mjs", import.meta.url));
      return ["make-synchronized", (text) => call(url, text)];
    },
    async () => {
      const { createWorker } = await import("await-sync");
      const decoder = new TextDecoder();
      const call = createWorker()(
        async (place, to, text) => {
          const { default: once } = await import(place);
          return new TextEncoder().encode(await once(to, text));
        },
        (bytes) => decoder.decode(bytes),
      );
      const place = new URL("blocking-call.mjs", import.meta.url).href;
      return ["await-sync", (text) => call(place, url, text)];
    },
  ];
  const working = [];
  for (const make of made) {
    try {
      const [name, form] = await make();
      form(message(1, ["x"]));
      working.push([name, form]);
    } catch (error) {
      console.error(`left out: ${error.message}`);
    }
  }
  return working;
}

async function fourThreads(sidecar, calls) {
  const began = performance.now();
  const wrong = await Promise.all(
    [1, 2, 3, 4].map((thread) => {
      const line = sidecar.line();
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { line, thread, calls },
        transferList: [line.supply],
      });
      return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  return { calls: 4 * calls, swapped: wrong.reduce((sum, each) => sum + each, 0), perSecond: (4 * calls) / seconds };
}

async function callByLine({ line, thread, calls }) {
  const { parentPort } = await import("node:worker_threads");
  const upstream = attach(line);
  let wrong = 0;
  for (let n = 0; n < calls; n++) {
    const id = `${thread}-${n}`;
    if (JSON.parse(upstream.requestSync(message(id, [id]))).result[0] !== id) wrong++;
  }
  upstream.close();
  parentPort.postMessage(wrong);
}

function quantiles(times) {
  times.sort((a, b) => a - b);
  const at = (part) => Math.round(times[Math.floor(times.length * part)]);
  return { p50: at(0.5), p99: at(0.99) };
}
