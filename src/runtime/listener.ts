import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Listener, ListenOptions } from "./runtime.ts";

/** Slow senders: a header must be there within this, a body within that; in milliseconds. Node looks every second. */
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 1_000;

/** A connection that has just been made, and has asked nothing, may be about to: it is not cut before this, in milliseconds. */
const ASKING_WITHIN_MS = 100;

interface TrackedSocket {
  /** Since when it may be asking: a moment in the past for one that has. */
  since: number;
  /** How many answers it has begun and not completely written. */
  answers: number;
  /** Of these, such as were begun while another was being written, and had to wait for their turn. */
  readonly queued: Set<ServerResponse>;
}

/**
 * The HTTP listener of both runtimes: Node's own server below Hono's adapter. Rejects as `listen` fails.
 * @param onListening what the runtime wants to change about the server, before it serves anybody
 */
export async function listen(
  options: ListenOptions,
  onListening: (server: Server) => void = () => {},
): Promise<Listener> {
  const { fetch, host, port, keepAliveMs, connectionsMax, onFull } = options;
  const server = createAdaptorServer({
    async fetch(request, { incoming, outgoing }) {
      const response = await fetch(request, { incoming, outgoing, exclusive: true });
      return outgoing.headersSent ? RESPONSE_ALREADY_SENT : response;
    },
    serverOptions: {
      headersTimeout: HEADERS_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      keepAliveTimeout: keepAliveMs,
    },
  }) as Server;
  const connections = new Map<Socket, TrackedSocket>();
  /** For whoever waits for the last answer. */
  let onAnswered = (): void => {};
  function answered(this: ServerResponse): void {
    const connection = connections.get(this.req.socket);
    if (connection) {
      connection.answers--;
      connection.queued.delete(this);
    }
    onAnswered();
  }

  server.on("connection", (socket: Socket) => {
    // Before the system runs out of descriptors: on Deno a listener never accepts again after that.
    if (connections.size >= connectionsMax) {
      socket.destroy();
      onFull();
      return;
    }
    const queued = new Set<ServerResponse>();
    connections.set(socket, { since: performance.now(), answers: 0, queued });
    socket.once("close", () => {
      // Before its answer is told the same.
      connections.delete(socket);
      // Node tells only the answer whose turn it was. The others would be made, and read from, for nobody and for ever.
      for (const answer of queued) if (!answer.socket) answer.destroy().emit("close");
    });
  });
  server.prependListener("request", ({ socket }, answer) => {
    const connection = connections.get(socket);
    if (!connection) return;
    connection.since = Number.NEGATIVE_INFINITY;
    connection.answers++;
    if (!answer.socket) connection.queued.add(answer);
    answer.on("close", answered);
  });
  // Node's `close` ends idle connections, and takes one for idle whose answer is handed over but not written yet.
  server.closeIdleConnections = () => {};
  const cut = (kept: ReadonlySet<object>): void => {
    const young = performance.now() - ASKING_WITHIN_MS;
    for (const [socket, { since }] of connections) if (!kept.has(socket) && since <= young) socket.destroy();
  };
  const answering = (): ReadonlySet<Socket> =>
    new Set([...connections].filter(([, { answers }]) => answers > 0).map(([socket]) => socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  onListening(server);

  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
    },
    flushed(kept) {
      return new Promise((resolve) => {
        onAnswered = () => {
          if ([...answering()].every((socket) => kept.has(socket))) resolve();
        };
        onAnswered();
      });
    },
    cut,
    answered(withinMs) {
      const writing = answering();
      return new Promise((resolve) => {
        // Who has only just connected may be about to ask for the report as well.
        const late = setTimeout(() => cut(answering()), Math.min(ASKING_WITHIN_MS, withinMs));
        const last = setTimeout(() => server.closeAllConnections(), withinMs);
        const check = () => {
          if (connections.size > 0) return;
          clearTimeout(late);
          clearTimeout(last);
          resolve();
        };
        cut(writing);
        for (const socket of connections.keys()) socket.once("close", check);
        check();
      });
    },
  };
}
