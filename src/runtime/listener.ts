/** The HTTP listener of both runtimes. */

import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { listenOnFile } from "../net/socket-file.ts";
import { Pipeline, type Serve } from "./pipeline.ts";
import type { Listener, ListenOptions, Refusal } from "./runtime.ts";
import { WriteDeadline } from "./write-deadline.ts";

/** Time limits for slow senders, in milliseconds: for the header, for the whole request, and between checks. */
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
const CHECK_EVERY_MS = 1_000;

/**
 * Grace of a connection without a pending request, in milliseconds: from its opening or from the retirement, since a
 * request may be on its way, and from its dismissal, so that the client sees its end before it is cut.
 */
const GRACE_MS = 100;
/** The grace of a connection that had no request yet: many callers of `/shutdown` at once are slow to send theirs. */
const FRESH_GRACE_MS = 400;
/** The time without a new connection or request after which none is on its way, in milliseconds. */
const LULL_MS = 20;
/** At the end, the times that the bound may pass, as long as requests come and responses go within each of them. */
const ANSWERING_TIMES = 3;
/** Connections that the system may accept for us before we do. It has a limit of its own, 4,096 on Linux. */
const BACKLOG = 4_096;

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

interface TrackedSocket {
  /** The time from which it has its grace; negative infinity while it has none. */
  since: number;
  /** True once its last response was sent. */
  dismissed: boolean;
  /** The number of responses that are begun and not yet written completely. */
  responses: number;
  /** Those of the responses that had to wait for another one on the same connection. */
  readonly queued: Set<ServerResponse>;
  readonly pipeline: Pipeline;
  /** True until its first request. */
  fresh: boolean;
  /** The newest request whose body may arrive until then instead of within the usual bound. */
  granted: { readonly request: IncomingMessage; readonly until: number } | undefined;
  /** The newest request while a response is owed: held for longer, it would outlive many a collection of garbage. */
  request: IncomingMessage | undefined;
}

/** The adaptation of Node's server to a runtime. */
interface Adaptation {
  /** Called before the server serves any request. */
  onListening?(server: Server): void;
  /** Keeps the server itself from ending a request whose body may arrive until then, by `performance.now()`. */
  postpone?(server: Server, socket: Socket, until: number): void;
}

/** Starts Node's own server with Hono's adapter. Rejects if the server cannot listen. */
export async function listen(options: ListenOptions, adaptation: Adaptation = {}): Promise<Listener> {
  const { fetch, host, port, socket: socketFile, tls } = options;
  const { keepAliveMs, connectionsMax, onFull, lastResponse, refusal, requestWithinMs = REQUEST_WITHIN_MS } = options;
  /** Accepted connections; on HTTPS also those whose handshake is not done. */
  const accepted = new Set<Socket>();
  const connections = new Map<Socket, TrackedSocket>();
  /** Requests whose body comes only after `100 Continue`. */
  const expecting = new WeakSet<IncomingMessage>();
  let connectedAt = performance.now();
  /** When a request was last taken, or a response completed: many callers at once follow each other. */
  let progressAt = Number.NEGATIVE_INFINITY;
  let retired = false;

  /** Announces the end of its connection once the listener is retired, unless another response is to follow on it. */
  class RetirableResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    onClose: (() => void) | null = null;
    /** Set once the request was taken. */
    tracked: TrackedSocket | undefined = undefined;

    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      // Its body may still come, and could not be told from the next request.
      if (this.req.headers.expect !== undefined && expecting.has(this.req)) this.setHeader("Connection", "close");
      if (retired && this.tracked?.responses === 1) this.setHeader("Connection", "close");
      // One of two overloads: the reason may be left out.
      return super.writeHead(status, reason as string, headers);
    }
  }

  let adapter: Promise<void> | undefined;
  const loadAdapter = (): Promise<void> => {
    adapter ??= import("./hono-adapter.ts").then(({ adapt }) => {
      serve = adapt({ fetch, refusal, grantBody, expecting });
    });
    return adapter;
  };
  /** Lets the first requests wait for the adapter. */
  let serve: Serve = (request, response) => {
    loadAdapter().then(() => {
      if (!response.destroyed) serve(request, response);
    });
  };
  /** Lets a body arrive for so long from now on: the server's own bound does not count for this request any more. */
  const grantBody = (request: IncomingMessage, ms: number): void => {
    const connection = connections.get(request.socket);
    if (!connection || request.complete) return;
    if (connection.granted?.request !== request) {
      request.once("end", () => {
        if (connection.granted?.request === request) connection.granted = undefined;
      });
    }
    const until = performance.now() + ms;
    connection.granted = { request, until };
    adaptation.postpone?.(server, request.socket, until);
  };
  const settings = {
    headersTimeout: Math.min(HEADERS_WITHIN_MS, requestWithinMs),
    requestTimeout: requestWithinMs,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    keepAliveTimeout: keepAliveMs,
    requireHostHeader: false,
    // A second Host or Content-Type must not be dropped in silence.
    joinDuplicateHeaders: true,
    ServerResponse: RetirableResponse,
  };
  const secure = tls && (await import("./secure-server.ts")).createSecureServer(settings, tls, HEADERS_WITHIN_MS);
  const server: Server = secure?.server ?? createServer(settings);
  /** Called after each response; set while the exit waits for the last one. */
  let onAnswered = (): void => {};
  function answered(this: RetirableResponse<IncomingMessage>): void {
    progressAt = performance.now();
    const { tracked: connection } = this;
    if (connection) {
      connection.responses--;
      if (connection.responses === 0) connection.request = undefined;
      if (connection.queued.size > 0) connection.queued.delete(this);
      connection.pipeline.answered();
    }
    onAnswered();
    this.onClose?.();
  }

  const track = (socket: Socket): void => {
    const queued = new Set<ServerResponse>();
    const pipeline = new Pipeline(socket, (request, response) => serve(request, response));
    const since = performance.now();
    connections.set(socket, {
      since,
      dismissed: false,
      responses: 0,
      queued,
      pipeline,
      fresh: true,
      granted: undefined,
      request: undefined,
    });
    socket.once("close", () => {
      // Runs before the response's own `close` event.
      connections.delete(socket);
      pipeline.closed();
      // Node closes only the response that was being written. The queued ones would be read forever, for nobody.
      for (const response of queued) if (!response.socket) response.destroy().emit("close");
    });
  };
  server.on("connection", (socket: Socket) => {
    connectedAt = performance.now();
    // Stay below the limit of descriptors: on Deno, a listener that ran out of them never accepts again.
    if (accepted.size >= connectionsMax) {
      socket.destroy();
      onFull();
      return;
    }
    accepted.add(socket);
    socket.once("close", () => accepted.delete(socket));
    if (!secure) track(socket);
  });
  secure?.server.on("secureConnection", (socket) => track(socket));
  const take = (request: IncomingMessage, response: RetirableResponse<IncomingMessage>): void => {
    const connection = connections.get(request.socket);
    if (!connection) return;
    response.tracked = connection;
    progressAt = performance.now();
    connection.since = Number.NEGATIVE_INFINITY;
    connection.responses++;
    connection.fresh = false;
    connection.request = request;
    if (!response.socket) connection.queued.add(response);
    response.on("close", answered);
    const refused = refusalOf(request);
    if (refused) response.writeHead(refused.status, refused.headers).end(refused.body);
    else connection.pipeline.take(request, response);
  };
  const refusalOf = ({ headers }: IncomingMessage): Refusal | undefined => {
    if (headers.host === undefined) return refusal(400, "the Host header is missing: send the host of the URL");
    const { expect } = headers;
    if (expect === undefined || /^100-continue$/i.test(expect)) return undefined;
    return refusal(417, "only Expect: 100-continue is supported: leave the header out");
  };
  server.on("request", take);
  server.on("checkExpectation", take);
  server.on("checkContinue", (request: IncomingMessage, response: RetirableResponse<IncomingMessage>) => {
    expecting.add(request);
    take(request, response);
  });
  server.on("connect", (_request: IncomingMessage, socket: Socket) => {
    socket.end(asText(refusal(405, "CONNECT is not allowed: this is no proxy")));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = connections.get(socket);
    // Its request waits in the system because we do not read: it is not the client that is slow.
    const isLate = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    if (isLate && connection && (connection.pipeline.isPaused || bodyUntil(connection) !== undefined)) return;
    // A response to an earlier request comes first, so that this one could be taken for it.
    const mayAnswer = connection
      ? connection.responses === 0 || isForTheIncomplete(connection, socket)
      : // A handshake that has failed leaves nothing to write to.
        secure === undefined;
    if (socket.writable && mayAnswer && error.code !== "ECONNRESET")
      socket.write(asText(refusalFor(error, refusal, requestWithinMs)));
    socket.destroySoon();
  });
  // Node's `close` ends idle connections, and mistakes one for idle whose response is handed over but not yet written.
  server.closeIdleConnections = () => {};
  const cut = (kept: ReadonlySet<object>): void => {
    const now = performance.now();
    for (const [socket, connection] of connections) {
      const isFresh = connection.fresh && !connection.dismissed;
      const since = isFresh ? Math.max(connection.since, progressAt) : connection.since;
      if (kept.has(socket) || since > now - (isFresh ? FRESH_GRACE_MS : GRACE_MS)) continue;
      if (connection.dismissed || connection.responses > 0) socket.destroy();
      else dismiss(socket, connection, now);
    }
  };
  /** Ends an idle connection with a response, since a request that crosses its end must not go without one. */
  const dismiss = (socket: Socket, connection: TrackedSocket, now: number): void => {
    connection.dismissed = true;
    connection.since = now;
    socket.end(lastResponse);
  };
  const deadline = new WriteDeadline();
  setInterval(() => {
    const now = performance.now();
    for (const [socket, connection] of connections) {
      const isLate = now > (bodyUntil(connection) ?? Number.POSITIVE_INFINITY);
      if (isLate || (connection.responses > 0 && deadline.isOver(socket, now))) socket.destroy();
    }
  }, CHECK_EVERY_MS).unref();
  const answering = (): ReadonlySet<Socket> =>
    new Set([...connections].filter(([, { responses }]) => responses > 0).map(([socket]) => socket));
  let removeFile = (): void => {};
  if (socketFile) removeFile = await listenOnFile(server, socketFile, BACKLOG);
  else
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host, backlog: BACKLOG }, resolve);
    });
  adaptation.onListening?.(server);

  return {
    prepare: () => void loadAdapter(),
    port: socketFile ? 0 : (server.address() as AddressInfo).port,
    renew(certificate) {
      secure?.renew(certificate);
    },
    retire() {
      retired = true;
      const now = performance.now();
      for (const connection of connections.values()) if (connection.responses === 0) connection.since = now;
    },
    async lull(withinMs) {
      const until = performance.now() + withinMs;
      for (let from = performance.now(); from < until; from = performance.now()) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(LULL_MS, until - from)));
        // After a long turn the timer comes first, and only then what has arrived meanwhile.
        await new Promise(setImmediate);
        if (connectedAt < from && progressAt < from) return;
      }
    },
    close() {
      removeFile();
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
        const until = performance.now() + ANSWERING_TIMES * withinMs;
        const giveUp = () => {
          const leftMs = Math.min(progressAt + withinMs, until) - performance.now();
          if (leftMs > 0) last = setTimeout(giveUp, leftMs);
          else server.closeAllConnections();
        };
        let last = setTimeout(giveUp, withinMs);
        const check = () => {
          if (connections.size > 0) return;
          clearInterval(graces);
          clearTimeout(last);
          for (const socket of accepted) socket.destroy();
          resolve();
        };
        cut(writing);
        for (const socket of connections.keys()) socket.once("close", check);
        check();
      });
    },
  };
}

/** The time until which a body may still arrive; undefined once it has, and for one with the usual bound. */
function bodyUntil({ granted }: TrackedSocket): number | undefined {
  // While its reader is busy with the beginning, a body that has arrived has no `end` yet.
  return granted?.request.complete === false ? granted.until : undefined;
}

/** True if the only response that is owed is that to the request with the fault, and nothing of it was written. */
function isForTheIncomplete({ responses, request }: TrackedSocket, socket: Socket): boolean {
  const { _httpMessage: current } = socket as { readonly _httpMessage?: ServerResponse | null };
  return responses === 1 && request?.complete === false && current?.headersSent === false;
}

function refusalFor(
  { code }: NodeJS.ErrnoException,
  refusal: ListenOptions["refusal"],
  requestWithinMs: number,
): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return refusal(431, "the header of the request is larger than 16 KiB");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refusal(413, "the extensions of the body's chunks are larger than 16 KiB: leave them out");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refusal(
        408,
        `the header must arrive within ${HEADERS_WITHIN_MS / 1_000} s, ` +
          `and the whole request within ${requestWithinMs / 1_000} s`,
      );
    default:
      return refusal(400, `the request is not valid HTTP/1.1${code?.startsWith("HPE_") ? ` (${code})` : ""}`);
  }
}

function asText({ status, reason, headers, body }: Refusal): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, "", body].join("\r\n");
}
