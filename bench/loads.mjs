/** The loads of the table, and the measurement of one row under one of them. */
import process from "node:process";
import { forgetPeak } from "./os.mjs";
import { measure } from "./processes.mjs";

/** Responses until a compiler has seen enough of a small message. */
const WARM_ANSWERS = 5_000;
const small = { warmAnswers: WARM_ANSWERS };

/** Jobs for `bench/load.mjs`; `batch` goes to the path for batches; `open` is at half of the row's own capacity. */
export const loads = {
  c1: { title: "1 connection", connections: 1, ...small },
  c64: { title: "64 connections", connections: 64, ...small },
  c1000: { title: "1,000 connections", connections: 1_000, ...small },
  open: { title: "open loop, half of capacity", connections: 256, open: true, ...small },
  "body-10k": { title: "bodies of 10 kB, 16 connections", connections: 16, bytes: 10_000, ...small },
  "body-1M": { title: "bodies of 1 MB, 4 connections", connections: 4, bytes: 1_000_000 },
  "reply-1M": { title: "replies of 1 MB, 4 connections", connections: 4, blob: 1_000_000 },
  "reply-10M": { title: "replies of 10 MB, 1 connection", connections: 1, blob: 10_000_000 },
  "batch-100": { title: "batches of 100, 8 connections", connections: 8, batch: 100, warmAnswers: 300 },
};

/** Puts a load on a running row and returns its figures. */
export function put(service, upstream, { title, open, ...load }, { seconds, warmSeconds }) {
  const job = {
    url: service.url,
    paths: [load.batch ? service.batchPath : service.path],
    pids: { service: service.pid, upstream: upstream.pid },
    seconds,
    warmSeconds,
    ...load,
  };
  forgetPeak(service.pid);
  return measure(process.execPath, ["bench/load.mjs", JSON.stringify(job)]);
}

/** Runs all loads on one row, one after the other. A load that cannot be carried is a result with the reason. */
export async function putAll(service, upstream, names, window) {
  const results = [];
  let capacity;
  for (const name of names) {
    const load = { ...loads[name] };
    try {
      if (load.open) {
        capacity ??= (await put(service, upstream, loads.c64, window)).perSecond;
        load.rate = Math.round(capacity / 2);
      }
      const figures = await put(service, upstream, load, window);
      if (name === "c64") capacity = figures.perSecond;
      results.push({ load: name, ...figures });
    } catch (error) {
      results.push({ load: name, failed: error.message });
    }
  }
  return results;
}
