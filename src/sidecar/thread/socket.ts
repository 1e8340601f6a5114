import { createRequire } from "node:module";
import type { LookupFunction, Socket as TcpSocket } from "node:net";
import process from "node:process";
import pTimeout from "p-timeout";
import type { ClientOptions } from "ws";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Disconnect } from "../../core/connection/disconnect.ts";
import type { Body } from "../../protocols/protocol.ts";

/** The only file that knows `ws`. Its traps end here: whatever happens, `dropped` comes exactly once, and comes last. */

// Imported, it would be read twice: ws is CommonJS, and what an import gives of that Node has to find out by a parser.
const { WebSocket } = createRequire(import.meta.url)("ws") as typeof import("ws");

/** What a socket tells. None of these is called before `openSocket` has returned. */
export interface SocketEvents {
  opened(): void;
  frame(frame: Body): void;
  /** The peer answered the ping that carried `proof`. */
  pong(proof: string): void;
  /** The peer pinged us, and was answered. */
  pinged(): void;
  /** It is over, and its descriptor is closed. Nothing is told after this. */
  dropped(drop: Disconnect): void;
}

export interface Socket {
  /** Bytes handed over that the operating system has not taken yet. */
  readonly buffered: number;
  /** Who began the close handshake; undefined while nobody has. */
  readonly closedBy: "us" | "peer" | undefined;
  /** @returns false when the socket is not open (any more), and the frame did not leave. */
  write(frame: Body): boolean;
  ping(proof: string): void;
  /** Begins the close handshake, and breaks the socket when the peer has not finished it in time: at once with 0. */
  close(code: number, withinMs: number): void;
  /** Breaks it at once: no close frame, and `dropped` follows. */
  destroy(): void;
}

export interface SocketTarget {
  /** `ca`: the certificates themselves, not their file. */
  readonly settings: Pick<UpstreamSettings, "url" | "headers" | "subprotocols" | "ca" | "limits">;
  /** One deadline over DNS, TCP, TLS and upgrade together. */
  readonly withinMs: number;
  /** How names are resolved; undefined for the runtime's own way. */
  readonly lookup?: LookupFunction | undefined;
}

/** After the peer began to close, it has this long to end TCP, in milliseconds. */
const PEER_CLOSE_MS = 2_000;
/**
 * After so much everything else on the thread has its turn. On Deno a socket that always has more to read would leave none
 * to the host's messages: requests would wait for the end of a flood, and the pulse would find the thread hung. It is what both runtimes
 * read at once: with four times as much, requests waited 15 ms longer for a flood that comes as fast as it is read.
 */
const TURN_BYTES = 64 * 1024;
/** What a frame costs besides its bytes: about. */
const FRAME_BYTES = 128;
/** ws would break a closing socket after 30 s by itself. How long that may take is ours to say, so it never does. */
const NEVER_MS = 2 ** 31 - 1;

/** ws answers the peer's close frame by calling its own `close`, and tells nobody else: so this is where one can know. */
class WatchedWebSocket extends WebSocket {
  onPeerClose: () => void = () => {};

  /** Only ws calls this. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.onPeerClose();
  }

  /** What `close` is elsewhere. */
  beginClose(code: number): void {
    super.close(code);
  }
}

export function openSocket({ settings, withinMs, lookup }: SocketTarget, events: SocketEvents): Socket {
  const { url, headers, subprotocols, ca, limits } = settings;
  const options: ClientOptions & { readonly closeTimeout: number } = {
    headers,
    minVersion: "TLSv1.2",
    followRedirects: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    maxPayload: limits.reply_bytes,
    maxFragments: 1_024,
    maxBufferedChunks: 16_384,
    closeTimeout: NEVER_MS,
    ...(ca === undefined ? {} : { ca }),
    ...(lookup === undefined ? {} : { lookup }),
  };
  const ws = new WatchedWebSocket(url, subprotocols, options);
  /** Why it will be over, where something was seen before `close`, which itself tells little. */
  let cause: Disconnect | undefined;
  let closedBy: "us" | "peer" | undefined;
  /** Both close frames have passed: only TCP is left to be ended, and a peer that leaves that to us has done its part. */
  let shaken = false;
  let closing: NodeJS.Timeout | undefined;
  let tcp: TcpSocket | undefined;
  let gathering = false;

  /** What is written in one turn of the event loop leaves in one call of the operating system. */
  const gather = (): void => {
    if (gathering || !tcp) return;
    gathering = true;
    const gathered = tcp;
    gathered.cork();
    process.nextTick(() => {
      gathering = false;
      gathered.uncork();
    });
  };

  let inTurn = 0;
  const takeTurns = (bytes: number): void => {
    inTurn += FRAME_BYTES + bytes;
    if (inTurn < TURN_BYTES) return;
    inTurn = 0;
    ws.pause();
    setImmediate(() => ws.resume());
  };

  /** ws stays CONNECTING after a refused upgrade, and CLOSING for long after a protocol error: always break it. */
  const fail = (drop: Disconnect): void => {
    cause ??= drop;
    ws.terminate();
  };

  const opened = new Promise<void>((resolve) => {
    ws.once("open", resolve);
    ws.once("close", () => resolve());
  });
  pTimeout(opened, { milliseconds: withinMs, fallback: () => fail({ reason: "timeout", withinMs }) });

  ws.onPeerClose = () => {
    shaken = true;
    closedBy ??= "peer";
    closing ??= setTimeout(() => ws.terminate(), PEER_CLOSE_MS);
  };
  ws.once("upgrade", ({ socket }) => {
    tcp = socket;
  });
  ws.on("open", () => events.opened());
  ws.on("message", (data: Buffer, isBinary: boolean) => {
    takeTurns(data.length);
    events.frame(isBinary ? data : data.toString());
  });
  ws.on("pong", (data: Buffer) => events.pong(data.toString()));
  ws.on("ping", () => events.pinged());
  ws.on("unexpected-response", (_request, response) => {
    const { statusCode: status = 0, headers } = response;
    response.destroy();
    fail({ reason: "status", status, retryAfterMs: retryAfterMs(headers["retry-after"], Date.now()) });
  });
  ws.on("error", (error: NodeJS.ErrnoException) => fail(dropOf(error, limits.reply_bytes)));
  ws.once("close", (code: number, reason: Buffer) => {
    clearTimeout(closing);
    events.dropped(cause ?? { reason: "closed", code, text: printable(reason.toString()) });
  });

  return {
    get buffered() {
      return ws.bufferedAmount;
    },
    get closedBy() {
      return closedBy;
    },
    write(frame) {
      if (ws.readyState !== WebSocket.OPEN) return false;
      gather();
      ws.send(frame, ignoreError);
      return true;
    },
    ping(proof) {
      if (ws.readyState === WebSocket.OPEN) ws.ping(proof, true, ignoreError);
    },
    close(code, closeWithinMs) {
      closedBy ??= "us";
      ws.beginClose(code);
      clearTimeout(closing);
      const giveUp = () => (shaken ? ws.terminate() : fail({ reason: "unclosed", withinMs: closeWithinMs }));
      if (closeWithinMs === 0) giveUp();
      else closing = setTimeout(giveUp, closeWithinMs);
    },
    destroy() {
      ws.terminate();
    },
  };
}

/** What a write's error says, `dropped` says too. Without a callback ws would tell it a second time. */
function ignoreError(): void {}

/** RFC 9110 §10.2.3: whole seconds, or a date. */
export function retryAfterMs(value: string | undefined, wallClock: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallClock);
}

/** A close reason is the peer's text: at most 123 bytes by RFC 6455 §5.5, and none of it may act on a terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, "�").slice(0, 123);
}

/** The names that a failed connect or a broken frame has on the two runtimes. */
function dropOf(error: NodeJS.ErrnoException, limitBytes: number): Disconnect {
  const code = error.code ?? "";
  const detail = code || printable(error.message);
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return { reason: "oversized", limitBytes };
  if (code.startsWith("WS_ERR_")) return { reason: "protocol", detail };
  // A name server that cannot be reached gives ECONNREFUSED, too: only what was called tells it from the upstream's own.
  if (/^(query|getaddrinfo)/.test(error.syscall ?? "")) return { reason: "dns", detail };
  if (/^(ENOTFOUND|EAI_|ESERVFAIL|ENODATA|ETIMEOUT$|EREFUSED$|EBADNAME)/.test(code)) return { reason: "dns", detail };
  if (/CERT|TLS|SSL|SIGN|EPROTO|ISSUER|VERIFY/.test(code)) return { reason: "tls", detail };
  if (code === "" && /^(Invalid|Unexpected|Server sent|Opening)/i.test(error.message)) {
    return { reason: "handshake", detail };
  }
  return { reason: "network", detail };
}
