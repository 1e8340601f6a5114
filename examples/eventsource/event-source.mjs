/** An EventSource made of `fetch`, since Node 20 has none: as much of it as `follow.js` needs, and `cut()`. */
export class FetchedEventSource extends EventTarget {
  onmessage = null;
  onerror = null;
  #request = new AbortController();
  #isClosed = false;

  constructor(url, origin) {
    super();
    this.#read(url, origin);
  }

  close() {
    this.#isClosed = true;
    this.cut();
  }

  /** Breaks the connection, as a network does. */
  cut() {
    this.#request.abort();
  }

  async #read(url, origin) {
    try {
      const headers = { accept: "text/event-stream", origin };
      const response = await fetch(url, { headers, signal: this.#request.signal });
      let rest = "";
      if (!response.ok) throw new Error(`refused: ${response.status}`);
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        const events = (rest + text).split("\n\n");
        rest = events.pop();
        for (const event of events) this.#dispatch(event);
      }
    } catch {}
    if (!this.#isClosed) this.onerror?.(new Event("error"));
  }

  #dispatch(text) {
    if (this.#isClosed) return;
    const fields = Object.fromEntries(text.split("\n").map((line) => line.split(/: ?(.*)/s)));
    if (fields.data === undefined) return;
    const type = fields.event ?? "message";
    const event = new MessageEvent(type, { data: fields.data, lastEventId: fields.id });
    if (type === "message") this.onmessage?.(event);
    else this.dispatchEvent(event);
  }
}
