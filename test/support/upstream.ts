/** A well-behaved upstream on npm `ws`: JSON-RPC with a few methods made for tests, or a custom handler. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "./until.ts";
import { answerJsonRpc } from "./upstream-methods.ts";

/** A message as received: text, or the bytes of a binary frame. */
export type Message = string | Uint8Array;

export type MessageHandler = (message: Message, connection: UpstreamConnection) => void | Promise<void>;

export interface UpstreamOptions {
  /** 0 for any port, or the one to use. */
  readonly port?: number;
  /** Answers each message, in place of JSON-RPC. */
  readonly onMessage?: MessageHandler;
  /** Called when a connection is open, before its first message: greetings. */
  readonly onConnection?: (connection: UpstreamConnection) => void;
  /** Chooses the subprotocol from those offered; without it none is chosen. */
  readonly subprotocol?: (offered: readonly string[]) => string | undefined;
  /** Refuses the upgrade with this status, chosen per attempt. */
  readonly refuse?: (request: IncomingMessage) => number | undefined;
  readonly t?: Cleanup;
}

/** One connection: a record of what it received, and the means to act on it. */
export class UpstreamConnection {
  /** Counted from 1 over the upstream's whole life. */
  readonly number: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly messages: Message[] = [];
  readonly socket: WebSocket;
  /** The code and reason of the end; 1006 without a close frame. Undefined while open. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  pings = 0;
  readonly #tcp: Socket;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(number: number, socket: WebSocket, request: IncomingMessage) {
    this.number = number;
    this.socket = socket;
    this.path = request.url ?? "/";
    this.headers = request.headers;
    this.#tcp = request.socket;
  }

  /** The text messages. */
  get texts(): string[] {
    return this.messages.filter((message) => typeof message === "string");
  }

  get open(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /**
   * Sends if the connection is still open; otherwise does nothing, as a scheduled reply may come too late. A value goes
   * as JSON.
   */
  send(message: unknown): void {
    if (!this.open) return;
    this.socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Runs an action after a delay, unless the connection has ended by then. */
  later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  /** Drops the TCP connection without a close frame: FIN, or RST. */
  kill(how: "fin" | "reset" = "fin"): void {
    if (how === "reset") this.#tcp.resetAndDestroy();
    else this.socket.terminate();
  }

  /** Writes these bytes, which must be whole frames, as fast as they are taken. */
  async flood(frames: Uint8Array, going: () => boolean): Promise<void> {
    while (going() && this.open) await new Promise((resolve) => this.#tcp.write(frames, resolve));
  }

  close(code = 1000, reason = ""): void {
    this.socket.close(code, reason);
  }

  /** For the upstream: marks the connection as over. */
  end(code: number, reason: string): void {
    this.closed = { code, reason };
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

export class Upstream {
  /** Every connection ever made, in order. */
  readonly connections: UpstreamConnection[] = [];
  /** The number of upgrades that `refuse` turned away. */
  refusals = 0;
  readonly #options: UpstreamOptions;
  readonly #watch = new Watch();
  #server: WebSocketServer | undefined;
  #port: number;

  private constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  static async start(options: UpstreamOptions = {}): Promise<Upstream> {
    const upstream = new Upstream(options);
    await upstream.restart();
    options.t?.after(() => upstream.stop());
    return upstream;
  }

  /** Unchanged by a restart. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** The connections that have not ended. */
  get live(): UpstreamConnection[] {
    return this.connections.filter((connection) => connection.closed === undefined);
  }

  /** The newest connection. Throws if there was none. */
  get last(): UpstreamConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error("nobody has connected to the upstream");
    return last;
  }

  /** Every message of every connection, in the order of arrival within each. */
  get messages(): Message[] {
    return this.connections.flatMap((connection) => connection.messages);
  }

  get texts(): string[] {
    return this.connections.flatMap((connection) => connection.texts);
  }

  /** Waits for a condition, which is checked after each connection, message, ping and close. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  /** Waits for the newest open connection, or the next one. */
  connected(within = 10_000): Promise<UpstreamConnection> {
    return this.until(() => this.connections.findLast((connection) => connection.open), {
      within,
      what: "a connection to the upstream",
    });
  }

  /** Sends to all open connections. */
  broadcast(message: unknown): void {
    for (const connection of this.live) connection.send(message);
  }

  /** Drops every connection; the port goes on listening. */
  kill(how: "fin" | "reset" = "fin"): void {
    for (const connection of this.live) connection.kill(how);
  }

  /** Drops every connection and stops listening: from then on, connecting is refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.kill();
    await closed;
    await this.until(() => this.live.length === 0, { what: "the upstream's connections to end" });
  }

  /** Listens again, on the same port. */
  async restart(): Promise<void> {
    await this.stop();
    const { subprotocol, refuse } = this.#options;
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: this.#port,
      perMessageDeflate: false,
      maxPayload: 256 * 1024 * 1024,
      handleProtocols: (offered) => subprotocol?.([...offered]) ?? false,
      verifyClient: (info, answer) => {
        const status = refuse?.(info.req);
        if (status !== undefined) this.refusals += 1;
        answer(status === undefined, status);
        this.#watch.changed();
      },
    });
    await once(server, "listening");
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    server.on("error", () => {});
    server.on("connection", (socket, request) => this.#accept(socket, request));
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    const connection = new UpstreamConnection(this.connections.length + 1, socket, request);
    this.connections.push(connection);
    socket.on("error", () => {}); // "close" follows and is recorded
    socket.on("ping", () => {
      connection.pings += 1;
      this.#watch.changed();
    });
    socket.on("close", (code, reason) => {
      connection.end(code, reason.toString("utf8"));
      this.#watch.changed();
    });
    socket.on("message", (data, binary) => {
      const message = binary ? new Uint8Array(bytes(data)) : bytes(data).toString("utf8");
      connection.messages.push(message);
      this.#watch.changed();
      void (this.#options.onMessage ?? answerJsonRpc)(message, connection);
    });
    this.#options.onConnection?.(connection);
    this.#watch.changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function bytes(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}

/** Starts the upstream on a free port of 127.0.0.1. */
export function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  return Upstream.start(options);
}
