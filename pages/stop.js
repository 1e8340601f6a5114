/** The button that stops the service: a typed confirmation, and the exit report as a bar of its steps. */

import { millis } from "./format.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { json, token } from "./service.js";

const WORD = "stop";

/** @param onReport gets the exit report */
export function StopDialog({ upstreams, onClose, onReport }) {
  const dialog = useRef();
  const [typed, setTyped] = useState("");
  const [own, setOwn] = useState("");
  const [state, setState] = useState({});
  useEffect(() => dialog.current.showModal(), []);
  const stop = async (event) => {
    event.preventDefault();
    if (typed !== WORD || state.isStopping) return;
    setState({ isStopping: true });
    try {
      onReport(await json("/shutdown", { method: "POST", bearer: own || token.text }));
      onClose();
    } catch (error) {
      setState({ error: error.message, needsToken: error.status === 401 });
    }
  };
  const inFlight = upstreams.reduce((sum, { in_flight: n }) => sum + n, 0);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="stop-title">
    <form onSubmit=${stop}>
      <h2 id="stop-title">Stop the service?</h2>
      <p>
        The exit begins at once: new requests are refused, ${inFlight === 0 ? "nothing is in flight now" : `the ${inFlight} in flight may still end`},
        and connections to upstreams are closed. Nothing here can start it again.
      </p>
      <label class="wide">Type <b>${WORD}</b> to confirm
        <input autocomplete="off" autocapitalize="off" autofocus value=${typed} onInput=${({ target }) => setTyped(target.value.trim().toLowerCase())} />
      </label>
      ${
        (state.needsToken || own !== "") &&
        html`<label class="wide">Token of /shutdown
          <input type="password" autocomplete="off" value=${own} onInput=${({ target }) => setOwn(target.value.trim())} />
        </label>`
      }
      ${state.error && html`<p class="reason" role="alert"><b>Refused</b> ${state.error}</p>`}
      <div class="bar end">
        <button type="button" onClick=${() => dialog.current.close()}>Keep it running</button>
        <button class="danger" disabled=${typed !== WORD || state.isStopping}>${state.isStopping ? "Stopping…" : "Stop the service"}</button>
      </div>
    </form>
  </dialog>`;
}

const DOES = {
  drain: "refuses new requests, lets replies come",
  stop: "releases callers that wait, ends streams",
  close: "closes the connections to upstreams",
  cancel: "fails what is still in flight",
  join: "ends the sidecar's thread",
};
const KIND = { done: "good", forced: "poor", failed: "bad", skipped: "off" };

export function ExitReport({ report }) {
  const { cause, forced, exit_code: code, ms, steps } = report;
  const total = Math.max(
    1,
    steps.reduce((sum, step) => sum + step.ms, 0),
  );
  const before = (index) => steps.slice(0, index).reduce((sum, each) => sum + each.ms, 0);
  return html`<section class="panel report" aria-labelledby="report" role="status">
    <h2 id="report">The service has stopped <small>by ${cause}${forced ? ", forced" : ""}, exit code ${code}, ${millis(ms)} in all</small></h2>
    <ol class="steps">
      ${steps.map(
        ({ step, outcome, ms: took, counts }, index) => html`<li key=${step} class=${KIND[outcome]}>
          <b>${index + 1}. ${step}</b>
          <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
            <rect class="track" width="100" height="10" />
            <rect x=${(100 * before(index)) / total} width=${Math.max(1, (100 * took) / total)} height="10" />
          </svg>
          <span><span class="outcome">${outcome}</span> in ${took} ms</span>
          <span class="fine">${DOES[step]}<br /><code>${facts(counts)}</code></span>
        </li>`,
      )}
    </ol>
    <p class="hint">When the service is started again, this page shows it.</p>
  </section>`;
}

function facts(counts) {
  const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.entries(counts)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join(", ");
}
