import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** What Deno's HTTP server notes of a connection: since when it has been taking in a request, and which. */
interface Note {
  headersCompleted: boolean;
  startTime: number;
  req: IncomingMessage | null;
}

/** Deno's list of connections, by which it cuts slow senders. Node's is native. */
interface Notes {
  readonly _active: { get(socket: Socket): Note | undefined };
  pushActive(socket: Socket): void;
  popActive(socket: Socket): void;
  popActiveIfReq(socket: Socket, request: IncomingMessage): void;
}

/**
 * Lets what a request leaves behind die young. Deno puts a note into a Map when a request begins and deletes it when it
 * ends: such a Map (`core/util/slot-table.ts` has why) keeps all that has passed through it until the next full
 * collection, and with each note goes the whole request. Here the note stays as long as its connection, and says when
 * there is no request. A list that does not look as it does in Deno 2.9 is left alone.
 */
export function dieYoung(server: Server): void {
  const list = listOf(server);
  if (!list) return;
  const { _active: notes, pushActive } = list;
  const since = (startTime: number, note: Note | undefined) =>
    note && Object.assign(note, { headersCompleted: false, startTime, req: null } satisfies Note);
  list.pushActive = (socket) => {
    if (!since(performance.now(), notes.get(socket))) pushActive.call(list, socket);
  };
  list.popActive = (socket) => {
    since(Number.POSITIVE_INFINITY, notes.get(socket));
  };
  list.popActiveIfReq = (socket, request) => {
    const note = notes.get(socket);
    if (note?.req === request) since(Number.POSITIVE_INFINITY, note);
  };
}

function listOf(server: object): Notes | undefined {
  const key = Object.getOwnPropertySymbols(server).find(({ description }) => description === "http.server.connections");
  const list = key && (server as Record<symbol, Partial<Notes> | undefined>)[key];
  const known = [list?._active?.get, list?.pushActive, list?.popActive, list?.popActiveIfReq];
  return known.every((one) => typeof one === "function") ? (list as Notes) : undefined;
}
