/** The HTTP listener of both runtimes. */

import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Listener, ListenOptions } from "./runtime.ts";

/** Time limits for slow senders, in milliseconds: for the header, for the whole request, and between checks. */
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
const CHECK_EVERY_MS = 1_000;

/**
 * Grace of a connection without a pending request, in milliseconds: from its opening or from the retirement, since a
 * request may be on its way, and from its dismissal, so that the client sees its end before it is cut.
 */
const GRACE_MS = 100;

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

interface TrackedSocket {
  /** The time from which it has its grace; negative infinity while it has none. */
  since: number;
  /** True once the farewell was sent. */
  dismissed: boolean;
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
  const { fetch, host, port, keepAliveMs, connectionsMax, onFull, farewell } = options;
  const connections = new Map<Socket, TrackedSocket>();
  let retired = false;

  /** Announces the end of its connection once the listener is retired, unless another response is to follow on it. */
  class RetirableResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      if (retired && connections.get(this.req.socket)?.responses === 1) this.setHeader("Connection", "close");
      // One of two overloads: the reason may be left out.
      return super.writeHead(status, reason as string, headers);
    }
  }

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
      ServerResponse: RetirableResponse,
    },
  }) as Server;
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
    connections.set(socket, { since: performance.now(), dismissed: false, responses: 0, queued });
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
    const now = performance.now();
    for (const [socket, connection] of connections) {
      if (kept.has(socket) || connection.since > now - GRACE_MS) continue;
      if (connection.dismissed || connection.responses > 0) socket.destroy();
      else dismiss(socket, connection, now);
    }
  };
  /** Ends an idle connection with a response, since a request that crosses its end must not go without one. */
  const dismiss = (socket: Socket, connection: TrackedSocket, now: number): void => {
    connection.dismissed = true;
    connection.since = now;
    socket.end(farewell);
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
    retire() {
      retired = true;
      const now = performance.now();
      for (const connection of connections.values()) if (connection.responses === 0) connection.since = now;
    },
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
        const graces = setInterval(() => cut(answering()), GRACE_MS);
        const last = setTimeout(() => server.closeAllConnections(), withinMs);
        const check = () => {
          if (connections.size > 0) return;
          clearInterval(graces);
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
