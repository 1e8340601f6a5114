/** The upstream's socket, and the only file that imports `ws`. */

import type { ClientRequestArgs, IncomingMessage } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import process from "node:process";
import pTimeout from "p-timeout";
import { type ClientOptions, WebSocket } from "ws";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Disconnect } from "../../core/connection/disconnect.ts";
import { NO_TRAFFIC, type Traffic } from "../../core/connection/liveness.ts";
import type { UpgradeCookies } from "../../core/connection/upgrade-cookies.ts";
import { localSocketOf } from "../../local-socket.ts";
import { hostOf, type Network, startTls } from "../../net/connect.ts";
import { ProxyError, type Reaching, reach } from "../../net/reach.ts";
import { sentBy } from "../../net/sent-bytes.ts";
import { owned } from "../../protocols/bytes.ts";
import { LargeText, type Received } from "../../protocols/large-text.ts";
import { LARGE_TEXT } from "../../protocols/outline.ts";
import type { Body } from "../../protocols/protocol.ts";
import { readBody, refusalOf } from "./refused-upgrade.ts";

/** Called only after `openSocket` has returned. Whatever happens, `dropped` is called exactly once, and last. */
export interface SocketEvents {
  opened(): void;
  frame(frame: Received): void;
  /** The operating system has taken the ping with the payload `proof`. */
  pingSent(proof: string): void;
  /** The pong of the ping with the payload `proof`. */
  pong(proof: string): void;
  /** A ping of the peer, to which a pong was sent. */
  pinged(): void;
  /** The connection has ended, and its descriptor is closed. */
  dropped(drop: Disconnect): void;
}

/** The outcome of a connection's handshake. */
export interface Agreed {
  readonly url: string;
  /** Empty for none. */
  readonly subprotocol: string;
}

export interface Socket {
  /** Undefined before the connection is open. */
  readonly agreed: Agreed | undefined;
  /** Bytes handed to the socket and not yet taken by the operating system. */
  readonly buffered: number;
  /** Undefined before the connection is open. */
  readonly traffic: Traffic | undefined;
  /** The side that began the close handshake; undefined before. */
  readonly closedBy: "us" | "peer" | undefined;
  /**
   * @returns false if the socket is not open, and did not take the frame
   * @param onTaken called, in a later turn, once the operating system has taken it
   */
  write(frame: Body, onTaken?: () => void): boolean;
  ping(proof: string): void;
  /** Reads no more until `release`. */
  hold(): void;
  release(): void;
  /** Begins the close handshake, and breaks the socket if the peer does not finish it in time; with 0, at once. */
  close(code: number, withinMs: number): void;
  /** Breaks the socket at once, without a close frame; `dropped` follows. */
  destroy(): void;
}

/** The fence of an upstream that only one replica of a cluster may write to: false once another may have taken over. */
export type MayWrite = () => boolean;

export interface SocketTarget {
  /** `tls` holds certificates and keys themselves, not the names of their files. */
  readonly settings: Pick<
    UpstreamSettings,
    | "url"
    | "proxy"
    | "headers"
    | "subprotocols"
    | "tls"
    | "limits"
    | "addresses"
    | "compression"
    | "redirects"
    | "allow_plaintext"
  >;
  /** The cookies of earlier upgrades, to which this one adds; undefined if they are not wanted. */
  readonly cookies?: UpgradeCookies | undefined;
  /** Called when the upstream has set some. */
  readonly onCookies?: (() => void) | undefined;
  /** Called with each address that a redirect leads to. */
  readonly onRedirect?: ((url: string) => void) | undefined;
  /** The address that the upstream has named for this connection; undefined for that of the settings. */
  readonly url: string | undefined;
  /** One deadline over the proxy, DNS, TCP, TLS and upgrade together. */
  readonly withinMs: number;
  readonly network: Network;
  /** Undefined without a fence. */
  readonly mayWrite?: MayWrite | undefined;
}

/** The time that the peer has to end TCP after it began the close handshake, in milliseconds. */
const PEER_CLOSE_MS = 2_000;
/**
 * The bytes to read before everything else on the thread has its turn. On Deno, a socket that always has more to read
 * would starve the host's messages: requests would wait for the end of a flood, and heartbeats would find the thread
 * hung. Both runtimes read this much at once. With four times as much, requests waited 15 ms longer in a flood that
 * comes as fast as it is read.
 */
const TURN_BYTES = 64 * 1024;
/** The approximate cost of a frame besides its bytes. */
const FRAME_BYTES = 128;
/**
 * The most pieces of an unfinished frame that ws may hold. It removes each from the front of an array, which takes
 * seconds for twice as many: 5 s for 32,768 on both runtimes, 0.4 s for these. {@link GATHER_MAX_MS} keeps a frame of
 * small packets from ever having so many, however large it is.
 */
const CHUNKS = 16_384;
/** The pieces of a frame that are read as they come. */
const FEW_CHUNKS = 1_024;
/** The pieces of a frame behind which others have waited: one that is merely cut by the end of a read has two. */
const LONG_CHUNKS = 4;
/** The longest pause between two pieces of a frame, in milliseconds: so {@link CHUNKS} take at least 15 minutes. */
const GATHER_MAX_MS = 100;

/**
 * The most fragments of a message: any number that a sane server sends, since each costs about 100 bytes beside its
 * own. A message in fragments of one byte would otherwise take a hundred times its size.
 */
function fragmentsFor(replyBytes: number): number {
  return 65_536 + Math.floor(replyBytes / 64);
}

/**
 * The offer of permessage-deflate (RFC 7692). The upstream may build on what it sent before, for which we keep a window
 * of up to 32 KiB for each connection. We never do: a small message is no smaller for it, and is sent as it is.
 */
const DEFLATE = { clientNoContextTakeover: true, threshold: 1_024 };

/**
 * The most control frames that nobody asked for, within any second: a peer that sends more is left, since each takes
 * its time on the thread, and one read may bring thirty thousand.
 */
const CONTROL_MAX = 1_000;
const CONTROL_WITHIN_MS = 1_000;
/** The types of ws know neither the one nor the right form of the other. */
type SocketOptions = Omit<ClientOptions, "createConnection"> & {
  readonly closeTimeout: number;
  readonly createConnection: ConnectByRace;
};
type ConnectByRace = NonNullable<ClientRequestArgs["createConnection"]>;

const OVERTAKEN = "another replica may own the upstream by now";

/** ws would break a closing socket after 30 s by itself; the bound of `close` is the only one here, so disable that. */
const NEVER_MS = 2 ** 31 - 1;

/** Detects the peer's close frame, which ws reports to nobody: it only calls its own `close` in reply. */
class WatchedWebSocket extends WebSocket {
  onPeerClose: () => void = () => {};

  /** Called by ws alone. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.onPeerClose();
  }

  /** Does what `close` does in the base class. */
  beginClose(code: number): void {
    super.close(code);
  }
}

export function openSocket(
  { settings, url = settings.url, withinMs, network, cookies, onCookies, mayWrite = () => true }: SocketTarget,
  events: SocketEvents,
): Socket {
  const { proxy, headers, subprotocols, tls, limits, addresses, compression } = settings;
  let reaching: Reaching | undefined;
  const connectByRace: ConnectByRace = (_request, done) => {
    const host = hostOf(url);
    reaching = reach(network, host, { proxy, withinMs, pauses: addresses }, (error, tcp) => {
      reaching = undefined;
      // ws and Node's HTTP client ignore the socket if there is an error, but the type wants one.
      if (!tcp) done(error, undefined as unknown as TcpSocket);
      else done(null, host.isSecure ? startTls(tcp, host, tls) : tcp);
    });
    return undefined;
  };
  const options: SocketOptions = {
    headers: withCookies(headers, cookies?.headerFor(url, Date.now())),
    followRedirects: false,
    // ws inflates no more of a message than maxPayload.
    perMessageDeflate: compression && DEFLATE,
    skipUTF8Validation: false,
    maxPayload: limits.reply_bytes,
    maxFragments: fragmentsFor(limits.reply_bytes),
    maxBufferedChunks: CHUNKS,
    closeTimeout: NEVER_MS,
    // ws would break the connection, without a reason, when 60 of its own are on their way.
    autoPong: false,
    createConnection: connectByRace,
  };
  const ws = new WatchedWebSocket(localSocketOf(url)?.url ?? url, subprotocols, options);
  /** The cause of the end, if one was seen before the event `close`, which itself says little. */
  let cause: Disconnect | undefined;
  let closedBy: "us" | "peer" | undefined;
  /** Both close frames have passed. Only TCP is left to end, so a peer that does not end it is not at fault. */
  let closeHandshakeDone = false;
  let closing: NodeJS.Timeout | undefined;
  let tcp: TcpSocket | undefined;
  let corked = false;
  let read = 0;
  let framed = 0;
  let { longFrameEndedAt } = NO_TRAFFIC;

  /** The frames that were written in this turn of the event loop, and in the last turn that had any. */
  let written = 0;
  let writtenBefore = 1;
  const endTurn = (): void => {
    writtenBefore = written;
    written = 0;
    if (!corked) return;
    corked = false;
    // The process may have been stopped since the frames were written, and another may own the upstream by now.
    if (mayWrite()) tcp?.uncork();
    else fail({ reason: "resigned", detail: OVERTAKEN });
  };

  /** Collects the frames of one turn, so that they leave in one system call; one that is alone leaves at once. */
  const corkForTurn = (): void => {
    if (!tcp) return;
    if (written++ === 0) process.nextTick(endTurn);
    if (corked || (written === 1 && writtenBefore === 1)) return;
    corked = true;
    tcp.cork();
  };

  /** False for an attempt, and for one that was broken: it has no socket, and ws would throw. */
  let isOpen = false;
  let isHeld = false;
  const resume = (): void => {
    if (!isHeld) ws.resume();
  };

  let inTurn = 0;
  const takeTurns = (bytes: number): void => {
    inTurn += FRAME_BYTES + bytes;
    if (inTurn < TURN_BYTES) return;
    inTurn = 0;
    ws.pause();
    setImmediate(resume);
  };

  /** Pings that were sent and whose pong has not come. */
  let pongsDue = 0;
  let control = 0;
  let controlSince = performance.now();
  /** @returns false if the peer sends too many, and is left */
  const takeControl = (bytes: number): boolean => {
    if (cause) return false;
    takeTurns(bytes);
    const now = performance.now();
    if (now - controlSince >= CONTROL_WITHIN_MS) {
      controlSince = now;
      control = 0;
    }
    if (++control <= CONTROL_MAX) return true;
    fail({ reason: "flooded", limit: CONTROL_MAX });
    return false;
  };

  let chunks = 0;
  /** Lets the operating system join small packets of a large frame, by reading less and less often. */
  const gatherChunks = (): void => {
    if (++chunks < FEW_CHUNKS) return;
    ws.pause();
    setTimeout(resume, Math.min(GATHER_MAX_MS, 2 ** (chunks / FEW_CHUNKS)));
  };

  /** Breaks the socket: ws stays CONNECTING after a refused upgrade, and CLOSING for long after a protocol error. */
  const fail = (drop: Disconnect): void => {
    cause ??= drop;
    ws.terminate();
  };

  const timeOut = (): void => fail({ reason: "timeout", withinMs, waitedFor: reaching?.waitsFor });
  const opened = new Promise<void>((resolve) => {
    ws.once("open", resolve);
    ws.once("close", () => resolve());
  });
  pTimeout(opened, { milliseconds: withinMs, fallback: timeOut });

  ws.onPeerClose = () => {
    closeHandshakeDone = true;
    closedBy ??= "peer";
    closing ??= setTimeout(() => ws.terminate(), PEER_CLOSE_MS);
  };
  const takeCookies = ({ headers: { "set-cookie": lines } }: IncomingMessage): void => {
    if (!cookies || lines === undefined) return;
    cookies.take(url, lines, Date.now());
    onCookies?.();
  };
  ws.once("upgrade", (response) => {
    tcp = response.socket;
    takeCookies(response);
  });
  ws.on("open", () => {
    isOpen = true;
    // Before the listener of ws, which handles the frames that these bytes complete.
    tcp?.prependListener("data", (bytes: Buffer) => {
      read += bytes.length;
      gatherChunks();
    });
    events.opened();
  });
  ws.on("message", (data: Buffer, isBinary: boolean) => {
    framed = read;
    if (chunks >= LONG_CHUNKS) longFrameEndedAt = performance.now();
    chunks = 0;
    takeTurns(data.length);
    if (isBinary) events.frame(owned(data));
    else events.frame(data.length > LARGE_TEXT ? new LargeText(data) : data.toString());
  });
  ws.on("pong", (data: Buffer) => {
    if (pongsDue > 0) pongsDue--;
    else if (!takeControl(data.length)) return;
    framed = read;
    events.pong(data.toString());
  });
  ws.on("ping", (data: Buffer) => {
    if (!takeControl(data.length)) return;
    ws.pong(data, true, ignoreError);
    framed = read;
    events.pinged();
  });
  ws.on("unexpected-response", (_request, response) => {
    // If the time for the attempt ends first, the status is still the reason.
    const refusal = refusalOf(response, Date.now());
    // They may be the reason; a redirect may come for the cookie that it brings.
    if (refusal.status >= 400) cookies?.forget(url);
    takeCookies(response);
    cause ??= refusal;
    readBody(response, (body) => {
      if (cause === refusal) cause = { ...refusal, body };
      ws.terminate();
    });
  });
  ws.on("error", (error: NodeJS.ErrnoException) => fail(disconnectOf(error, limits.reply_bytes)));
  ws.once("close", (code: number, reason: Buffer) => {
    clearTimeout(closing);
    reaching?.leave();
    events.dropped(cause ?? { reason: "closed", code, text: printable(reason.toString()) });
  });

  return {
    get agreed() {
      return tcp && { url: localSocketOf(url) ? url : ws.url, subprotocol: ws.protocol };
    },
    get buffered() {
      return ws.bufferedAmount;
    },
    get traffic() {
      return tcp && { read, framed, longFrameEndedAt, sent: sentBy(tcp) };
    },
    get closedBy() {
      return closedBy;
    },
    write(frame, onTaken) {
      if (ws.readyState !== WebSocket.OPEN || !mayWrite()) return false;
      corkForTurn();
      ws.send(frame, onTaken ? (error?: Error | null) => (error ? undefined : onTaken()) : ignoreError);
      return true;
    },
    ping(proof) {
      if (ws.readyState !== WebSocket.OPEN || !mayWrite()) return;
      pongsDue++;
      ws.ping(proof, true, (error?: Error) => {
        if (!error) events.pingSent(proof);
      });
    },
    hold() {
      isHeld = true;
      if (isOpen) ws.pause();
    },
    release() {
      isHeld = false;
      if (isOpen) ws.resume();
    },
    close(code, closeWithinMs) {
      closedBy ??= "us";
      ws.beginClose(code);
      clearTimeout(closing);
      const giveUp = () =>
        closeHandshakeDone ? ws.terminate() : fail({ reason: "unclosed", withinMs: closeWithinMs });
      if (closeWithinMs === 0) giveUp();
      else closing = setTimeout(giveUp, closeWithinMs);
    },
    destroy() {
      ws.terminate();
    },
  };
}

function withCookies(headers: UpstreamSettings["headers"], cookies: string | undefined): UpstreamSettings["headers"] {
  if (cookies === undefined) return headers;
  const [name, configured] = Object.entries(headers).find(([each]) => each.toLowerCase() === "cookie") ?? ["cookie"];
  return { ...headers, [name]: configured === undefined ? cookies : `${configured}; ${cookies}` };
}

/** Ignores a write error, which `dropped` reports. Without a callback, ws would emit it a second time. */
function ignoreError(): void {}

/** Cleans a text of the peer: at most 123 bytes, as RFC 6455 §5.5 allows, without characters that act on a terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, "�").slice(0, 123);
}

/** Classifies the error of a failed connect or a broken frame, by its names on the two runtimes. */
function disconnectOf(error: NodeJS.ErrnoException, limitBytes: number): Disconnect {
  if (error instanceof ProxyError) {
    return { reason: "proxy", fault: error.failure.fault, detail: error.message, class: error.failure.class };
  }
  const code = error.code ?? "";
  const detail = code || printable(error.message);
  if (/^WS_ERR_UNSUPPORTED_(MESSAGE|DATA_PAYLOAD)_LENGTH$/.test(code)) return { reason: "oversized", limitBytes };
  if (code === "WS_ERR_TOO_MANY_BUFFERED_PARTS") {
    return { reason: "fragmented", limit: fragmentsFor(limitBytes), limitBytes };
  }
  if (code.startsWith("WS_ERR_")) return { reason: "protocol", detail };
  // An unreachable name server gives ECONNREFUSED, too: only the system call tells it from the upstream's own refusal.
  if (/^(query|getaddrinfo)/.test(error.syscall ?? "")) return { reason: "dns", detail };
  if (/^(ENOTFOUND|EAI_|ESERVFAIL|ENODATA|ETIMEOUT$|EREFUSED$|EBADNAME)/.test(code)) return { reason: "dns", detail };
  if (/CERT|TLS|SSL|SIGN|EPROTO|ISSUER|VERIFY/.test(code)) return { reason: "tls", detail };
  if (code === "" && /^(Invalid|Unexpected|Server sent|Opening)/i.test(error.message)) {
    return { reason: "handshake", detail };
  }
  return { reason: "network", detail };
}
