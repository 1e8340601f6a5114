/** A box to try a request: the curl line that does the same, the reply, and the times. */

import { count, millis } from "./format.js";
import { html, useState } from "./preact.js";
import { call, token, urlOf } from "./service.js";

const CHARACTERS = 20_000;

const EXAMPLE = { text: "hello" };
const RPC = '{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}';

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The words of a curl line; the token stays a variable of the shell. */
export function curlLine({ method, path, headers = {}, type, body }) {
  const words = ["curl"];
  if (/stream|ndjson/.test(headers.Accept)) words.push("-N");
  if (method !== "GET" && body === undefined) words.push("-X", method);
  for (const [name, value] of Object.entries(headers)) words.push("-H", quoted(`${name}: ${value}`));
  if (token.text !== "") words.push("-H", '"Authorization: Bearer $TOKEN"');
  if (body !== undefined) {
    if (method !== "POST") words.push("-X", method);
    if (type === "application/json") words.push("--json", quoted(body));
    else words.push("-H", quoted(`Content-Type: ${type}`), "--data-binary", quoted(body));
  }
  return [...words, quoted(urlOf(path))].join(" ");
}

export function TryRequest({ upstreams }) {
  const [form, setForm] = useState({ upstream: "", does: "request", body: undefined, timeout: "10s" });
  const [result, setResult] = useState(undefined);
  const upstream = upstreams.find(({ name }) => name === form.upstream) ?? upstreams[0];
  if (!upstream) return null;
  const isText = upstream.protocol === "text";
  const body = form.body ?? EXAMPLE[upstream.protocol] ?? RPC;
  const type = isText ? "text/plain" : "application/json";
  const query = form.does === "request" ? `?timeout=${encodeURIComponent(form.timeout)}` : "";
  const path = `/v1/upstreams/${upstream.name}/${form.does}${query}`;
  const change = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const send = async (event) => {
    event.preventDefault();
    if (result?.isWaiting) return;
    setResult({ isWaiting: true });
    setResult(await outcomeOf(path, { method: "POST", headers: { "Content-Type": type }, body }));
  };
  return html`<section class="panel" aria-labelledby="try">
    <h2 id="try">Try a request</h2>
    <form onSubmit=${send}>
      <div class="bar">
        <label>To <select value=${upstream.name} onChange=${change("upstream")}>${upstreams.map(
          ({ name }) => html`<option key=${name} value=${name}>${name}</option>`,
        )}</select></label>
        <label>and <select value=${form.does} onChange=${change("does")}>
          <option value="request">wait for its reply</option><option value="send">wait for nothing</option>
        </select></label>
        ${
          form.does === "request" &&
          html`<label>at most <input class="short" value=${form.timeout} onInput=${change("timeout")} pattern="\\d+(\\.\\d+)?(ms|s)?" /></label>`
        }
      </div>
      <label class="wide">Message <textarea
        rows="4"
        spellcheck="false"
        value=${body}
        onInput=${change("body")}
        onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event)}
      ></textarea></label>
      <div class="bar"><button class="main">${result?.isWaiting ? "Waiting…" : "Send"}</button>
        <span class="hint">or Ctrl+Enter. It really goes to the upstream.</span></div>
    </form>
    <${CurlLine} line=${curlLine({ method: "POST", path, type, body })} />
    <${Result} result=${result} />
  </section>`;
}

export function CurlLine({ line }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(line);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return html`<div class="curl">
    <code tabindex="0" role="textbox" aria-readonly="true" aria-label="The same with curl">${line}</code>
    ${navigator.clipboard && html`<button type="button" onClick=${copy}>${isCopied ? "Copied" : "Copy"}</button>`}
  </div>`;
}

/** Milliseconds after which a response that goes on is cut. */
const STREAM_MS = 5_000;

/** Calls, and reads the response for {@link Result}; of a stream, its first seconds. */
export async function outcomeOf(path, init) {
  const began = performance.now();
  const stop = new AbortController();
  let response;
  let text = "";
  try {
    response = await call(path, { ...init, signal: stop.signal });
    if (/event-stream|ndjson/.test(response.headers.get("content-type"))) setTimeout(() => stop.abort(), STREAM_MS);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
      text += part.value;
      if (text.length > CHARACTERS) stop.abort();
    }
  } catch {
    if (response === undefined) return { error: "the service cannot be reached" };
  }
  return { response, text, ms: performance.now() - began };
}

const PART = { queue: "until it was sent", upstream: "until its reply", total: "in all" };

function timings(header) {
  return (header ?? "").split(",").flatMap((part) => {
    const [, name, ms] = /^\s*([\w-]+).*?dur=([\d.]+)/.exec(part) ?? [];
    return name === undefined ? [] : [{ name, ms: Number(ms) }];
  });
}

export function Result({ result }) {
  if (!result || result.isWaiting) return null;
  if (result.error) return html`<p class="reason" role="status"><b>No response</b> ${result.error}</p>`;
  const { response, text, ms } = result;
  const header = (name) => response.headers.get(name);
  const code = header("sidesocket-code");
  const times = timings(header("server-timing"));
  const total = Math.max(...times.map((time) => time.ms), 0.001);
  return html`<div class="result" role="status">
    <p class="head">
      <b class="phase ${response.ok ? "good" : "bad"}">${response.status} ${code ?? (response.ok ? "OK" : "")}</b>
      ${header("sidesocket-sent") && html`<span class="sent ${header("sidesocket-sent")}">sent: ${header("sidesocket-sent")}</span>`}
      <span>${count(text.length)} characters in ${millis(ms)}</span>
      <code class="id">${header("x-request-id")}</code>
    </p>
    ${
      times.length > 0 &&
      html`<dl class="times">${times.map(
        ({ name, ms: took }) => html`<div key=${name}>
          <dt>${PART[name] ?? name}</dt>
          <dd><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width=${(100 * took) / total} height="8" /></svg> ${millis(took)}</dd>
        </div>`,
      )}</dl>`
    }
    <pre class="scroll" tabindex="0" role="region" aria-label="Body of the response">${pretty(text)}</pre>
  </div>`;
}

/** With line breaks, if its numbers survive that; else as it came. */
function pretty(text) {
  if (text.length > CHARACTERS) return `${text.slice(0, CHARACTERS)}…`;
  try {
    const value = JSON.parse(text);
    return JSON.stringify(value) === text.trim() ? JSON.stringify(value, undefined, 2) : text;
  } catch {
    return text === "" ? "(no body)" : text;
  }
}
