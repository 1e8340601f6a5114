/**
 * The load generator: one process that sends requests over raw keep-alive sockets and prints its figures as JSON.
 *
 * Its argument is the job, as `job()` below completes it. It reads the CPU time of the processes in `pids` at both ends
 * of the measured window, so that the time before and after costs nobody anything.
 *
 * Cheap on purpose: no HTTP client, one write and one small parse for each request, one buffer for all that is read.
 * Every response must be 200 and as long as the first of its connection, and each first one is read and compared.
 */
import { connect } from "node:net";
import process from "node:process";
import { cpuMicros, memory } from "./os.mjs";

const CONNECT_TOGETHER = 100;
const READ_BYTES = 256 * 1024;
/** The least number of responses, however long the window: fewer prove nothing. */
const ANSWERS_MIN = 5;
const WINDOW_MAX_FACTOR = 10;

const settings = {
  url: "",
  method: "POST",
  /** Requested in turn by the connections. */
  paths: ["/"],
  /**
   * The message: `call` with a text that makes the whole `bytes` long; `batch` of them in one array; `blob`: reply
   * bytes.
   */
  call: "echo",
  bytes: 100,
  batch: 0,
  blob: 0,
  connections: 1,
  /** Requests per second, however long they take; 0: each connection sends the next one after a response. */
  rate: 0,
  /** The warm-up lasts at least this long and this many responses, but not ten times as long. */
  warmSeconds: 0.5,
  warmAnswers: 1,
  seconds: 2,
  pids: {},
  ...JSON.parse(process.argv[2]),
};

const { hostname, port } = new URL(settings.url);
const readBuffer = Buffer.allocUnsafe(READ_BYTES);
let errors = 0;
let firstError;
let taken = new Float64Array(1 << 16);
let answers = 0;
let counting = false;

class Connection {
  /** @param asked called when a response is complete, or when there will be none */
  constructor(id, path, asked) {
    this.id = id;
    this.message = messageFor(id);
    this.request = requestFor(path, this.message);
    this.onAnswered = asked;
    this.began = undefined;
    this.length = undefined;
    this.reset();
  }

  reset() {
    this.missing = -1;
    this.head = "";
    this.parts = this.length === undefined ? [] : undefined;
  }

  open() {
    return new Promise((resolve, reject) => {
      const onread = { buffer: readBuffer, callback: (size) => this.read(size) };
      this.socket = connect({ host: hostname, port: Number(port), noDelay: true, onread }, resolve);
      this.socket.on("error", reject);
      this.socket.on("close", () => this.closed());
    });
  }

  ask(began = performance.now()) {
    this.began = began;
    this.socket.write(this.request);
  }

  read(size) {
    let at = 0;
    if (this.missing < 0) {
      const before = this.head.length;
      this.head += readBuffer.latin1Slice(0, Math.min(size, 4_096));
      const end = this.head.indexOf("\r\n\r\n");
      if (end < 0) return true;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.head)?.[1] ?? Number.NaN);
      const status = this.head.slice(9, 12);
      if (Number.isNaN(length)) fail(`a response without Content-Length: ${this.head.slice(0, 200)}`);
      if (status !== "200") this.wrong(`status ${status}: ${this.head.slice(end + 4, end + 300)}`);
      else if (this.length !== undefined && this.length !== length) this.wrong(`a response of ${length} bytes`);
      this.missing = length;
      at = end + 4 - before;
      this.expected = length;
    }
    this.missing -= size - at;
    this.parts?.push(Buffer.from(readBuffer.subarray(at, size)));
    if (this.missing <= 0) this.answered();
    return true;
  }

  answered() {
    const now = performance.now();
    if (this.began === undefined) fail("a response without a request");
    if (this.parts && settings.method === "POST") this.check(Buffer.concat(this.parts).toString());
    if (!this.failed) this.length = this.expected;
    if (counting && !this.failed) count(now - this.began);
    this.began = undefined;
    this.failed = false;
    this.reset();
    this.onAnswered(this);
  }

  check(text) {
    if (this.failed) return;
    try {
      const reply = JSON.parse(text);
      const all = Array.isArray(reply) ? reply : [reply];
      const right = all.length === (settings.batch || 1) && all.every(({ id, result }) => id === this.id && result);
      if (!right) this.wrong(`a wrong reply: ${text.slice(0, 200)}`);
    } catch (error) {
      this.wrong(`${error.message}: ${text.slice(0, 200)}`);
    }
  }

  wrong(what) {
    this.failed = true;
    errors++;
    firstError ??= what;
  }

  closed() {
    if (over) return;
    fail(`a connection was closed, ${this.began === undefined ? "idle" : "with a request on it"}`);
  }
}

function messageFor(id) {
  if (settings.blob > 0) return `{"jsonrpc":"2.0","id":${id},"method":"blob","params":[${settings.blob}]}`;
  const head = `{"jsonrpc":"2.0","id":${id},"method":"${settings.call}","params":["`;
  const one = `${head}${"x".repeat(Math.max(1, settings.bytes - head.length - 3))}"]}`;
  return settings.batch > 0 ? `[${Array(settings.batch).fill(one).join(",")}]` : one;
}

function requestFor(path, message) {
  if (settings.method === "GET") return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(message)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${message}`);
}

function count(ms) {
  if (answers === taken.length) {
    const larger = new Float64Array(taken.length * 2);
    larger.set(taken);
    taken = larger;
  }
  taken[answers++] = ms;
}

/** Lets each connection send its next request after a response. */
function closedLoop() {
  return { asked: (connection) => !over && connection.ask(), begin: (all) => all.forEach((one) => void one.ask()) };
}

/** Sends at a fixed rate, whether the others were answered or not. Waiting for a free connection counts. */
function openLoop() {
  const idle = [];
  const waiting = [];
  let began;
  let due = 0;
  const tick = () => {
    const now = performance.now();
    for (const wanted = Math.floor(((now - began) / 1_000) * settings.rate); due < wanted; due++) {
      const connection = idle.pop();
      if (connection) connection.ask(now);
      else waiting.push(now);
    }
    if (!over) setTimeout(tick, 1);
  };
  return {
    asked(connection) {
      const since = waiting.shift();
      if (since === undefined) idle.push(connection);
      else connection.ask(since);
    },
    begin(all) {
      idle.push(...all);
      began = performance.now();
      tick();
    },
  };
}

function reading() {
  const each = Object.entries(settings.pids);
  return {
    at: performance.now(),
    cpu: Object.fromEntries(each.map(([name, pid]) => [name, cpuMicros(pid)])),
    main: settings.pids.service && cpuMicros(settings.pids.service, { mainThread: true }),
    own: process.cpuUsage(),
  };
}

function fail(what) {
  process.stderr.write(`${what}${firstError ? ` (before that: ${firstError})` : ""}\n`);
  process.exit(1);
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

let over = false;
const { asked, begin } = settings.rate > 0 ? openLoop() : closedLoop();
const connections = Array.from(
  { length: settings.connections },
  (_, index) => new Connection(index + 1, settings.paths[index % settings.paths.length], asked),
);
for (let at = 0; at < connections.length; at += CONNECT_TOGETHER) {
  await Promise.all(connections.slice(at, at + CONNECT_TOGETHER).map((connection) => connection.open())).catch(
    (error) => fail(error.message),
  );
}
begin(connections);
const warmUntil = performance.now() + settings.warmSeconds * WINDOW_MAX_FACTOR * 1_000;
counting = true;
await sleep(settings.warmSeconds);
while (answers < settings.warmAnswers && performance.now() < warmUntil) await sleep(0.01);

answers = 0;
const before = reading();
await sleep(settings.seconds);
const until = before.at + settings.seconds * WINDOW_MAX_FACTOR * 1_000;
while (answers < ANSWERS_MIN && performance.now() < until) await sleep(0.01);
counting = false;
const after = reading();
over = true;

if (answers === 0) fail("nothing was answered");
const times = taken.subarray(0, answers).sort();
const at = (share) => times[Math.min(answers - 1, Math.floor(answers * share))];
const perRequest = (now, then) => (now === undefined || then === undefined ? null : (now - then) / answers);
const ownMicros = after.own.user + after.own.system - before.own.user - before.own.system;
const seconds = (after.at - before.at) / 1_000;
const figures = {
  requests: answers,
  errors,
  firstError,
  perSecond: answers / seconds,
  p50: at(0.5),
  p99: at(0.99),
  max: times[answers - 1],
  cpu: perRequest(after.cpu.service, before.cpu.service),
  /** Of each process in `pids`. */
  cpuOf: Object.fromEntries(
    Object.keys(settings.pids).map((name) => [name, perRequest(after.cpu[name], before.cpu[name])]),
  ),
  mainCpu: perRequest(after.main, before.main),
  upstreamCpu: perRequest(after.cpu.upstream, before.cpu.upstream),
  loadCpu: ownMicros / answers,
  /** The share of time that the load itself was busy: near 1 it limits the throughput. */
  loadShare: ownMicros / 1e6 / seconds,
  memory: settings.pids.service ? memory(settings.pids.service) : undefined,
};
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
