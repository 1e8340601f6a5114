/** The page at `/docs`: the routes of `/openapi.json`, each with its parameters, a curl line, and a way to try it. */

import { html, render, useState } from "./preact.js";
import { CurlLine, curlLine, outcomeOf, Result } from "./request.js";
import { address, json, token, urlOf } from "./service.js";
import { AskToken } from "./token.js";

const RPC = '{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}';
const UPSTREAM = "/v1/upstreams/default";
const post = (path, body = RPC, more = {}) => ({ method: "POST", type: "application/json", path, body, ...more });

const RECIPES = [
  ["Call a method", post("/rpc")],
  ["Wait at most two seconds", post(`${UPSTREAM}/request?timeout=2s`)],
  ["Print one value of the reply", post(`${UPSTREAM}/request?pick=/result/0`)],
  ["Repeat a request without harm", post(`${UPSTREAM}/request`, RPC, { headers: { "Idempotency-Key": "order-17" } })],
  [
    "Fetch the reply later, at the Location",
    post(`${UPSTREAM}/request`, RPC, { headers: { Prefer: "respond-async" } }),
  ],
  ["Send, and know that it has arrived", post(`${UPSTREAM}/send?confirm=pong`)],
  ["Wait for the next messages", { method: "GET", path: `${UPSTREAM}/messages?wait=30` }],
  [
    "Follow messages, line by line",
    { method: "GET", path: `${UPSTREAM}/messages`, headers: { Accept: "application/x-ndjson" } },
  ],
  ["See why an upstream is down", { method: "GET", path: UPSTREAM }],
  ["Stop the service, and get its report", { method: "POST", path: "/shutdown" }],
];

/** Follows a reference within the document. */
function resolved(document, value) {
  if (value?.$ref === undefined) return value;
  const place = value.$ref
    .split("/")
    .slice(1)
    .reduce((at, part) => at?.[part], document);
  return resolved(document, place);
}

function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
}

/** Text with `code` in it. */
function Prose({ text = "" }) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}

function Docs({ document }) {
  const [sought, setSought] = useState("");
  const words = sought.toLowerCase().split(/\s+/);
  const operations = operationsOf(document).filter(({ method, path, summary }) =>
    words.every((word) => `${method} ${path} ${summary}`.toLowerCase().includes(word)),
  );
  const groups = document.tags.map((tag) => ({ ...tag, all: operations.filter(({ tags }) => tags[0] === tag.name) }));
  return html`<header class="top">
      <h1>sidesocket</h1>
      <span class="host">${address}</span>
      <span class="about">API ${document.info.version}</span>
      <nav><a href=${urlOf("/")}>State</a>${
        token.text === "" && html`<a href=${urlOf("/openapi.json")}>openapi.json</a>`
      }</nav>
    </header>
    <main class="docs">
      <div class="routes">
        <label class="wide">Find a route
          <input type="search" value=${sought} onInput=${({ target }) => setSought(target.value)} />
        </label>
        ${groups.map(
          ({ name, description, all }) =>
            all.length > 0 &&
            html`<section class="panel" key=${name} aria-labelledby=${`tag-${name}`}>
              <h2 id=${`tag-${name}`}>${name}</h2>
              <p class="hint"><${Prose} text=${description} /></p>
              ${all.map((operation) => html`<${Operation} key=${operation.operationId} document=${document} operation=${operation} />`)}
            </section>`,
        )}
        ${operations.length === 0 && html`<p class="hint">No route has these words.</p>`}
      </div>
      <aside><${Recipes} /><${Codes} document=${document} /></aside>
    </main>`;
}

function Operation({ document, operation }) {
  const { method, path, summary } = operation;
  const [isOpen, setOpen] = useState(false);
  return html`<details class="operation" onToggle=${({ target }) => setOpen(target.open)}>
    <summary><b class="method ${method.toLowerCase()}">${method}</b> <code>${path}</code> <span><${Prose} text=${summary} /></span></summary>
    ${isOpen && html`<${Try} document=${document} operation=${operation} />`}
  </details>`;
}

function exampleOf({ example, schema }) {
  return example ?? schema?.example;
}

function Try({ document, operation }) {
  const { method, path, parameters = [], requestBody, responses } = operation;
  const all = parameters.map((parameter) => resolved(document, parameter));
  const bodies = requestBody?.content ?? {};
  const accepted = Object.keys(resolved(document, Object.values(responses)[0]).content ?? {});
  const [given, setGiven] = useState(Object.fromEntries(all.map((each) => [each.name, each.example ?? ""])));
  const [type, setType] = useState(Object.keys(bodies)[0]);
  const [accept, setAccept] = useState(accepted[0]);
  const [body, setBody] = useState(type && JSON.stringify(exampleOf(resolved(document, bodies[type])) ?? {}));
  const [result, setResult] = useState(undefined);
  const filled = (place) => all.filter(({ in: where, name }) => where === place && given[name] !== "");
  const query = new URLSearchParams(filled("query").map(({ name }) => [name, given[name]])).toString();
  const at =
    path.replaceAll(/\{(.+?)\}/g, (_text, name) => encodeURIComponent(given[name] ?? "")) + (query && `?${query}`);
  const headers = Object.fromEntries(filled("header").map(({ name }) => [name, given[name]]));
  if (accept !== accepted[0]) headers.Accept = accept;
  const isDangerous = path === "/shutdown";
  const send = async (event) => {
    event.preventDefault();
    if (result?.isWaiting) return;
    setResult({ isWaiting: true });
    setResult(await outcomeOf(at, { method, headers: { ...headers, ...(type && { "Content-Type": type }) }, body }));
  };
  return html`<form class="try" onSubmit=${send}>
      ${all.map(
        ({ name, in: where, description, required, schema }) => html`<label class="field" key=${name}>
          <span><code>${name}</code> <small>${where}${required ? ", required" : ""}</small></span>
          <input
            required=${required}
            placeholder=${schema?.default ?? ""}
            value=${given[name]}
            onInput=${({ target }) => setGiven({ ...given, [name]: target.value })}
          />
          <small><${Prose} text=${description} /></small>
        </label>`,
      )}
      ${
        type &&
        html`<label class="wide">Body <textarea rows="4" spellcheck="false" value=${body} onInput=${({ target }) => setBody(target.value)}></textarea></label>`
      }
      <div class="bar">
        <${Choice} name="as" all=${Object.keys(bodies)} value=${type} onChange=${setType} />
        <${Choice} name="response as" all=${accepted} value=${accept} onChange=${setAccept} />
        ${
          isDangerous
            ? html`<span class="hint">Not from here: the page at <a href=${urlOf("/")}>State</a> asks before it stops the service.</span>`
            : html`<button class="main">${result?.isWaiting ? "Waiting…" : "Send"}</button>`
        }
      </div>
    </form>
    <${CurlLine} line=${curlLine({ method, path: at, headers, type, body })} />
    <${Result} result=${result} />
    <h3>Responses</h3>
    <ul class="responses">
      ${Object.entries(responses).map(
        ([status, response]) => html`<li key=${status}>
          <b class="phase ${status.startsWith("2") ? "good" : "bad"}">${status}</b>
          <span><${Prose} text=${resolved(document, response).description} /></span>
        </li>`,
      )}
    </ul>`;
}

function Choice({ name, all, value, onChange }) {
  if (all.length < 2) return null;
  return html`<label>${name} <select value=${value} onChange=${({ target }) => onChange(target.value)}>
    ${all.map((each) => html`<option key=${each}>${each}</option>`)}
  </select></label>`;
}

function Recipes() {
  return html`<section class="panel" aria-labelledby="recipes">
    <h2 id="recipes">Recipes</h2>
    ${RECIPES.map(([name, call]) => html`<div key=${name} class="recipe"><h3>${name}</h3><${CurlLine} line=${curlLine(call)} /></div>`)}
  </section>`;
}

/** The codes of failures by their status, as the document lists them. */
function Codes({ document }) {
  const all = Object.entries(document.components.responses).flatMap(([name, { description }]) => {
    const [, status] = /^Failure(\d+)$/.exec(name) ?? [];
    return status === undefined ? [] : [{ status, description }];
  });
  return html`<section class="panel" aria-labelledby="codes">
    <h2 id="codes">Failures</h2>
    <p class="hint">Each is a problem document with its <code>code</code>, and with <code>sent</code>: repeating is safe if that is <code>no</code>.</p>
    <ul class="responses">
      ${all.map(({ status, description }) => html`<li key=${status}><b class="phase bad">${status}</b> <span><${Prose} text=${description.replace("One of: ", "")} /></span></li>`)}
    </ul>
  </section>`;
}

async function load() {
  const root = document.getElementById("app");
  try {
    render(html`<${Docs} document=${await json("/openapi.json")} />`, root);
  } catch (error) {
    if (error.status === 401) {
      const why = token.text === "" ? undefined : error.message;
      return render(html`<main><${AskToken} why=${why} onToken=${load} /></main>`, root);
    }
    const why = error.status ? error.message : `Nothing answers at ${address}.`;
    render(
      html`<main><p class="banner" role="alert"><b>Cannot reach the service.</b> ${why} Trying again.</p></main>`,
      root,
    );
    setTimeout(load, 2_000);
  }
}
load();
