import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Listener, ListenOptions } from "./runtime.ts";

/** Slow senders: a header must be there within this, a body within that; in milliseconds. Node looks every second. */
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 1_000;

/** The HTTP listener of both runtimes: Node's own server below Hono's adapter. Rejects as `listen` fails. */
export async function listen({ fetch, host, port, keepAliveMs }: ListenOptions): Promise<Listener> {
  const server = createAdaptorServer({
    fetch,
    serverOptions: {
      headersTimeout: HEADERS_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      keepAliveTimeout: keepAliveMs,
    },
  }) as Server;
  const connections = new Set<Socket>();
  /** Answers that are not completely written, and whoever waits for the last of them. */
  const answers = new Map<ServerResponse, Socket>();
  let onAnswered = (): void => {};

  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  server.prependListener("request", ({ socket }, answer) => {
    answers.set(answer, socket);
    answer.once("close", () => {
      answers.delete(answer);
      onAnswered();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
    },
    flushed(kept) {
      return new Promise((resolve) => {
        onAnswered = () => {
          if ([...answers.values()].every((socket) => kept.has(socket))) resolve();
        };
        onAnswered();
      });
    },
    cut(kept) {
      for (const socket of connections) if (!kept.has(socket)) socket.destroy();
    },
    answered(withinMs) {
      return new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), withinMs);
        const check = () => {
          if (connections.size > 0) return;
          clearTimeout(timer);
          resolve();
        };
        for (const socket of connections) socket.once("close", check);
        check();
      });
    },
  };
}
