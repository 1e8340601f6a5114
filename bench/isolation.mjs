/**
 * Isolation of the main thread from the socket: how far each one's work disturbs the other, beside one thread by hand.
 */
import process from "node:process";
import { median } from "./figures.mjs";
import { put } from "./loads.mjs";
import { forgetPeak, memory } from "./os.mjs";
import { measure } from "./processes.mjs";
import { readersAt } from "./readers-at.mjs";
import { row, startRow, startUpstream } from "./rows.mjs";

const FLOOD_PER_SECOND = 50_000;
const FLOOD_BYTES = 200;
const QUIET = { connections: 32, rate: 500, warmAnswers: 1_000 };
const TICKS_PER_SECOND = 500;
const DROP_AFTER_MS = 1_000;
const BLOCK_MS = 5_000;
const UNREAD_BYTES = 1_000;
/** The default of `messages.bytes`: what the journal may keep. */
const KEPT_MB = 16.78;
const REPLY_BYTES = 10_000_000;
const STARTS = 5;
const READERS = 1_000;
/** Messages per second: few enough that each is written by itself, and more than can be. */
const SINGLY = 50;
const TOGETHER = 1_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Measurements by name; `rows` are those that can be measured in that way. */
export const isolation = {
  flood: { title: "50,000 unsolicited messages a second", rows: ["hand-written", "sidesocket", "library"], run: flood },
  stall: { title: "the main thread blocked for 5 s", rows: ["hand-written", "library"], run: stall },
  unread: { title: "a million messages that nobody reads", rows: ["hand-written", "sidesocket"], run: unread },
  start: { title: "from process start to ready", rows: ["bare", "hand-written", "sidesocket"], run: start },
  single: { title: "one request at a time", rows: ["hand-written", "sidesocket"], run: single },
  reply: { title: "a reply of 10 MB", rows: ["hand-written", "sidesocket", "library"], run: reply },
  readers: { title: "1,000 readers of the journal (SSE)", rows: ["writes", "sidesocket"], run: readers },
};

export async function isolate(name, rowName, runtime, options) {
  const running = [];
  const keep = async (starting) => {
    running.push(await starting);
    return running.at(-1);
  };
  const parts = {
    upstream: (flags) => keep(startUpstream(flags)),
    row: (upstream, of = rowName) => keep(startRow(row(of, runtime), upstream.url)),
  };
  try {
    return { benchmark: name, row: rowName, runtime, ...(await isolation[name].run(parts, options)) };
  } catch (error) {
    return { benchmark: name, row: rowName, runtime, failed: error.message };
  } finally {
    for (const each of running.reverse()) await each.stop();
  }
}

/** Makes the same few requests a second in quiet and in the flood, and calls /livez beside them. */
async function flood(parts, window) {
  const upstream = await parts.upstream();
  const service = await parts.row(upstream);
  const probe = { ...QUIET, method: "GET", paths: ["/livez"], connections: 2, rate: 100, warmAnswers: 1 };
  const probed = async () => {
    const alive = service.name === "hand-written" ? undefined : put(service, upstream, probe, window);
    return { ...(await put(service, upstream, QUIET, window)), livezP99: (await alive)?.p99 };
  };
  let [quiet, flooded] = [];
  const quietPauseMs = await longestPause(service, async () => {
    quiet = await probed();
  });
  const count = FLOOD_PER_SECOND * (window.seconds + 10 * window.warmSeconds + 10);
  await call(service, "flood", [{ rate: FLOOD_PER_SECOND, bytes: FLOOD_BYTES, count }]);
  await sleep(500);
  const before = await received(service);
  const began = performance.now();
  const floodPauseMs = await longestPause(service, async () => {
    flooded = await probed();
  });
  const perSecond = ((await received(service)) - before) / ((performance.now() - began) / 1_000);
  return {
    quietP99: quiet.p99,
    floodP99: flooded.p99,
    ratio: flooded.p99 / quiet.p99,
    quietPauseMs,
    floodPauseMs,
    livezP99: flooded.livezP99,
    messagesPerSecond: perSecond,
  };
}

/** Sends numbered messages all the while; those sent while disconnected are lost. */
async function stall(parts) {
  const upstream = await parts.upstream(["--drop-after", String(DROP_AFTER_MS)]);
  const service = await parts.row(upstream);
  await call(service, "echo", ["connected"]);
  const before = await received(service);
  const control = (path, method = "POST") => json(`${upstream.url.replace("ws:", "http:")}${path}`, { method });
  await control(`/ticks?rate=${TICKS_PER_SECOND}`);
  await sleep(500);
  await fetch(`${service.url}/bench/block?ms=${BLOCK_MS}`, { method: "POST" });
  await sleep(1_500);
  const { ticks } = await control("/quiet");
  await sleep(500);
  const { dropped } = await control("/stats", "GET");
  return { disconnects: dropped, sent: ticks, lost: ticks - ((await received(service)) - before) };
}

/** Sends messages as fast as they are taken. Memory is the peak above the idle process. */
async function unread(parts, { short }) {
  const upstream = await parts.upstream();
  const service = await parts.row(upstream);
  await call(service, "echo", ["connected"]);
  await sleep(500);
  const count = short ? 300_000 : 1_000_000;
  const idle = memory(service.pid).now;
  forgetPeak(service.pid);
  const began = performance.now();
  await call(service, "flood", [{ rate: 0, bytes: UNREAD_BYTES, count }]);
  const late = began + 120_000;
  while ((await received(service)) < count) {
    if (performance.now() > late) throw new Error(`${await received(service)} of ${count} messages came within 120 s`);
    await sleep(20);
  }
  const seconds = (performance.now() - began) / 1_000;
  const { peak } = memory(service.pid);
  return { messages: count, perSecond: count / seconds, idleMb: idle, peakMb: peak, overMb: peak - idle - KEPT_MB };
}

async function start(parts, { short }) {
  const upstream = await parts.upstream();
  const times = [];
  const idle = [];
  for (let i = 0; i < (short ? 3 : STARTS); i++) {
    const began = performance.now();
    const service = await parts.row(upstream);
    while (service.name === "sidesocket" && (await fetch(`${service.url}/readyz`)).status !== 200) await sleep(5);
    times.push(performance.now() - began);
    await sleep(1_000);
    idle.push(memory(service.pid).now);
    await service.stop();
  }
  return { readyMs: median(times), idleMb: median(idle) };
}

/** Measures what a bridge adds: its time less that of the server alone and of the socket alone, in microseconds. */
async function single(parts, window) {
  const load = { connections: 1, warmAnswers: 3_000 };
  const { own, bare, raw } = await threeWays(parts, load, window);
  return { p50: own * 1_000, bareP50: bare * 1_000, rawP50: raw * 1_000, addedUs: (own - bare - raw) * 1_000 };
}

/**
 * Compares with the same bytes from the server alone plus over the socket alone, and measures the main thread's pause.
 */
async function reply(parts, window) {
  const load = { connections: 1, blob: REPLY_BYTES };
  const { own, bare, raw, pauseMs } = await threeWays(parts, load, window);
  return { p50: own, bareP50: bare, rawP50: raw, ratio: own / (bare + raw), pauseMs };
}

/**
 * Measures microseconds for each message and reader. A row that only writes could not keep up with many, and has no
 * bound.
 */
async function readers(parts, { seconds }) {
  const at = async (rate) => {
    const service = await parts.row(await parts.upstream());
    const { cpu, perSecond, memory } = await readersAt(service, READERS, seconds, rate);
    return { name: service.name, cpu, perSecond, peakMb: memory.peak };
  };
  const singly = await at(SINGLY);
  const figures = { singlyUs: singly.cpu, singlyPerSecond: singly.perSecond, singlyPeakMb: singly.peakMb };
  if (singly.name === "writes") return figures;
  const together = await at(TOGETHER);
  return {
    ...figures,
    togetherUs: together.cpu,
    togetherPerSecond: together.perSecond,
    togetherPeakMb: together.peakMb,
  };
}

async function threeWays(parts, load, window) {
  const upstream = await parts.upstream();
  const service = await parts.row(upstream);
  const alone = await parts.row(upstream, "bare");
  const rounds = { own: [], bare: [], raw: [] };
  const pauses = [];
  for (let round = 0; round < 3; round++) {
    rounds.bare.push((await put(alone, upstream, load, window)).p50);
    const job = { url: upstream.url, ...load, ...window };
    rounds.raw.push((await measure(process.execPath, ["bench/raw.mjs", JSON.stringify(job)])).p50);
    // The timer that looks for pauses costs a little, so durations are measured without it.
    rounds.own.push((await put(service, upstream, load, window)).p50);
  }
  if (load.blob) pauses.push(await longestPause(service, () => put(service, upstream, load, window)));
  const medians = Object.fromEntries(Object.entries(rounds).map(([name, values]) => [name, median(values)]));
  return { ...medians, pauseMs: pauses[0] };
}

/** Measures the main thread's longest pause during `work`; undefined if the program does not report it. */
async function longestPause({ name, url }, work) {
  const reports = name === "hand-written" || name === "library";
  if (reports) await json(`${url}/bench/lag`);
  await work();
  return reports ? (await json(`${url}/bench/lag`)).longestMs : undefined;
}

/** Counts the messages received so far. */
async function received({ name, url }) {
  if (name === "hand-written") return (await json(`${url}/bench/messages`)).received;
  for (;;) {
    // Without counters, the thread was too busy to respond.
    const { counters } = await json(`${url}/v1/upstreams/default`);
    if (counters) return counters.messages;
  }
}

async function call({ url, path }, method, params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  return json(`${url}${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

async function json(url, init) {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}
