/** An upstream: its phase, the last hour, its figures, subscriptions and webhooks. */

import { bytes, clock, count, duration, millis, plural } from "./format.js";
import { html } from "./preact.js";
import { local } from "./service.js";

const MINUTE_MS = 60_000;
/** The spans of the timeline: the shortest that holds all that is known is taken. */
const SPANS = [5, 15, 60];

/** The kind of each phase: it decides the colour, the shape, and the height in the timeline. */
const KIND = {
  ready: "good",
  connecting: "busy",
  greeting: "busy",
  waiting: "poor",
  refused: "bad",
  idle: "off",
  closing: "off",
  closed: "off",
};

const MEANING = {
  ready: "connected and greeted",
  connecting: "opening a connection",
  greeting: "connected, and logging in",
  waiting: "not connected, between two attempts",
  refused: "not connected: trying again soon would be wrong",
  idle: "no connection yet",
  closing: "closing its connection",
  closed: "closed",
};

const SHAPE = {
  good: html`<circle cx="8" cy="8" r="7" />`,
  busy: html`<path d="M8 1a7 7 0 0 1 0 14z" /><circle cx="8" cy="8" r="6" class="ring" />`,
  poor: html`<path d="M8 1.5 15 14H1z" />`,
  bad: html`<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" />`,
  off: html`<circle cx="8" cy="8" r="5.5" class="ring" />`,
};

export function kindOf(phase) {
  return KIND[phase] ?? "off";
}

/**
 * The upstream as its users see it: `kind`, a `word`, and the failures that make it worse than its connection. A ready
 * connection says nothing about requests: each of them may time out.
 */
export function healthOf({ name, phase, instances }, failures, now) {
  const recent = failures.filter(
    ({ upstream, status, at }) => upstream === name && status >= 500 && now - local(at) <= MINUTE_MS,
  );
  // A template has no connection of its own: each caller opens an instance.
  if (phase === "idle" && instances !== null)
    return { kind: instances > 0 ? "good" : "off", word: plural(instances, "open instance"), recent, phase };
  const kind = kindOf(phase);
  return kind === "good" && recent.length > 0
    ? { kind: "poor", word: `${phase}, but requests fail`, recent, phase }
    : { kind, word: phase, recent, phase };
}

export function Health({ of: { kind, word, phase } }) {
  return html`<span class="phase ${kind}" title=${MEANING[phase]}>
    <svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE[kind]}</svg>${word}
  </span>`;
}

export function Upstream({ state, health, history, rate, now, subscriptions }) {
  const since = local(state.since);
  return html`<article class="panel upstream ${health.kind}" aria-labelledby="upstream-${state.name}">
    <header>
      <h2 id="upstream-${state.name}">${state.name}</h2>
      <${Health} of=${health} />
      <span class="since">
        ${health.word === state.phase ? "" : `${state.phase} `}for <b>${duration(now - since)}</b>, since <time datetime=${state.since}>${clock(since)}</time>${serviceOf(state)}
      </span>
      <${NextAttempt} state=${state} now=${now} />
      <span class="place">${state.url} · ${state.protocol || "protocol not loaded"}${
        state.required ? "" : " · not required"
      }</span>
    </header>
    ${
      state.last_error !== null &&
      html`<p class=${state.phase === "ready" ? "reason past" : "reason"}>
        <b>${state.phase === "ready" ? "Last error" : "Why"}</b> ${state.last_error}
        ${state.found_dead_by && html` (found by ${state.found_dead_by})`}
      </p>`
    }
    <${Trouble} recent=${health.recent} />
    <${Timeline} state=${state} history=${history} now=${now} />
    <${Figures} state=${state} rate=${rate} />
    <${Subscriptions} all=${subscriptions} />
    <${Webhooks} all=${state.webhooks} />
  </article>`;
}

/** The failures of the last minute: how many, since when, and their codes. */
function Trouble({ recent }) {
  if (recent.length === 0) return null;
  const codes = [...new Set(recent.map(({ code }) => code))];
  const since = local(recent.at(-1).at);
  return html`<p class="reason trouble">
    <b>${plural(recent.length, "failed request")}</b> in the last minute, since ${clock(since)}:${" "}
    ${codes.map((code) => html`<code key=${code}>${code}</code>${" "}`)}
  </p>`;
}

/** Tells an upstream that went away from one that was never there. */
function serviceOf({ phase, ready_until: until, attempts }) {
  if (phase === "ready" || phase === "idle") return "";
  if (until !== null) return `, ready until ${clock(local(until))}`;
  return attempts > 0 ? html`, <b>never ready</b> since the service started` : "";
}

function NextAttempt({ state, now }) {
  const { phase, retry_in_ms: inMs, received, attempts } = state;
  if (phase === "ready") return null;
  const tried = attempts > 0 ? `${plural(attempts, "failed attempt")}, ` : "";
  if (inMs === null) return attempts > 0 && html`<span class="next">${plural(attempts, "failed attempt")}</span>`;
  const left = received + inMs - now;
  const when = left <= 500 ? "now" : `in ${duration(Math.ceil(left / 1_000) * 1_000)}`;
  return html`<span class="next">${tried}next attempt <b>${when}</b></span>`;
}

/** The stretches of time with one phase, of the last hour at most; before the oldest known change there is none. */
function stretches(state, history, now) {
  const changes = history.map(({ at, phase }) => ({ at: local(at), phase }));
  const last = { at: local(state.since), phase: state.phase };
  if (changes.at(-1)?.phase !== last.phase) changes.push(last);
  return changes
    .filter(({ phase }, index) => phase !== changes[index - 1]?.phase)
    .map(({ at, phase }, index, all) => ({ phase, at, to: all[index + 1]?.at ?? now }))
    .map(({ phase, at, to }) => ({ phase, from: Math.max(at, now - SPANS.at(-1) * MINUTE_MS), to }))
    .filter(({ from, to }) => to > from);
}

const HEIGHT = { good: 24, busy: 17, poor: 11, bad: 11, off: 4 };

const LEGEND = [
  ["good", "ready"],
  ["busy", "connecting"],
  ["poor", "between attempts"],
  ["bad", "refused"],
];

function Timeline({ state, history, now }) {
  const all = stretches(state, history, now);
  const known = all.reduce((sum, { from, to }) => sum + to - from, 0);
  const ready = all.filter(({ phase }) => phase === "ready").reduce((sum, { from, to }) => sum + to - from, 0);
  const breaks = all.filter(({ phase }, at) => phase !== "ready" && all[at - 1]?.phase === "ready").length;
  const share = known > 0 ? Math.floor((1_000 * ready) / known) / 10 : 0;
  const text = `${share} % ready, ${plural(breaks, "interruption")}`;
  const minutes = SPANS.find((each) => now - (all[0]?.from ?? now) <= each * MINUTE_MS) ?? SPANS.at(-1);
  const span = minutes === 60 ? "hour" : `${minutes} min`;
  const x = (at) => 1_000 + ((at - now) / (minutes * MINUTE_MS)) * 1_000;
  return html`<figure class="timeline">
    <figcaption><span>Last ${span}</span><b>${text}</b></figcaption>
    <svg viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label=${`The last ${span}: ${text}`}>
      ${all.map(({ phase, from, to }) => {
        const kind = kindOf(phase);
        const width = Math.max(1.5, x(to) - x(from));
        return html`<rect
          key=${from}
          class=${kind}
          x=${Math.min(x(from), 1_000 - width)}
          y=${24 - HEIGHT[kind]}
          width=${width}
          height=${HEIGHT[kind]}
        ><title>${phase}, ${clock(from)}, ${duration(to - from)}</title></rect>`;
      })}
    </svg>
    <div class="axis" aria-hidden="true">
      <span>${minutes} min ago</span><span>${minutes / 2} min</span><span>now</span>
    </div>
    <ul class="legend" aria-hidden="true">
      ${LEGEND.map(
        ([kind, word]) => html`<li key=${kind}>
          <svg viewBox="0 0 12 24"><rect class=${kind} y=${24 - HEIGHT[kind]} width="12" height=${HEIGHT[kind]} /></svg>${word}
        </li>`,
      )}
    </ul>
  </figure>`;
}

function Figures({ state, rate }) {
  const { latency, counters, kept } = state;
  return html`<dl class="figures">
    <${Figure} name="Requests" value=${rate === undefined ? "–" : `${rate}/s`} more=${inFlight(state)} />
    <${Figure}
      kind="wide-figure"
      name="Time to reply"
      value=${millis(latency?.p50_ms)}
      more=${`p99 ${millis(latency?.p99_ms)}`}
      extra=${html`<${Spark} windows=${latency?.windows ?? []} />`}
    />
    <${Figure}
      name="Round trip"
      value=${millis(state.round_trip_ms)}
      more=${heard(state)}
    />
    <${Figure}
      name="Kept"
      value=${count(kept?.messages)}
      more=${`messages and gaps, ${bytes(kept?.bytes)}, ${plural(state.readers, "reader")}`}
    />
    <${Figure}
      name="Requests passed on"
      value=${count(counters?.requests)}
      more=${counters ? `${count(counters.failures)} failed, ${count(counters.late)} late` : "no figures in time"}
    />
    <${Figure}
      name="Connections"
      value=${count(counters?.connects)}
      more=${counters ? `${count(counters.messages)} messages in all` : ""}
    />
  </dl>`;
}

function inFlight({ in_flight: present, in_flight_max: max, first_in_flight_age_ms: firstMs }) {
  const of = max === null ? "" : ` of ${count(max)}`;
  return `${count(present)}${of} in flight${firstMs === null ? "" : `, the first ${duration(firstMs)} old`}`;
}

function heard({ phase, last_frame_age_ms: frameMs, last_pong_age_ms: pongMs }) {
  const frame = frameMs === null ? "no frame yet" : `last frame ${duration(frameMs)} ago`;
  if (pongMs !== null) return `${frame}, last pong ${duration(pongMs)} ago`;
  return phase === "ready" ? `${frame}, no pong yet` : frame;
}

function Figure({ kind, name, value, more, extra }) {
  return html`<div class=${kind}><dt>${name}</dt><dd><b>${value}</b> <small>${more}</small>${extra}</dd></div>`;
}

/** The number of windows that the service keeps, and so the width of the picture. */
const WINDOWS = 30;

/** p50 as a line, p99 as a thin one above it, and a mark where requests have failed; on one logarithmic scale. */
function Spark({ windows }) {
  const shown = windows.slice(-WINDOWS);
  const tops = shown.flatMap(({ p99_ms: ms }) => (ms === null ? [] : [ms]));
  if (tops.length < 2) return null;
  const scale = (ms) => Math.log10(1 + 10 * ms);
  const top = Math.max(scale(Math.max(...tops)), 0.1);
  const x = (index) => ((index + WINDOWS - shown.length) * 200) / (WINDOWS - 1);
  const line = (name) =>
    shown
      .flatMap((window, index) =>
        window[name] === null ? [] : [`${x(index)},${30 - (scale(window[name]) / top) * 28}`],
      )
      .join(" ");
  const span = duration(shown.length * 10_000);
  const label = `The last ${span}: p99 between ${millis(Math.min(...tops))} and ${millis(Math.max(...tops))}`;
  return html`<svg class="spark" viewBox="0 0 200 36" preserveAspectRatio="none" role="img" aria-label=${label}>
    <title>${label}</title>
    <polyline class="p99" points=${line("p99_ms")} />
    <polyline class="p50" points=${line("p50_ms")} />
    ${shown.map(
      ({ failed }, index) =>
        failed > 0 &&
        html`<rect key=${index} class="failed" x=${Math.max(0, x(index) - 2)} y="32" width="4" height="4" />`,
    )}
  </svg>`;
}

const SUBSCRIPTION_KIND = { active: "good", asking: "busy", waiting: "poor", failed: "bad" };

function Subscriptions({ all = [] }) {
  if (all.length === 0) return null;
  return html`<section class="list"><h3>Subscriptions</h3><ul>
    ${all.map(
      ({ id, phase, since, last_error: error, activations }) => html`<li key=${id}>
        <code>${id}</code>
        <span class="phase small ${SUBSCRIPTION_KIND[phase]}">
          <svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE[SUBSCRIPTION_KIND[phase]]}</svg>${phase}
        </span>
        <span>since ${clock(local(since))}, agreed ${plural(activations, "time")}</span>
        ${error !== null && html`<span class="error">${error}</span>`}
      </li>`,
    )}
  </ul></section>`;
}

function Webhooks({ all }) {
  if (all.length === 0) return null;
  return html`<section class="list"><h3>Webhooks</h3><ul>
    ${all.map(({ url, delivered, failures, last_error: error, given_up: givenUp, stopped, elsewhere }, index) => {
      const [kind, word] = stopped
        ? ["off", "stopped"]
        : elsewhere
          ? ["off", "elsewhere"]
          : failures > 0
            ? ["poor", "failing"]
            : ["good", "delivering"];
      return html`<li key=${index}>
        <code>${url}</code>
        <span class="phase small ${kind}"><svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE[kind]}</svg>${word}</span>
        <span>${count(delivered)} delivered${failures > 0 ? `, ${plural(failures, "failed attempt")}` : ""}${
          givenUp > 0 ? `, ${count(givenUp)} given up` : ""
        }</span>
        ${failures > 0 && error !== null && html`<span class="error">${error}</span>`}
      </li>`;
    })}
  </ul></section>`;
}
