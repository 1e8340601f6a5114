/**
 * The upstream of the cluster's chaos: it records each request and its connection, and tells numbered messages.
 *
 * It tells each open connection the same, so that a replaced owner has messages that must not be read twice.
 */
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Cleanup } from "../support/until.ts";

/** Milliseconds from one message to the next, and how often that is a burst. */
const TELL_MS = 20;
const BURSTS = 0.002;
const BURST = 200;
/** The share of requests whose reply is slow, very slow, and missing; the longest times of the first two. */
const SLOW = 0.15;
const SLOW_MS = 200;
const VERY_SLOW = 0.03;
const VERY_SLOW_MS = 3_000;
const SILENT = 0.01;

interface Connection {
  readonly number: number;
  readonly replica: number;
  readonly socket: WebSocket;
}

/** A request. Its padding comes back. */
interface Call {
  readonly id?: unknown;
  readonly params: readonly [number];
  readonly padding?: string;
}

export interface ChaosUpstreamOptions {
  readonly t: Cleanup;
  readonly random: () => number;
  readonly problem: (text: string) => void;
}

export class ChaosUpstream {
  readonly #server: WebSocketServer;
  readonly #random: () => number;
  readonly #problem: (text: string) => void;
  readonly #open = new Set<Connection>();
  readonly #timer: NodeJS.Timeout;
  /** How often each request arrived, by its number. */
  received = new Uint8Array(1_024);
  connections = 0;
  /** The index of the replica that connected last. */
  newest = 0;
  /** The number of the last message. */
  told = 0;
  /** Frames on a connection when there was a newer one. */
  overtaken = 0;
  /** True to reply to everything at once. */
  isPrompt = false;
  isAway = false;

  private constructor(server: WebSocketServer, { random, problem }: ChaosUpstreamOptions) {
    this.#server = server;
    this.#random = random;
    this.#problem = problem;
    this.#timer = setInterval(() => {
      const count = random() < BURSTS ? BURST : 1;
      for (let n = 0; n < count; n++) this.tell();
    }, TELL_MS);
  }

  static async start(options: ChaosUpstreamOptions): Promise<ChaosUpstream> {
    const isWanted = () => !upstream.isAway;
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      perMessageDeflate: false,
      verifyClient: isWanted,
    });
    const upstream = new ChaosUpstream(server, options);
    server.on("connection", (socket, { headers }) => upstream.#accept(socket, Number(headers["x-replica"])));
    await new Promise<void>((resolve) => server.once("listening", resolve));
    options.t.after(() => upstream.stop());
    return upstream;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends the next message over each connection. Without one there is none. */
  tell(): void {
    if (this.#open.size === 0) return;
    const text = JSON.stringify({ jsonrpc: "2.0", method: "told", params: [++this.told] });
    for (const { socket } of this.#open) socket.send(text);
  }

  /** Breaks every connection. */
  cut(): void {
    for (const { socket } of this.#open) socket.terminate();
  }

  /** Closes every connection in order. */
  close(): void {
    for (const { socket } of this.#open) socket.close(1012, "as drawn");
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: WebSocket, replica: number): void {
    const connection = { number: ++this.connections, replica, socket };
    this.newest = replica;
    this.#open.add(connection);
    socket.on("error", () => {});
    socket.on("close", () => this.#open.delete(connection));
    socket.on("message", (data) => this.#take(connection, String(data)));
  }

  #take({ number, replica, socket }: Connection, text: string): void {
    const { id, params, padding } = JSON.parse(text) as Call;
    const [n] = params;
    this.#count(n);
    if (number < this.connections) {
      this.overtaken++;
      this.#problem(`request ${n} came from replica ${replica} on connection ${number} of ${this.connections}`);
    }
    const reply = () => socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: params, padding }));
    const roll = this.#random();
    if (this.isPrompt || roll > SILENT + VERY_SLOW + SLOW) reply();
    else if (roll > SILENT + VERY_SLOW) setTimeout(reply, this.#random() * SLOW_MS);
    else if (roll > SILENT) setTimeout(reply, this.#random() * VERY_SLOW_MS);
  }

  #count(n: number): void {
    if (n >= this.received.length) {
      const more = new Uint8Array(n * 2);
      more.set(this.received);
      this.received = more;
    }
    this.received[n] = Math.min(255, (this.received[n] ?? 0) + 1);
  }
}
