/** One HTTP request to a webhook's receiver, on Node's own client, whose lookup of names can be interrupted. */

import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { type Network, startTls } from "../net/connect.ts";
import { type Reaching, reach, type TunnelProxy } from "../net/reach.ts";

/** The part of a response that decides what becomes of a delivery. */
export interface Acknowledgement {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Only if it was asked for: the body, or undefined if it is too large or not UTF-8. */
  readonly body?: string | undefined;
}

interface Delivery {
  readonly url: string;
  readonly proxy: TunnelProxy | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** True to wait for the body of the response. */
  readonly readsBody: boolean;
  readonly signal: AbortSignal;
}

interface ConnectOptions {
  readonly host: string;
  readonly port: number | string;
}

type Connected = (error: Error | null, socket?: Duplex) => void;

/** Shapes the race of a receiver's addresses; a delivery itself is bounded by its timeout. */
const BOUNDS = { withinMs: 10_000, pauses: { ipv6_wait: 50, next_after: 250 } };

/**
 * Posts to one receiver, one request at a time, over a connection that is kept. `fetch` would look names up by
 * getaddrinfo, which runs on a system thread that nothing can interrupt: while a name server is silent, the process
 * could not end.
 */
export class Poster {
  readonly #network: Network;
  readonly #agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };
  #proxy: TunnelProxy | undefined;
  #reaching: Reaching | undefined;

  constructor(network: Network) {
    this.#network = network;
    for (const agent of Object.values(this.#agents)) {
      // Without a socket returned, the agent waits for the one that `done` is called with.
      Object.assign(agent, {
        createConnection: (options: ConnectOptions, done: Connected): undefined => {
          this.#connect(options, agent instanceof HttpsAgent, done);
        },
      });
    }
  }

  /** The step on the way to the receiver that has not ended. */
  get waitsFor(): string | undefined {
    return this.#reaching?.waitsFor;
  }

  /** Resolves once the receiver has answered. Rejects with the signal's reason, or with the error of the network. */
  async post(delivery: Delivery): Promise<Acknowledgement> {
    try {
      return await this.#once(delivery);
    } catch (error) {
      // The receiver had closed the kept connection: that says nothing about the delivery.
      if (!(error instanceof StaleConnection)) throw error;
      return await this.#once(delivery);
    }
  }

  /** Closes the kept connection. */
  close(): void {
    this.#leave();
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #connect({ host: hostname, port }: ConnectOptions, isSecure: boolean, done: Connected): void {
    const host = { hostname, port: Number(port) };
    this.#leave();
    this.#reaching = reach(this.#network, host, { ...BOUNDS, proxy: this.#proxy }, (error, tcp) => {
      this.#reaching = undefined;
      if (!tcp) done(error);
      else done(null, isSecure ? startTls(tcp, host, {}) : tcp);
    });
  }

  /** Nothing else ends the way to a receiver that nobody waits for any more. */
  #leave(): void {
    this.#reaching?.leave();
    this.#reaching = undefined;
  }

  #once({ url, proxy, headers, body, readsBody, signal }: Delivery): Promise<Acknowledgement> {
    this.#proxy = proxy;
    const isSecure = new URL(url).protocol === "https:";
    const options = {
      method: "POST",
      headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
      agent: this.#agents[isSecure ? "https:" : "http:"],
    };
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = isSecure ? httpsRequest(url, options) : httpRequest(url, options);
      const abort = () => {
        request.destroy();
        this.#leave();
        // Without a socket, the request itself reports nothing.
        end(() => reject(signal.reason));
      };
      const end = (settle: () => void) => {
        signal.removeEventListener("abort", abort);
        settle();
      };
      signal.addEventListener("abort", abort, { once: true });
      request.once("response", (response) => {
        if (!readsBody) return end(() => resolve(taken(response)));
        collected(response).then(
          (acknowledgement) => end(() => resolve(acknowledgement)),
          (error) => end(() => reject(error)),
        );
      });
      // Later errors follow from the end of the request.
      request.on("error", (error) => end(() => reject(reasonOf(error, request))));
      request.end(body);
    });
  }
}

/** A kept connection that was closed before the request went out on it. */
class StaleConnection extends Error {}

function reasonOf(error: NodeJS.ErrnoException, { reusedSocket }: ClientRequest): Error {
  return reusedSocket && error.code === "ECONNRESET" ? new StaleConnection(error.message) : error;
}

/** How much of a response is read, and for how long, so that its connection can be kept. */
const READ_MAX_BYTES = 64 * 1024;
const READ_WITHIN_MS = 5_000;

function taken(response: IncomingMessage): Acknowledgement {
  let read = 0;
  response.on("data", (chunk: Buffer) => {
    read += chunk.length;
    if (read > READ_MAX_BYTES) response.destroy();
  });
  response.on("error", () => {});
  const timer = setTimeout(() => response.destroy(), READ_WITHIN_MS);
  response.once("close", () => clearTimeout(timer));
  const { statusCode: status = 0, headers } = response;
  return { status, retryAfter: headers["retry-after"] };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Resolves once the whole response is there, within the time of the delivery. Rejects if it breaks off. */
async function collected(response: IncomingMessage): Promise<Acknowledgement> {
  const { statusCode: status = 0, headers } = response;
  const chunks: Buffer[] = [];
  let read = 0;
  for await (const chunk of response) {
    read += (chunk as Buffer).length;
    // To leave the loop ends the response.
    if (read > READ_MAX_BYTES) break;
    chunks.push(chunk as Buffer);
  }
  return { status, retryAfter: headers["retry-after"], body: read > READ_MAX_BYTES ? undefined : textOf(chunks) };
}

function textOf(chunks: readonly Buffer[]): string | undefined {
  try {
    return utf8.decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}
