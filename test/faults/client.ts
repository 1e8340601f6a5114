/** A WebSocket client that judges the fault tools: npm ws, with a record of everything it received. */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { bounded, type Cleanup, type Truthy, type WaitOptions, Watch } from "../support/until.ts";
import type { CloseStatus } from "./frames.ts";

/** `maxFragments` and `closeTimeout` are younger than ws's types. */
export type JudgeOptions = ClientOptions & { readonly maxFragments?: number; readonly closeTimeout?: number };

export class Client {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  readonly pongs: string[] = [];
  readonly errors: string[] = [];
  readonly #watch = new Watch();
  #tcp: Socket | undefined;
  #closed: CloseStatus | undefined;
  #response: IncomingMessage | undefined;

  constructor(url: string, t?: Cleanup, options: JudgeOptions = {}) {
    this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.socket.on("upgrade", (response) => {
      this.#tcp = response.socket;
    });
    this.socket.on("open", () => this.#watch.changed());
    this.socket.on("message", (data: Buffer) => {
      this.texts.push(data.toString("utf8"));
      this.#watch.changed();
    });
    this.socket.on("pong", (payload) => {
      this.pongs.push(payload.toString("utf8"));
      this.#watch.changed();
    });
    this.socket.on("unexpected-response", (_request, response) => {
      this.#response = response;
      this.#watch.changed();
      this.socket.terminate();
    });
    this.socket.on("error", (error) => {
      this.errors.push(error.message);
      this.#watch.changed();
    });
    this.socket.on("close", (code, reason) => {
      this.#closed = { code, reason: Buffer.from(reason).toString("utf8") };
      this.#watch.changed();
    });
    t?.after(async () => this.socket.terminate());
  }

  /** Connects. Throws the error of ws if it cannot. */
  static async open(url: string, t?: Cleanup, options: JudgeOptions = {}): Promise<Client> {
    const client = new Client(url, t, options);
    await client.until(
      () => {
        if (client.#closed !== undefined) throw new Error(`not connected: ${client.errors.join()}`);
        return client.socket.readyState === WebSocket.OPEN;
      },
      { what: "the client to connect" },
    );
    return client;
  }

  get messages(): unknown[] {
    return this.texts.map((text) => JSON.parse(text) as unknown);
  }

  request(id: unknown, method: string, params?: unknown): void {
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) }));
  }

  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  async replies(count: number): Promise<void> {
    await this.until(() => this.texts.length >= count, {
      what: () => `${count} replies; there are ${this.texts.length}`,
    });
  }

  closed(within = 10_000): Promise<CloseStatus> {
    return this.until(() => this.#closed, { within, what: "the client's socket to close" });
  }

  /** Waits for a response other than 101. */
  refused(within = 10_000): Promise<IncomingMessage> {
    return bounded(
      this.until(() => this.#response),
      { within, what: "a refusal of the upgrade" },
    );
  }

  /** Sends RST. */
  reset(): void {
    this.#tcp?.resetAndDestroy();
  }
}
