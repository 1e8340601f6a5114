/** Follows the messages of an upstream, in a browser: each EventSource has a ticket, and goes on after the last message. */
export function follow({ page, onMessage, onGap }) {
  let last = "";
  let source;
  let timer;
  let isLeft = false;

  async function open() {
    const response = await fetch(new URL("/ticket", page), { method: "POST" });
    if (!response.ok) throw new Error(`no ticket: ${response.status}`);
    const { url } = await response.json();
    if (isLeft) return;
    source = new EventSource(last === "" ? url : `${url}&last_event_id=${encodeURIComponent(last)}`);
    source.onmessage = ({ data, lastEventId }) => {
      last = lastEventId;
      onMessage(JSON.parse(data));
    };
    source.addEventListener("gap", ({ data, lastEventId }) => {
      last = lastEventId;
      onGap(JSON.parse(data));
    });
    source.onerror = openAgain;
  }

  /** A ticket is good for one request, so the source must not reconnect by itself. */
  function openAgain() {
    source?.close();
    if (isLeft) return;
    timer = setTimeout(() => open().catch(openAgain), 1_000);
  }

  open().catch(openAgain);
  return () => {
    isLeft = true;
    clearTimeout(timer);
    source?.close();
  };
}
