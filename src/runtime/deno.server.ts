/** Deno's HTTP server, changed so that finished requests do not outlive the small garbage collections. */

import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** The entry of Deno's HTTP server for a connection: the request that is arriving, and since when. */
interface ConnectionEntry {
  headersCompleted: boolean;
  startTime: number;
  req: IncomingMessage | null;
}

/** Deno's list of connections, by which it cuts slow senders. Node's is native. */
interface ConnectionList {
  readonly _active: { get(socket: Socket): ConnectionEntry | undefined };
  pushActive(socket: Socket): void;
  popActive(socket: Socket): void;
  popActiveIfReq(socket: Socket, request: IncomingMessage): void;
}

/**
 * Keeps one entry for each connection, so that finished requests can be collected young.
 *
 * Deno puts an entry into a Map when a request begins and deletes it when the request ends. Such a Map keeps all that
 * passed through it until the next full collection (`core/util/slot-table.ts` has the reason), and each entry holds its
 * whole request. With this change the entry stays as long as its connection and is cleared between requests. A list
 * that does not look as it does in Deno 2.9 is left alone.
 */
export function reuseConnectionEntries(server: Server): void {
  const list = listOf(server);
  if (!list) return;
  const { _active: entries, pushActive } = list;
  const reset = (entry: ConnectionEntry | undefined, startTime: number) =>
    entry && Object.assign(entry, { headersCompleted: false, startTime, req: null } satisfies ConnectionEntry);
  list.pushActive = (socket) => {
    if (!reset(entries.get(socket), performance.now())) pushActive.call(list, socket);
  };
  list.popActive = (socket) => {
    reset(entries.get(socket), Number.POSITIVE_INFINITY);
  };
  list.popActiveIfReq = (socket, request) => {
    const entry = entries.get(socket);
    if (entry?.req === request) reset(entry, Number.POSITIVE_INFINITY);
  };
}

/**
 * Lets the request that is arriving on a socket take until then. Once Deno has found a request too late, its parser
 * takes nothing more of it, whatever the listener of `clientError` does.
 */
export function postponeRequestTimeout(server: Server, socket: Socket, until: number): void {
  const entry = listOf(server)?._active.get(socket);
  if (entry) entry.startTime = until - server.requestTimeout;
}

function listOf(server: object): ConnectionList | undefined {
  const key = Object.getOwnPropertySymbols(server).find(({ description }) => description === "http.server.connections");
  const list = key && (server as Record<symbol, Partial<ConnectionList> | undefined>)[key];
  const known = [list?._active?.get, list?.pushActive, list?.popActive, list?.popActiveIfReq];
  return known.every((one) => typeof one === "function") ? (list as ConnectionList) : undefined;
}
