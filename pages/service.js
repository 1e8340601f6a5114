/** Calls of the service: the token, requests, and streams of events that come again by themselves. */

const BASE = new URL("../", import.meta.url);
const KEY = "sidesocket-token";
/** Milliseconds before a stream that was cut is opened again; doubled with each failure. */
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 8_000;

export const address = BASE.host;

/** The clock of this machine less that of the service, in milliseconds; small differences are none. */
let skewMs = 0;

/** A time of the service, on the clock of this machine. */
export function local(at) {
  return Date.parse(at) + skewMs;
}

function noteClock(date) {
  const skew = date === null ? 0 : Date.now() - Date.parse(date);
  skewMs = Math.abs(skew) > 3_000 ? skew : 0;
}

/** The token lives as long as the tab. */
export const token = {
  get text() {
    return sessionStorage.getItem(KEY) ?? "";
  },
  set text(text) {
    if (text === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
  },
};

export function urlOf(path) {
  return new URL(path.replace(/^\//, ""), BASE).href;
}

/** A failure that the service has reported. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** Calls with the token of this tab. Only a network error rejects. */
export function call(path, { bearer = token.text, headers, ...init } = {}) {
  const all = new Headers(headers);
  if (bearer !== "") all.set("Authorization", `Bearer ${bearer}`);
  return fetch(urlOf(path), { cache: "no-store", ...init, headers: all });
}

/** The JSON of a successful response. @throws Refusal for any other */
export async function json(path, init) {
  const response = await call(path, init);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

/** The texts of a streamed response, as they come. @param silentMs the longest time between two of them */
export async function* texts(path, accept, signal, silentMs) {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal.addEventListener("abort", stop);
  let timer = silentMs && setTimeout(stop, silentMs);
  try {
    const response = await call(path, { headers: { Accept: accept }, signal: silence.signal });
    if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
    noteClock(response.headers.get("date"));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = silentMs && setTimeout(stop, silentMs);
      yield value;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    silence.abort();
  }
}

/** Server-sent events. `EventSource` cannot send a token. */
async function* events(path, signal, silentMs) {
  let rest = "";
  for await (const text of texts(path, "text/event-stream", signal, silentMs)) {
    rest += text;
    const parts = rest.split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const field = (name) =>
        part
          .split("\n")
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join("\n");
      yield { event: field("event"), data: field("data") };
    }
  }
}

/**
 * Follows a stream of events until `signal`, and opens it again when it ends.
 * @param on `event` gets each event, `open` is called before the first one, `lost` gets why and when it tries again
 */
export async function follow(path, { signal, silentMs, on }) {
  for (let waitMs = AGAIN_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, AGAIN_MAX_MS)) {
    let error;
    try {
      let isOpen = false;
      for await (const { event, data } of events(path, signal, silentMs)) {
        if (!isOpen) on.open?.();
        isOpen = true;
        waitMs = AGAIN_MS;
        if (event !== "" && event !== "end") on.event(event, JSON.parse(data));
      }
    } catch (reason) {
      error = reason;
    }
    if (signal.aborted) return;
    on.lost?.(error, Date.now() + waitMs);
    if (error?.status === 401) return;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
    });
  }
}
