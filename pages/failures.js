/** The last failures, each with its code, what is known of its message, and its request id. */

import { clock, duration, millis } from "./format.js";
import { html } from "./preact.js";
import { local } from "./service.js";

const SENT = {
  no: "the message was never handed to the socket: repeating is safe",
  maybe: "the message was handed to the socket, and nothing proves its arrival",
  yes: "the upstream received the message",
};

export function Failures({ all, now }) {
  return html`<section class="panel" aria-labelledby="failures">
    <h2 id="failures">Failures <small>${all.length === 0 ? "" : `the last ${all.length === 1 ? "one" : all.length}, newest first`}</small></h2>
    ${
      all.length === 0
        ? html`<p class="hint">None since the service started.</p>`
        : html`<ol class="failures scroll" tabindex="0" aria-label="Failures">${all.map(
            (failure) => html`<${Failed} key=${failure.request_id + failure.at} failure=${failure} now=${now} />`,
          )}</ol>`
    }
  </section>`;
}

function Failed({ failure, now }) {
  const { at, request_id: id, method, route, upstream, code, sent, status, detail, total_ms: ms } = failure;
  const when = local(at);
  return html`<li>
    <p class="head">
      <time datetime=${at} title="${duration(now - when)} ago">${clock(when)}</time>
      <b class="code">${code}</b>
      <span class="sent ${sent}" title=${SENT[sent]}>sent: ${sent}</span>
      ${upstream !== null && html`<span>${upstream}</span>`}
    </p>
    <p>${detail}</p>
    <p class="fine">
      <span>${method} ${route}</span> <span>${status} after ${millis(ms)}</span>
      <code class="id" title="The request id: it is in the log, and was in X-Request-Id">${id}</code>
    </p>
  </li>`;
}
