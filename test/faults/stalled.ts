/** Clients that hold on to their connections, for which a stop must not wait. */
import { RawConnection } from "../support/http.ts";
import type { Product } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";

const HEADERS = { "Content-Type": "application/json" };
const EACH = 50;
const NEVER_READING = 8;
/** More than the buffers of both sides' sockets take. */
export const REPLY_BYTES = 8_000_000;

export const bigCall = { jsonrpc: "2.0", id: 1, method: "big", params: [REPLY_BYTES] };

export interface Stalled {
  /** Connected, without a word. */
  readonly silent: readonly RawConnection[];
  readonly headers: readonly RawConnection[];
  readonly bodies: readonly RawConnection[];
  /** Never read their large reply, which has arrived. */
  readonly deaf: readonly RawConnection[];
}

const open = (product: Product, t: Cleanup, count: number): Promise<RawConnection[]> =>
  Promise.all(Array.from({ length: count }, () => RawConnection.open(product, t)));

/** Stalls clients of the product. The upstream must know the method `big`. */
export async function stall(product: Product, t: Cleanup): Promise<Stalled> {
  const silent = await open(product, t, EACH);
  const headers = await open(product, t, EACH);
  for (const connection of headers) connection.write("POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty");
  const bodies = await open(product, t, EACH);
  for (const [n, connection] of bodies.entries()) {
    const length: Record<string, string> =
      n % 2 === 0 ? { "Content-Length": "100" } : { "Transfer-Encoding": "chunked" };
    const body = n % 2 === 0 ? "{" : "1\r\n{\r\n";
    connection.send({ method: "POST", path: "/rpc", headers: { "Content-Length": undefined, ...HEADERS, ...length } });
    connection.write(body);
  }
  const deaf = await open(product, t, NEVER_READING);
  for (const connection of deaf) {
    connection.pause();
    connection.send({ method: "POST", path: "/rpc", headers: HEADERS, body: JSON.stringify(bigCall) });
  }
  const replies = async () => ((await product.state()).counters as { readonly replies: number } | null)?.replies;
  await until(async () => (await replies()) === NEVER_READING, { what: "the big replies to have come" });
  return { silent, headers, bodies, deaf };
}

const MESSAGES = "/v1/upstreams/default/messages";

/** Readers of messages, which are owed an end when the product stops. */
export interface Readers {
  readonly streams: readonly RawConnection[];
  readonly polls: readonly RawConnection[];
}

export async function openReaders(product: Product, t: Cleanup, count: number): Promise<Readers> {
  const streams = await open(product, t, count);
  for (const stream of streams) stream.send({ path: MESSAGES, headers: { Accept: "text/event-stream" } });
  for (const stream of streams) await stream.until(() => stream.received.includes("retry:"));
  const polls = await open(product, t, count);
  for (const poll of polls) {
    poll.send({ path: "/livez" });
    poll.send({ path: `${MESSAGES}?wait=60s` });
  }
  // A polled response proves that the requests before it have been read, too.
  for (const poll of polls) await poll.response();
  return { streams, polls };
}

/** Counts the readers left without an end of their stream, or without a page. */
export async function unanswered({ streams, polls }: Readers): Promise<number> {
  const cut = await Promise.all(
    streams.map((stream) =>
      stream.closed(1_000).then(
        () => !/event: ?end/.test(stream.received),
        () => true,
      ),
    ),
  );
  const alone = await Promise.all(
    polls.map((poll) =>
      poll.response(1_000).then(
        // A page without messages; or, if the first look was not over, that it is stopping.
        ({ status }) => status !== 200 && status !== 503,
        () => true,
      ),
    ),
  );
  return [...cut, ...alone].filter(Boolean).length;
}
