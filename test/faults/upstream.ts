/**
 * The fault upstream: a WebSocket server on raw TCP that misbehaves on request, per connection.
 *
 *     await using upstream = await startFaultUpstream({ handshake: { do: "silent" } });
 *     await using upstream = await startFaultUpstream((n) => (n === 1 ? { onOpen: (peer) => peer.reset() } : {}));
 *
 * An empty behaviour is a healthy JSON-RPC upstream that echoes. Violations are in violations.ts, replies in
 * replies.ts.
 */
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "../support/until.ts";
import { type CloseStatus, type Frame, OPCODE, readClose } from "./frames.ts";
import { acceptance, type Handshake, head, readUpgrade, refusal, type UpgradeRequest } from "./handshake.ts";
import { Peer } from "./peer.ts";
import { type Answer, echo } from "./replies.ts";

/** Endless header lines of a dripping handshake. */
const DRIP_LINE = "X-Drip: still coming\r\n";

export interface Behaviour {
  /** Accepts by default. */
  readonly handshake?: Handshake;
  /** Called as soon as the connection is open: faults that need no message. */
  readonly onOpen?: (peer: Peer) => void;
  /** Answers each text and binary message; echoes by default. Fragmented messages are not joined. */
  readonly onMessage?: Answer;
  /** Pings are answered unless this is false or a function that does something else. */
  readonly onPing?: false | ((peer: Peer, payload: Buffer) => void);
  /** The client's close frame is answered with its own code, then FIN; false: never answered, never ended. */
  readonly onClose?: false | ((peer: Peer, status: CloseStatus) => void);
  /** The client's FIN is answered with ours; false: the connection stays half open. */
  readonly onEnd?: false | ((peer: Peer) => void);
  /** False: nothing is read once the connection is open. */
  readonly reads?: boolean;
}

/** A behaviour for every connection, or one chosen by its number (from 1). */
export type Script = Behaviour | ((connection: number) => Behaviour);

export class FaultUpstream {
  /** Every TCP connection ever made, in order, whatever became of it. */
  readonly peers: Peer[] = [];
  /** May be changed at any time; applies to later connections. */
  script: Script;
  readonly #watch = new Watch();
  #server: Server | undefined;
  #port: number;

  private constructor(script: Script, port: number) {
    this.script = script;
    this.#port = port;
  }

  static async start(
    script: Script = {},
    options: { readonly port?: number; readonly t?: Cleanup } = {},
  ): Promise<FaultUpstream> {
    const upstream = new FaultUpstream(script, options.port ?? 0);
    await upstream.restart();
    options.t?.after(() => upstream.stop());
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Connections whose TCP has not ended. */
  get live(): Peer[] {
    return this.peers.filter((peer) => peer.phase !== "ended");
  }

  /** The newest connection. Throws if there was none. */
  get last(): Peer {
    const last = this.peers.at(-1);
    if (last === undefined) throw new Error("nobody has connected to the fault upstream");
    return last;
  }

  /** Every text message of every connection. */
  get texts(): string[] {
    return this.peers.flatMap((peer) => peer.texts);
  }

  /** Waits for a condition, which is checked after each connection, handshake, frame and end. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  /** Waits for the newest open connection. */
  opened(within = 10_000): Promise<Peer> {
    return this.until(() => this.peers.findLast((peer) => peer.phase === "open"), {
      within,
      what: "an open connection to the fault upstream",
    });
  }

  /** Ends every connection and stops listening. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const peer of this.live) peer.destroy();
    await closed;
  }

  /** Listens again, on the same port. */
  async restart(): Promise<void> {
    await this.stop();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  #accept(socket: Socket): void {
    const number = this.peers.length + 1;
    const behaviour = typeof this.script === "function" ? this.script(number) : this.script;
    const peer = new Peer(number, socket);
    this.peers.push(peer);
    let handshake = "";
    socket.on("data", (chunk: Buffer) => {
      if (peer.phase === "open") {
        this.#frames(peer, behaviour, peer.take(chunk));
      } else if (peer.request === undefined) {
        handshake += chunk.toString("latin1");
        const request = readUpgrade(handshake);
        if (request !== undefined) this.#upgrade(peer, behaviour, request);
      }
      this.#watch.changed();
    });
    socket.on("end", () => {
      peer.clientEnded ??= "fin";
      if (behaviour.onEnd === undefined) peer.end();
      else if (behaviour.onEnd !== false) behaviour.onEnd(peer);
      this.#watch.changed();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET") peer.clientEnded ??= "reset";
    });
    socket.on("close", () => {
      peer.over();
      this.#watch.changed();
    });
    this.#watch.changed();
  }

  #upgrade(peer: Peer, behaviour: Behaviour, request: UpgradeRequest): void {
    peer.request = request;
    const handshake = behaviour.handshake ?? { do: "accept" };
    switch (handshake.do) {
      case "accept":
        peer.raw(acceptance(request, handshake.headers));
        this.#open(peer, behaviour);
        return;
      case "wrong-key":
        peer.raw(acceptance(request, { "Sec-WebSocket-Accept": "d3Jvbmcga2V5IG9uIHB1cnBvc2U=" }));
        return;
      case "refuse":
        peer.raw(refusal(handshake.status, handshake.headers, handshake.body));
        peer.end();
        return;
      case "drip":
        this.#drip(peer, behaviour, handshake.everyMs, acceptance(request), handshake.forever === true);
        return;
      case "garbage":
        peer.raw(handshake.text);
        return;
      case "end":
        peer.end();
        return;
      case "reset":
        peer.reset();
        return;
      case "silent":
        return;
    }
  }

  #drip(peer: Peer, behaviour: Behaviour, everyMs: number, answer: string, forever: boolean): void {
    // The response's own empty line never comes if it drips without end.
    const bytes = forever ? head(101, {}).slice(0, -2) : answer;
    const next = (at: number): void => {
      peer.raw(bytes[at] ?? DRIP_LINE[(at - bytes.length) % DRIP_LINE.length] ?? "");
      // Open from the last byte on: the client may answer it with a frame at once.
      if (forever || at + 1 < bytes.length) peer.later(everyMs, () => next(at + 1));
      else this.#open(peer, behaviour);
    };
    next(0);
  }

  #open(peer: Peer, behaviour: Behaviour): void {
    peer.phase = "open";
    if (behaviour.reads === false) peer.pause();
    behaviour.onOpen?.(peer);
  }

  #frames(peer: Peer, behaviour: Behaviour, frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.opcode === OPCODE.close) {
        const status = readClose(frame.payload);
        if (behaviour.onClose === undefined) answerClose(peer, status);
        else if (behaviour.onClose !== false) behaviour.onClose(peer, status);
      } else if (frame.opcode === OPCODE.ping) {
        if (behaviour.onPing === undefined) peer.pong(frame.payload);
        else if (behaviour.onPing !== false) behaviour.onPing(peer, frame.payload);
      } else if (frame.opcode === OPCODE.text || frame.opcode === OPCODE.binary) {
        (behaviour.onMessage ?? echo)(peer, frame);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function answerClose(peer: Peer, status: CloseStatus): void {
  if (status.code === 1005) peer.close();
  else peer.close(status.code, status.reason);
  peer.end();
}

/** Starts the fault upstream on 127.0.0.1. */
export function startFaultUpstream(
  script: Script = {},
  options: { readonly port?: number; readonly t?: Cleanup } = {},
): Promise<FaultUpstream> {
  return FaultUpstream.start(script, options);
}
