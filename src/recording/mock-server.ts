/** A WebSocket server on loopback that plays a recording back, a scene for each connection. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { isLoopback } from "../config/wire.ts";
import type { FrameOptions } from "../protocols/frames.ts";
import type { Pointer } from "../protocols/json-place.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import { frameOf, messagesIn } from "./message-frames.ts";
import { Player, type Reaction, type Scene } from "./playback.ts";

export interface MockOptions {
  readonly scenes: readonly Scene[];
  readonly protocol: Protocol;
  readonly frames: FrameOptions;
  readonly ignored: readonly Pointer[];
  readonly port: number;
  /** The pauses of the recording are divided by it; with `Infinity` there are none. */
  readonly speed: number;
  /** True to close a connection on which a frame comes that was not recorded. */
  readonly strict: boolean;
  /** @param next the recorded frame that comes next, if there is one */
  onUnrecorded(connection: number, frame: Body, next: Body | undefined): void;
}

export interface MockServer {
  readonly url: string;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
/** The largest frame that a client may send. */
const FRAME_MAX_BYTES = 64 * 1024 * 1024;
const POLICY_VIOLATION = 1008;

/** Rejects with the system's error if it cannot listen. */
export async function startMock(options: MockOptions): Promise<MockServer> {
  const server = createServer((_request, response) => response.writeHead(426, { Connection: "close" }).end());
  let connections = 0;
  const sockets = new WebSocketServer({
    server,
    maxPayload: FRAME_MAX_BYTES,
    // The page of any site could read the recording otherwise.
    verifyClient: ({ origin }: { readonly origin?: string }) => isOwnOrigin(origin),
    handleProtocols: (offered) => subprotocolFor(sceneFor(options.scenes, connections + 1), offered),
  });
  sockets.on("connection", (socket: WebSocket) => play(socket, ++connections, options));
  await new Promise<void>((resolve, reject) => {
    sockets.once("error", reject);
    server.listen(options.port, HOST, resolve);
  });
  return {
    url: `ws://${HOST}:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const socket of sockets.clients) socket.terminate();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

function isOwnOrigin(origin: string | undefined): boolean {
  return origin === undefined || (URL.canParse(origin) && isLoopback(new URL(origin).hostname));
}

/** The scene of the client's n-th connection: beyond the recorded ones, the last one again. */
function sceneFor(scenes: readonly Scene[], connection: number): Scene {
  const scene = scenes[Math.min(connection, scenes.length) - 1];
  if (!scene) throw new RangeError("unreachable: a mock has at least one scene");
  return scene;
}

function subprotocolFor({ subprotocol }: Scene, offered: ReadonlySet<string>): string | false {
  return offered.has(subprotocol) ? subprotocol : false;
}

function play(socket: WebSocket, connection: number, options: MockOptions): void {
  const { protocol, frames, ignored, strict, speed, onUnrecorded } = options;
  const player = new Player(sceneFor(options.scenes, connection), protocol, ignored);
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
  };

  /** Carries out the reactions one after the other: one timer at a time for each cause, however many there are. */
  const carryOut = (reactions: readonly Reaction[], from = 0, waitedMs = 0): void => {
    for (const [index, reaction] of reactions.slice(from).entries()) {
      const { afterMs } = reaction;
      const pauseMs = (afterMs - waitedMs) / speed;
      if (pauseMs > 0) {
        later(pauseMs, () => carryOut(reactions, from + index, afterMs));
        return;
      }
      react(reaction);
    }
  };

  const react = (reaction: Reaction): void => {
    if ("frame" in reaction) {
      player.sent(reaction.frame);
      socket.send(frameOf(reaction.frame, frames), () => {});
    } else if (reaction.close.code === undefined) socket.terminate();
    else socket.close(sendable(reaction.close.code), reaction.close.reason);
  };

  const onMessage = (message: Body): void => {
    const reactions = player.onFrame(message);
    if (reactions) {
      carryOut(reactions);
      return;
    }
    onUnrecorded(connection, message, player.next);
    if (strict) socket.close(POLICY_VIOLATION, "not in the recording");
  };

  socket.on("message", (data: Buffer, isBinary: boolean) => {
    for (const message of messagesIn(isBinary ? data : data.toString(), frames)) onMessage(message);
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    for (const timer of timers) clearTimeout(timer);
    player.end();
  });
  carryOut(player.begin());
}

/** Without a code in the recorded close frame (1005), none is sent. */
function sendable(code: number): number | undefined {
  return code === 1005 ? undefined : code;
}
