/** The requests of one connection: those that are served, and those that wait behind them because of pipelining. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests of one connection that are served at a time. Responses keep their order, so more would only wait. */
const SERVED_MAX = 16;
/**
 * Requests that wait on one connection, and on all of them. One read may bring two thousand, and each holds some
 * kilobytes; a connection beyond a bound is cut.
 */
const WAITING_MAX = 4_096;
const WAITING_IN_ALL_MAX = 16_384;

/** A socket of Node's HTTP server, whose parser also stops while it is `_paused`. Deno stops for nothing else. */
type ServedSocket = Socket & { _paused?: boolean; readonly parser?: { resume?(): void } | null };

export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

let waitingInAll = 0;

export class Pipeline {
  readonly #socket: ServedSocket;
  readonly #serve: Serve;
  #served = 0;
  #waiting: (readonly [IncomingMessage, ServerResponse])[] = [];
  #isPaused = false;
  #isScheduled = false;

  constructor(socket: Socket, serve: Serve) {
    this.#socket = socket;
    this.#serve = serve;
  }

  /** True while the socket is not read, because enough requests wait. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Serves a request, or lets it wait and reads no more for now. */
  take(request: IncomingMessage, response: ServerResponse): void {
    if (this.#served < SERVED_MAX && this.#waiting.length === 0) {
      this.#served++;
      this.#serve(request, response);
      return;
    }
    if (this.#waiting.length >= WAITING_MAX || waitingInAll >= WAITING_IN_ALL_MAX) {
      this.#socket.destroy();
      return;
    }
    this.#waiting.push([request, response]);
    waitingInAll++;
    if (this.#isPaused) this.#pauseAgain();
    else this.#pause();
  }

  /** A response is complete: serves the next requests in a later turn, so that other connections have theirs. */
  answered(): void {
    this.#served--;
    if (!this.#isPaused || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#serveWaiting());
  }

  #serveWaiting(): void {
    this.#isScheduled = false;
    if (this.#socket.destroyed) return;
    while (this.#served < SERVED_MAX) {
      const next = this.#waiting.shift();
      if (!next) break;
      waitingInAll--;
      this.#served++;
      this.#serve(...next);
    }
    if (this.#waiting.length === 0) this.#resume();
  }

  /** The connection has ended. */
  closed(): void {
    waitingInAll -= this.#waiting.length;
    this.#waiting = [];
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.on("resume", this.#pauseAgain);
    this.#pauseAgain();
  }

  /** Node resumes the socket with each response that was taken. */
  readonly #pauseAgain = () => {
    this.#socket._paused = true;
    this.#socket.pause();
  };

  #resume(): void {
    this.#isPaused = false;
    this.#socket.off("resume", this.#pauseAgain);
    this.#socket._paused = false;
    this.#socket.parser?.resume?.();
    this.#socket.resume();
  }
}
