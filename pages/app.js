/** The page at `/`: follows the service, and shows all that it says about itself. */

import { Failures } from "./failures.js";
import { bytes, duration } from "./format.js";
import { html, render } from "./preact.js";
import { TryRequest } from "./request.js";
import { address, call, follow, json, token, urlOf } from "./service.js";
import { ExitReport, StopDialog } from "./stop.js";
import { Messages, Tail } from "./tail.js";
import { AskToken } from "./token.js";
import { Health, healthOf, Upstream } from "./upstream.js";

const FAILURES = 50;
const CHANGES = 200;
/** The stream of upstreams has an event each second. */
const SILENT_MS = 6_000;
const SUBSCRIPTIONS_EVERY_MS = 5_000;
/** Seconds over which the rate of requests is measured. */
const RATE_SECONDS = 5;

/** `link`: connecting, live, lost or locked. */
const state = {
  link: "connecting",
  why: undefined,
  againAt: 0,
  upstreams: [],
  memory: undefined,
  history: {},
  failures: [],
  subscriptions: {},
  counted: {},
  about: undefined,
  report: undefined,
  isStopping: false,
};
const tail = new Tail();
let following = new AbortController();
let isDrawing = false;

/** Draws once, however often it is called in a frame. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  const now = () => {
    isDrawing = false;
    document.title = titleOf();
    render(html`<${App} now=${Date.now()} />`, document.getElementById("app"));
  };
  // A page in the background gets no frames.
  if (document.hidden) now();
  else requestAnimationFrame(now);
}

function set(more) {
  Object.assign(state, more);
  draw();
}

async function start() {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  if (token.text === "" && (await needsToken())) return set({ link: "locked", why: undefined });
  if (signal.aborted) return;
  const lost = (error, againAt) => {
    if (error?.status === 401) set({ link: "locked", why: token.text === "" ? undefined : error.message });
    else set({ link: "lost", why: error?.status ? error.message : undefined, againAt });
  };
  let isLet = false;
  const open = () => {
    // Only now: with a wrong token each stream would be one more failure in the log.
    if (!isLet) follow("/v1/events", { signal, on: { open: () => catchUp(), event: onEvent } });
    isLet = true;
  };
  const event = (_name, data) => onUpstreams(data);
  follow("/v1/upstreams", { signal, silentMs: SILENT_MS, on: { open, event, lost } });
  pollSubscriptions(signal);
}

/** Asks a probe, which tells more if no token is needed: a call without one would be a failure in the log. */
async function needsToken() {
  const body = await call("/readyz").then(
    (response) => response.json(),
    () => ({ upstreams: {} }),
  );
  return body.upstreams === undefined;
}

function onUpstreams({ upstreams, memory }) {
  const received = Date.now();
  for (const { name, counters } of upstreams) {
    if (counters === null) continue;
    const all = [...(state.counted[name] ?? []), { at: received, requests: counters.requests }];
    // A smaller number is that of another process.
    const isOther = all.length > 1 && all.at(-2).requests > counters.requests;
    state.counted[name] = isOther ? all.slice(-1) : all.slice(-RATE_SECONDS - 1);
  }
  if (state.link !== "live") catchUp();
  const all = upstreams.map((upstream) => ({ ...upstream, received }));
  set({ link: "live", why: undefined, upstreams: all, memory, report: undefined });
}

function rateOf(name) {
  const all = state.counted[name] ?? [];
  if (all.length < 2) return undefined;
  const rate = (1_000 * (all.at(-1).requests - all[0].requests)) / (all.at(-1).at - all[0].at);
  return rate === 0 || rate >= 10 ? Math.round(rate) : rate.toFixed(1);
}

function onEvent(name, data) {
  if (name === "failure") set({ failures: [data, ...state.failures].slice(0, FAILURES) });
  if (name === "gap") catchUp();
  if (name !== "state") return;
  const { upstream, ...change } = data;
  const changes = [...(state.history[upstream] ?? []), change].slice(-CHANGES);
  set({ history: { ...state.history, [upstream]: changes } });
  readSubscriptions(upstream, following.signal).then(draw);
}

/** Reads what has happened before the streams began, or while they were cut. */
async function catchUp() {
  try {
    const [{ failures }, { upstreams }, about] = await Promise.all([
      json("/v1/failures"),
      json("/v1/upstreams"),
      json("/version"),
    ]);
    set({ failures, about });
    const all = await Promise.all(upstreams.map(({ name }) => json(`/v1/upstreams/${name}`)));
    set({ history: Object.fromEntries(all.map(({ name, history }) => [name, history ?? []])) });
  } catch {
    // The streams say why, and begin again.
  }
}

async function pollSubscriptions(signal) {
  while (!signal.aborted) {
    for (const { name } of state.upstreams) {
      await readSubscriptions(name, signal);
    }
    draw();
    await new Promise((resolve) => setTimeout(resolve, state.upstreams.length > 0 ? SUBSCRIPTIONS_EVERY_MS : 500));
  }
}

async function readSubscriptions(name, signal) {
  const found = await json(`/v1/upstreams/${name}/subscriptions`, { signal }).catch(() => undefined);
  if (found) state.subscriptions = { ...state.subscriptions, [name]: found.subscriptions };
}

const RANK = ["bad", "poor", "busy", "off", "good"];

/** The health of the upstream that is worst off. */
function worst() {
  const now = Date.now();
  const all = state.upstreams.map((upstream) => healthOf(upstream, state.failures, now));
  return all.sort((a, b) => RANK.indexOf(a.kind) - RANK.indexOf(b.kind))[0];
}

function titleOf() {
  if (state.report) return "stopped · sidesocket";
  if (state.link !== "live") return `${state.link === "lost" ? "cannot reach" : state.link} · sidesocket`;
  return `${worst()?.word ?? "no upstream"} · ${address} · sidesocket`;
}

function App({ now }) {
  const { link, upstreams, failures, about, report, isStopping } = state;
  return html`<header class="top">
      <h1>sidesocket</h1>
      <span class="host">${address}</span>
      ${link === "live" && upstreams.length > 0 && html`<${Health} of=${worst()} />`}
      <span class="about">${about && `${about.version} on ${about.runtime}`}</span>
      <nav>
        <a href=${urlOf("/docs")}>API</a>
        ${token.text !== "" && html`<button type="button" onClick=${forget}>Forget the token</button>`}
        <button type="button" class="danger" disabled=${link !== "live"} onClick=${() => set({ isStopping: true })}>Stop…</button>
      </nav>
    </header>
    <main class=${link === "live" ? "" : "stale"}>
      ${link === "lost" && !report && html`<${Lost} now=${now} />`}
      ${link === "locked" && html`<${AskToken} why=${state.why} onToken=${begin} />`}
      ${report && html`<${ExitReport} report=${report} />`}
      ${link === "live" && state.memory.refuses !== "nothing" && html`<${Pressure} memory=${state.memory} />`}
      ${link === "connecting" && html`<p class="hint">Waiting for the first data of the service at ${address}.</p>`}
      ${report ? html`<${Failures} all=${failures} now=${now} />` : html`<${Everything} now=${now} />`}
    </main>
    ${
      isStopping &&
      html`<${StopDialog}
        upstreams=${upstreams}
        onClose=${() => set({ isStopping: false })}
        onReport=${(done) => set({ report: done, isStopping: false, link: "lost" })}
      />`
    }`;
}

function Everything({ now }) {
  const { upstreams, history, failures, subscriptions } = state;
  if (upstreams.length === 0) return null;
  return html`${upstreams.map(
    (upstream) => html`<${Upstream}
        key=${upstream.name}
        state=${upstream}
        health=${healthOf(upstream, failures, now)}
        history=${history[upstream.name] ?? []}
        subscriptions=${subscriptions[upstream.name]}
        rate=${rateOf(upstream.name)}
        now=${now}
      />`,
  )}
    <div class="columns">
      <div><${Failures} all=${failures} now=${now} /><${TryRequest} upstreams=${upstreams} /></div>
      <${Messages} tail=${tail} upstreams=${upstreams} subscriptions=${subscriptions} />
    </div>`;
}

const REFUSES = {
  streams: "new streams are refused",
  bodies: "large messages and new streams are refused",
  everything: "every new request is refused",
  ready: "every new request is refused, and the service is not ready",
};

function Pressure({ memory }) {
  const { held_bytes: held, limit_bytes: limit, refuses } = memory;
  return html`<p class="banner" role="alert">
    <b>Memory is short:</b>${" "}${bytes(held)} of ${bytes(limit)} are held, so ${REFUSES[refuses] ?? refuses}.
  </p>`;
}

function Lost({ now }) {
  const left = state.againAt - now;
  return html`<p class="banner" role="alert">
    <b>Cannot reach the service.</b>${" "}
    ${state.why ?? `Nothing answers at ${address}.`}
    ${left > 0 ? ` Trying again in ${duration(Math.ceil(left / 1_000) * 1_000)}.` : " Trying again now."}
    ${state.upstreams.length > 0 && ` What follows is ${duration(now - state.upstreams[0].received)} old.`}
  </p>`;
}

function begin() {
  set({ link: "connecting" });
  start();
}

function forget() {
  token.text = "";
  tail.stop();
  Object.assign(state, { upstreams: [], history: {}, failures: [], subscriptions: {}, link: "connecting" });
  start();
}

// Another tab may need the connections of this one: browsers open six to a host.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) following.abort();
  else start();
});
setInterval(() => {
  if (!document.hidden) draw();
}, 1_000);
draw();
start();
