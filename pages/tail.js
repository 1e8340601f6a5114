/** A live tail of messages: bounded rows, filtered and drawn at most once in a frame. */

import { clock, count, plural } from "./format.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { local, texts } from "./service.js";

/** The rows that are drawn. */
const ROWS = 150;
/** The least time between two drawings, in milliseconds: a flood would otherwise take every frame. */
const DRAW_MS = 200;
/** Milliseconds before a stream that was cut is opened again. */
const AGAIN_MS = 2_000;
/** Characters of a message that are shown. */
const CHARACTERS = 400;

export class Tail {
  rows = [];
  filter = "";
  path = "";
  isPaused = false;
  /** "off", "live" or the sentence that says why it ended. */
  status = "off";
  came = 0;
  gaps = 0;
  #lines = [];
  #rest = "";
  #last = "";
  #stop = new AbortController();
  #drawn = 0;
  #pending = false;
  /** Called when there is something to draw. */
  onChange = () => {};

  /** @param after `latest`, or `earliest` for what is kept, too */
  async start(path, after = "latest") {
    this.stop();
    Object.assign(this, { path, rows: [], came: 0, gaps: 0, isPaused: false, status: "live" });
    this.#lines = [];
    this.#rest = "";
    this.#last = "";
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.onChange();
    for (let from = after; !signal.aborted; from = this.#cursor() ?? "latest") {
      try {
        const path = `${this.path}?after=${from}`;
        for await (const text of texts(path, "application/x-ndjson", signal)) this.#take(text);
      } catch (error) {
        // Whatever the service refuses stays refused; a connection that was lost comes back.
        if (error.status && error.status !== 503) return this.#end(signal, error.message);
      }
      this.#rest = "";
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** The place to go on after: that of the newest line. */
  #cursor() {
    return /^\{"cursor":"([^"]*)"/.exec(this.#last)?.[1];
  }

  stop() {
    this.#stop.abort();
    this.status = "off";
    this.onChange();
  }

  #end(signal, why) {
    if (signal.aborted) return;
    this.status = why;
    this.onChange();
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    this.#schedule();
    this.onChange();
  }

  setFilter(text) {
    this.filter = text.toLowerCase();
    this.rows = this.rows.filter((row) => row.gap || this.#matches(row.text));
    this.onChange();
  }

  #take(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#lines.push(line.trimStart());
    this.#last = this.#lines.findLast((line) => line.startsWith('{"cursor":')) ?? this.#last;
    this.#schedule();
  }

  #schedule() {
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, this.#drawn + DRAW_MS - performance.now()));
  }

  /** Counts all lines, and keeps the newest that pass the filter. While it is paused it counts only. */
  #draw() {
    this.#pending = false;
    this.#drawn = performance.now();
    const kept = [];
    for (const line of this.#lines.splice(0)) {
      if (line === "" || line.startsWith('{"end":')) continue;
      const isGap = /^\{"cursor":"[^"]*","at":"[^"]*","gap":/.test(line);
      if (isGap) this.gaps++;
      else this.came++;
      if (!this.isPaused && (isGap || this.#matches(line))) kept.push(line);
    }
    if (kept.length > 0) {
      this.rows = [...this.rows, ...kept.slice(-ROWS).map((line) => this.#row(line))].slice(-ROWS);
    }
    this.onChange();
  }

  #matches(text) {
    return this.filter === "" || text.toLowerCase().includes(this.filter);
  }

  #row(line) {
    const { at, data, encoding, gap } = JSON.parse(line);
    if (gap) return { at, gap };
    const whole = typeof data === "string" ? data : JSON.stringify(data);
    const text = whole.length > CHARACTERS ? `${whole.slice(0, CHARACTERS)}…` : whole;
    return { at, text: encoding ? `(binary) ${text}` : text };
  }
}

const REASON = {
  overflow: "made way for newer ones",
  away: "may have come while there was no connection",
  crashed: "were lost with the sidecar's thread",
  expired: "are older than this process",
  refused: "were refused by the receiver",
};

function gapText({ dropped, reason, from, to }) {
  const span = from && to ? `, ${clock(local(from))} to ${clock(local(to))}` : "";
  return `Gap: ${dropped === null ? "messages" : plural(dropped, "message")} ${REASON[reason] ?? reason}${span}`;
}

export function Messages({ tail, upstreams, subscriptions }) {
  const places = upstreams.flatMap(({ name }) => [
    { path: `/v1/upstreams/${name}/messages`, label: name },
    ...(subscriptions[name] ?? []).map(({ id, messages }) => ({ path: messages, label: `${name} / ${id}` })),
  ]);
  const [, setDrawing] = useState(0);
  useEffect(() => {
    tail.onChange = () => setDrawing((n) => n + 1);
  }, [tail]);
  const isLive = tail.status === "live";
  const path = tail.path || places[0]?.path;
  return html`<section class="panel tail" aria-labelledby="messages">
    <h2 id="messages">Messages <small>${
      tail.path === "" ? "" : `${count(tail.came)} came, ${plural(tail.gaps, "gap")}`
    }</small></h2>
    <div class="bar">
      <label>From <select
        value=${path}
        onChange=${({ target }) => {
          if (isLive) tail.start(target.value);
          else tail.path = target.value;
        }}
      >${places.map(({ path: value, label }) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label>
      <label>Filter <input type="search" placeholder="text in a message" onInput=${({ target }) => tail.setFilter(target.value)} /></label>
      ${
        isLive
          ? html`<button type="button" aria-pressed=${tail.isPaused} onClick=${() => tail.pause(!tail.isPaused)}>${tail.isPaused ? "Resume" : "Pause"}</button>
              <button type="button" onClick=${() => tail.stop()}>Stop reading</button>`
          : html`<button type="button" class="main" onClick=${() => tail.start(path)}>Read new messages</button>
              <button type="button" onClick=${() => tail.start(path, "earliest")}>Read all that are kept</button>`
      }
    </div>
    ${!isLive && tail.status !== "off" && html`<p class="reason"><b>Reading ended</b> ${tail.status}</p>`}
    <${Rows} rows=${tail.rows} isMoving=${isLive && !tail.isPaused} />
    ${
      tail.rows.length === 0 &&
      html`<p class="hint">${
        isLive
          ? tail.filter === ""
            ? "Waiting for the next message."
            : "No message has this text yet."
          : "What the upstream sends unsolicited. Reading takes nothing from other readers."
      }</p>`
    }
  </section>`;
}

/** Stays at the newest message, unless somebody has scrolled away from it. Messages that move are cut to a line. */
function Rows({ rows, isMoving }) {
  const list = useRef();
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [rows, isMoving]);
  const onScroll = ({ target }) => {
    isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
  };
  return html`<ol
    ref=${list}
    onScroll=${onScroll}
    class=${isMoving ? "rows scroll live" : "rows scroll"}
    tabindex="0"
    aria-label="Messages, newest last"
  >
    ${rows.map(
      // Without keys: under a flood the elements stay, and only their texts change.
      ({ at, text, gap }) =>
        html`<li class=${gap ? "gap" : ""}><time>${clock(local(at))}</time><code>${gap ? gapText(gap) : text}</code></li>`,
    )}
  </ol>`;
}
