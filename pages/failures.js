/** The last failures, grouped by upstream and code: how many, the newest in full, and the request ids of the others. */

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
    <h2 id="failures">Failures <small>${all.length === 0 ? "" : `the last ${all.length === 1 ? "one" : all.length}, by code`}</small></h2>
    ${
      all.length === 0
        ? html`<p class="hint">None since the service started.</p>`
        : html`<ol class="failures scroll" tabindex="0" aria-label="Failures">${grouped(all).map(
            (group) => html`<${Group} key=${keyOf(group[0])} group=${group} now=${now} />`,
          )}</ol>`
    }
  </section>`;
}

function keyOf({ upstream, code, cause }) {
  return JSON.stringify([upstream, code, cause]);
}

/** The groups in the order of their newest, each newest first. */
function grouped(all) {
  const groups = new Map();
  for (const failure of all) {
    const group = groups.get(keyOf(failure));
    if (group) group.push(failure);
    else groups.set(keyOf(failure), [failure]);
  }
  return [...groups.values()];
}

function Group({ group, now }) {
  const [newest, ...others] = group;
  const { at, method, route, upstream, code, cause, status, detail, total_ms: ms } = newest;
  const first = local(group.at(-1).at);
  return html`<li>
    <p class="head">
      <${Time} at=${at} now=${now} />
      <b class="code">${code}</b>
      ${others.length > 0 && html`<b class="count">${group.length} times</b>`}
      ${cause !== null && html`<code>${cause}</code>`}
      ${[...new Set(group.map(({ sent }) => sent))].map((sent) => html`<${Sent} key=${sent} sent=${sent} />`)}
      ${upstream !== null && html`<span>${upstream}</span>`}
    </p>
    <p>${detail}</p>
    <p class="fine"><span>${method} ${route}</span> <span>${status} after ${millis(ms)}</span> <${Id} of=${newest} /></p>
    ${
      others.length > 0 &&
      html`<details>
        <summary>${others.length === 1 ? "One" : others.length} more since ${clock(first)}</summary>
        <ol>${others.map(
          (failure) => html`<li key=${failure.request_id + failure.at} class="fine">
            <${Time} at=${failure.at} now=${now} /> <${Id} of=${failure} />
            ${failure.detail !== detail && html`<span>${failure.detail}</span>`}
          </li>`,
        )}</ol>
      </details>`
    }
  </li>`;
}

function Time({ at, now }) {
  const when = local(at);
  return html`<time datetime=${at} title="${duration(now - when)} ago">${clock(when)}</time>`;
}

function Sent({ sent }) {
  return html`<span class="sent ${sent}" title=${SENT[sent]}>sent: ${sent}</span>`;
}

function Id({ of }) {
  return html`<code class="id" title="The request id: it is in the log, and was in X-Request-Id">${of.request_id}</code>`;
}
