/** Raw HTTP over TCP, for what `fetch` refuses to do: other Host headers, half bodies, connections kept or abused. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { readResponse } from "./http-response.ts";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "./until.ts";

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** Sent as given, in this order, after Host. A name may occur twice. `undefined` omits a default header. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Sent with its Content-Length, unless the headers say otherwise. */
  readonly body?: string | Uint8Array;
}

export interface RawResponse {
  readonly status: number;
  /** Names in lower case; values of repeated names joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly bytes: Uint8Array;
}

/** One TCP connection to an HTTP server. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #watch = new Watch();
  #buffer: Buffer = Buffer.alloc(0);
  #everything = "";
  #ended: "fin" | "reset" | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#everything += chunk.toString("latin1");
      this.#watch.changed();
    });
    socket.on("end", () => this.#end("fin"));
    socket.on("error", () => this.#end("reset"));
    socket.on("close", () => this.#end("fin"));
  }

  /** Connects, allowing half-open, so that our `end()` and the server's are distinguished. */
  static async open(url: string | { readonly url: string }, t?: Cleanup): Promise<RawConnection> {
    const target = new URL(typeof url === "string" ? url : url.url);
    const host = target.hostname.replace(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(target.port || 80), allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.setNoDelay(true);
    const connection = new RawConnection(socket, target.host);
    t?.after(async () => connection.destroy());
    return connection;
  }

  #end(how: "fin" | "reset"): void {
    this.#ended ??= how;
    this.#watch.changed();
  }

  /** How the server ended the connection; undefined while it is open. */
  get ended(): "fin" | "reset" | undefined {
    return this.#ended;
  }

  /** All received bytes, as latin1. */
  get received(): string {
    return this.#everything;
  }

  /** Writes bytes as they are. */
  write(data: string | Uint8Array): void {
    this.#socket.write(data);
  }

  /** Sends one whole request. */
  send(request: RawRequest = {}): void {
    this.write(encodeRequest(request, this.#host));
  }

  /** Waits for the next response on this connection and consumes it. */
  async response(within = 10_000): Promise<RawResponse> {
    const found = await this.#watch.until(
      () => {
        const read = readResponse(this.#buffer, this.#ended !== undefined);
        if (read === undefined && this.#ended !== undefined) {
          throw new Error(`the server ended the connection (${this.#ended}) before a response`);
        }
        return read;
      },
      { within, what: () => `a response; so far: ${JSON.stringify(this.#buffer.toString("latin1").slice(0, 200))}` },
    );
    this.#buffer = this.#buffer.subarray(found.length);
    return found.response;
  }

  /** Waits for a condition on `received` or `ended`. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  /** Waits for the server's FIN or RST. */
  closed(within = 10_000): Promise<"fin" | "reset"> {
    return this.until(() => this.#ended, { within, what: "the server to end the connection" });
  }

  /** Sends FIN; the server's data can still be read. */
  end(): void {
    this.#socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that the server's writes jam. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }
}

/** Encodes a request as bytes. */
export function encodeRequest(request: RawRequest, host: string): Uint8Array {
  const body = typeof request.body === "string" ? Buffer.from(request.body) : request.body;
  const headers: Record<string, string | readonly string[] | undefined> = { Host: host };
  if (body !== undefined) headers["Content-Length"] = String(body.length);
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    const ours = Object.keys(headers).find((known) => known.toLowerCase() === name.toLowerCase());
    headers[ours ?? name] = value;
  }
  const lines = [`${request.method ?? "GET"} ${request.path ?? "/"} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    for (const one of typeof value === "string" ? [value] : value) lines.push(`${name}: ${one}`);
  }
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body ?? Buffer.alloc(0)]);
}

/** Opens a connection, makes one request, and ends it. */
export async function rawRequest(
  url: string | { readonly url: string },
  request: RawRequest = {},
  within = 10_000,
): Promise<RawResponse> {
  const connection = await RawConnection.open(url);
  try {
    connection.send({ ...request, headers: { Connection: "close", ...request.headers } });
    return await connection.response(within);
  } finally {
    connection.destroy();
  }
}
