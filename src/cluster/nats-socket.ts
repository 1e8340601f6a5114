/**
 * The socket under the client of NATS, held from its first moment to its last.
 *
 * The transport of `@nats-io/transport-node` loses hold of a dial that takes too long: each attempt at a server that
 * takes connections and is silent leaves one behind, which keeps the program from ending.
 */
import { Buffer } from "node:buffer";
import { isIP, type Socket, connect as toTcp } from "node:net";
import { connect as toTls } from "node:tls";
import {
  type ConnectionOptions,
  checkOptions,
  deferred,
  extractProtocolMessage,
  INFO,
  protoLen,
  type ServerInfo,
  type Transport,
} from "@nats-io/transport-node";
import { version } from "../version.ts";

/** An INFO names the servers of a cluster: some kilobytes. */
const INFO_BYTES_MAX = 1024 * 1024;

export interface NatsAddress {
  readonly hostname: string;
  readonly port: number;
}

export class NatsSocket implements Transport {
  readonly lang = "sidesocket";
  readonly version = version;
  closeError?: Error;
  #isClosed = false;
  #isConnected = false;
  /** The plain one, and that of TLS over it. */
  readonly #sockets: Socket[] = [];
  #chunks: Uint8Array[] = [];
  #wake = () => {};
  readonly #ended = deferred<Error | undefined>();

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves once the server has said what it is, and TLS is there if it has to be. The client bounds its time. */
  async connect({ hostname, port }: NatsAddress, options: ConnectionOptions): Promise<void> {
    try {
      const plain = this.#hold(toTcp({ host: hostname, port }).setNoDelay());
      const info = await this.#until(() => infoIn(this.#chunks));
      checkOptions(info, options);
      if (info.tls_required || info.tls_available) await this.#encrypt(plain, hostname, options);
      this.#isConnected = true;
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    while (true) {
      const chunks = this.#chunks;
      this.#chunks = [];
      for (const chunk of chunks) yield chunk;
      if (this.#chunks.length > 0) continue;
      if (this.#isClosed) return;
      await this.#change();
    }
  }

  isEncrypted(): boolean {
    return this.#sockets.length > 1;
  }

  send(frame: Uint8Array): void {
    // A write that fails closes the socket, which the client is told.
    if (!this.#isClosed) this.#sockets.at(-1)?.write(frame);
  }

  async close(error?: Error): Promise<void> {
    if (error) this.closeError = error;
    this.#end();
  }

  disconnect(): void {
    this.#end();
  }

  closed(): Promise<Error | undefined> {
    return this.#ended;
  }

  /** Ends it without telling the client. */
  discard(): void {
    this.#isConnected = false;
    this.#end();
  }

  async #encrypt(plain: Socket, hostname: string, { tls }: ConnectionOptions): Promise<void> {
    plain.off("data", this.#take);
    // Of what came in the clear only the INFO counts; the client reads it as well.
    this.#chunks = [infoLine(this.#chunks)];
    const name = isIP(hostname) === 0 ? { servername: hostname } : { host: hostname };
    let isSecure = false;
    const secure = this.#hold(toTls({ socket: plain, ...name, ...(tls?.ca !== undefined && { ca: tls.ca }) }));
    secure.once("secureConnect", () => {
      isSecure = true;
      this.#wake();
    });
    await this.#until(() => isSecure || undefined);
  }

  #hold(socket: Socket): Socket {
    this.#sockets.push(socket);
    socket.on("data", this.#take);
    socket.on("error", (error) => {
      this.closeError ??= error;
    });
    socket.on("close", () => this.#end());
    return socket;
  }

  readonly #take = (chunk: Uint8Array): void => {
    this.#chunks.push(chunk);
    this.#wake();
  };

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#wake();
    if (this.#isConnected) this.#ended.resolve(this.closeError);
  }

  /** Waits until `read` finds something. @throws Error once the socket is closed */
  async #until<Found>(read: () => Found | undefined): Promise<Found> {
    while (true) {
      const found = read();
      if (found !== undefined) return found;
      if (this.#isClosed) throw this.closeError ?? new Error("the server has closed the connection");
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** @throws Error if it is something else, or too long */
function infoIn(chunks: readonly Uint8Array[]): ServerInfo | undefined {
  const bytes = Buffer.concat(chunks);
  const line = extractProtocolMessage(bytes);
  if (line === "" && bytes.length <= INFO_BYTES_MAX) return undefined;
  const [, json] = INFO.exec(line) ?? [];
  if (json === undefined) throw new Error("what answers there is no NATS server");
  return JSON.parse(json) as ServerInfo;
}

function infoLine(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(chunks);
  return bytes.subarray(0, protoLen(bytes));
}
