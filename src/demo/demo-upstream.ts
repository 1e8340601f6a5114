/** The demo upstream: an ordinary WebSocket server that speaks JSON-RPC 2.0. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A running demo. It knows nothing of sidesocket, and sidesocket knows only its address. */
export interface DemoUpstream {
  readonly url: string;
  stop(): Promise<void>;
}

const TICK_MS = 1_000;
const SLEEP_MAX_MS = 60_000;

interface DemoRequest {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
}

export async function startDemo(): Promise<DemoUpstream> {
  const server = createServer((_request, response) => response.writeHead(426, { Connection: "close" }).end());
  const sockets = new WebSocketServer({ server, maxPayload: 1024 * 1024 });
  sockets.on("connection", serve);
  await new Promise<void>((resolve, reject) => {
    sockets.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const socket of sockets.clients) socket.terminate();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A client that never requests an upgrade would hold the server open forever.
      server.closeAllConnections();
      return closed;
    },
  };
}

function serve(socket: WebSocket): void {
  /** Timers of the connection's subscriptions and of its `sleep` requests: none may outlive it. */
  const timers = new Map<string, NodeJS.Timeout>();
  let subscriptions = 0;
  const send = (message: object) => socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }), () => {});

  const methods: Readonly<Record<string, (params: readonly unknown[], reply: (result: unknown) => void) => void>> = {
    echo: (params, reply) => reply(params),
    time: (_params, reply) => reply(new Date().toISOString()),
    sleep: ([ms], reply) => {
      const key = Symbol("sleep").toString() + Math.random();
      const wait = Math.min(Math.max(Number(ms) || 0, 0), SLEEP_MAX_MS);
      timers.set(
        key,
        setTimeout(() => {
          timers.delete(key);
          reply(wait);
        }, wait),
      );
    },
    subscribe: (_params, reply) => {
      const subscription = `clock-${++subscriptions}`;
      const tick = () => send({ method: "tick", params: { subscription, time: new Date().toISOString() } });
      timers.set(subscription, setInterval(tick, TICK_MS));
      reply(subscription);
    },
    unsubscribe: ([subscription], reply) => {
      clearInterval(timers.get(String(subscription)));
      reply(timers.delete(String(subscription)));
    },
  };

  socket.on("message", (data: Buffer) => {
    const request = parse(data.toString());
    if (request === undefined) return send({ id: null, error: { code: -32700, message: "Parse error" } });
    const { id, method, params } = request;
    const run = typeof method === "string" && Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (!run) return send({ id: id ?? null, error: { code: -32601, message: "Method not found" } });
    run(Array.isArray(params) ? params : [], (result) => {
      if (id !== undefined) send({ id, result });
    });
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    for (const timer of timers.values()) clearTimeout(timer);
  });
}

function parse(text: string): DemoRequest | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
