/** The HTTP listener of both runtimes. */

import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Listener, ListenOptions } from "./runtime.ts";

/** Time limits for slow senders, in milliseconds: for the header, for the whole request, and between checks. */
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
const CHECK_EVERY_MS = 1_000;

/** Age below which a connection without a request is not cut, in milliseconds: its request may be on its way. */
const ASKING_WITHIN_MS = 100;

interface TrackedSocket {
  /** The time when it was opened; negative infinity once it has sent a request. */
  since: number;
  /** The number of responses that are begun and not yet written completely. */
  responses: number;
  /** Those of the responses that had to wait for another one on the same connection. */
  readonly queued: Set<ServerResponse>;
}

/**
 * Starts Node's own server with Hono's adapter. Rejects if the server cannot listen.
 * @param onListening adapts the server to the runtime before it serves any request
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
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAliveTimeout: keepAliveMs,
    },
  }) as Server;
  const connections = new Map<Socket, TrackedSocket>();
  /** Called after each response; set while the exit waits for the last one. */
  let onAnswered = (): void => {};
  function answered(this: ServerResponse): void {
    const connection = connections.get(this.req.socket);
    if (connection) {
      connection.responses--;
      connection.queued.delete(this);
    }
    onAnswered();
  }

  server.on("connection", (socket: Socket) => {
    // Stay below the limit of descriptors: on Deno, a listener that ran out of them never accepts again.
    if (connections.size >= connectionsMax) {
      socket.destroy();
      onFull();
      return;
    }
    const queued = new Set<ServerResponse>();
    connections.set(socket, { since: performance.now(), responses: 0, queued });
    socket.once("close", () => {
      // Runs before the response's own `close` event.
      connections.delete(socket);
      // Node closes only the response that was being written. The queued ones would be read forever, for nobody.
      for (const response of queued) if (!response.socket) response.destroy().emit("close");
    });
  });
  server.prependListener("request", ({ socket }, response) => {
    const connection = connections.get(socket);
    if (!connection) return;
    connection.since = Number.NEGATIVE_INFINITY;
    connection.responses++;
    if (!response.socket) connection.queued.add(response);
    response.on("close", answered);
  });
  // Node's `close` ends idle connections, and mistakes one for idle whose response is handed over but not yet written.
  server.closeIdleConnections = () => {};
  const cut = (kept: ReadonlySet<object>): void => {
    const young = performance.now() - ASKING_WITHIN_MS;
    for (const [socket, { since }] of connections) if (!kept.has(socket) && since <= young) socket.destroy();
  };
  const answering = (): ReadonlySet<Socket> =>
    new Set([...connections].filter(([, { responses }]) => responses > 0).map(([socket]) => socket));
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
        // A connection that was just opened may be about to request the report, too.
        const youngTimer = setTimeout(() => cut(answering()), Math.min(ASKING_WITHIN_MS, withinMs));
        const last = setTimeout(() => server.closeAllConnections(), withinMs);
        const check = () => {
          if (connections.size > 0) return;
          clearTimeout(youngTimer);
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
