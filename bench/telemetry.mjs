/**
 * The cost of telemetry on the way of each request, in nanoseconds of CPU, step by step and in all, on the runtime that runs it:
 * `npm run build && node bench/telemetry.mjs`, or `node scripts/deno.mjs run --allow-read --allow-sys bench/telemetry.mjs`.
 */
import process from "node:process";
import { readTraceparent } from "../dist/core/util/traceparent.js";
import { Metrics } from "../dist/http/metrics/registry.js";
import { CallStats } from "../dist/sidecar/host/call-stats.js";
import { spanStarter } from "../dist/sidecar/host/spans.js";
import { Telemetry } from "../dist/telemetry/telemetry.js";

const TIMES = 2_000_000;
const ROUNDS = 5;
const ROUTES = ["/v1/upstreams/{upstream}/request", "/rpc", "/v1/upstreams/{upstream}"];
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const reply = { type: "reply", body: "", queueMs: 0.1, upstreamMs: 3.2 };
const ended = ROUTES.map((route, index) => ({
  requestId: "r",
  method: "POST",
  route,
  status: 200,
  totalMs: 1 + index,
  upstream: "default",
  failure: undefined,
  reply,
  address: undefined,
  traceId: undefined,
}));

const upstream = { state: { phase: "ready", attempts: 0, since: new Date() }, onState: () => () => {} };
const plain = new Telemetry();
plain.watch("default", upstream);
const measured = new Telemetry();
measured.watch("default", upstream);
new Metrics(measured);
const calls = new CallStats();

const steps = {
  "the loop alone": (at) => ended[at % 3].totalMs,
  "requestEnded, without metrics": (at) => plain.requestEnded(ended[at % 3]),
  "requestEnded, with metrics": (at) => measured.requestEnded(ended[at % 3]),
  "the end of a call": () => calls.ended(reply, 0),
  "looking for an SDK": () => spanStarter(),
  "reading a traceparent": () => readTraceparent(TRACEPARENT),
};

for (const [name, step] of Object.entries(steps)) {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const from = process.cpuUsage();
    for (let at = 0; at < TIMES; at++) step(at);
    const { user, system } = process.cpuUsage(from);
    return ((user + system) * 1_000) / TIMES;
  });
  console.log(`${name}: ${Math.min(...rounds).toFixed(1)} ns`);
}
