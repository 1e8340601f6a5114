/** The interface to the runtime, which `node.ts` and `deno.ts` implement. */

import type { Transferable } from "node:worker_threads";
import type { Network } from "../net/connect.ts";
import type { SocketFile } from "../net/socket-file.ts";

/** Ending signals of both runtimes. */
export const ENDING_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"];

/** Everything that the two runtimes do differently. */
export interface Runtime {
  readonly name: "node" | "deno";
  readonly version: string;
  /** Signals that would end the process, or that ask for it: each begins the exit protocol instead. */
  readonly endingSignals: readonly NodeJS.Signals[];
  /**
   * Writes to a standard stream, even to a pipe that nobody reads, without blocking the event loop or the exit.
   * Resolves when the bytes were taken; rejects if nobody will take them.
   */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** Returns those of the needs that the runtime does not permit. Node permits everything. */
  refused(needs: Needs): Promise<Needs>;
  /** Returns how many descriptors the process may have; undefined if the system does not tell. */
  descriptorsMax(): number | undefined;
  /** The memory that the process may use, in bytes: the limit of its heap or of its container. */
  readonly memoryLimit: number;
  /** The network, whose resolution of names can be interrupted. */
  readonly network: Network;
  /**
   * Starts the sidecar's thread. Post nothing before its first message: the thread does not listen until then.
   * @param file the file that it begins with; by default the one beside our modules
   */
  startThread(file?: URL): Thread;
  /** Starts the HTTP listener. Rejects with the system's error (EADDRINUSE, EACCES, …) if it cannot listen. */
  listen(options: ListenOptions): Promise<Listener>;
  /** Ends the process although a thread cannot be joined, by force if a plain exit would wait for it. */
  abandon(code: number): never;
}

/** Permissions that a configuration needs. */
export interface Needs {
  /** Addresses as `host:port`; without a port, any port. */
  readonly net: readonly string[];
  /** Paths of files and folders to read. */
  readonly read: readonly string[];
  /** Paths of files to write. */
  readonly write: readonly string[];
}

export interface Thread {
  /** The host's end of the channel. */
  readonly port: ThreadPort;
  /** The word in which the thread notes the upstream that it works for. Readable even when the thread is gone. */
  readonly mark: Int32Array;
  /** Resolves when the thread has really ended; never rejects. */
  readonly ended: Promise<ThreadEnd>;
  /** Terminates the thread, whatever it does. It may run on until `ended` resolves. */
  terminate(): void;
  /** Lets the program end although the thread runs, until `ref` is called. */
  unref(): void;
  ref(): void;
}

/** An end of the channel between the host and the thread. */
export interface ThreadPort {
  on<Message>(event: "message", listener: (message: Message) => void): unknown;
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  ref(): void;
  unref(): void;
}

export interface ThreadEnd {
  /** The reason of a crash, in the runtime's words or ours. What a user's module says is in the thread's own report. */
  readonly error: string | undefined;
  /** The messages that it posted before its end, and that the port did not deliver. */
  readonly last: readonly unknown[];
}

export interface ListenOptions {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
  readonly host: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /** The Unix socket to listen on instead. */
  readonly socket?: SocketFile | undefined;
  /** Serves HTTPS. */
  readonly tls?: ListenTls | undefined;
  /** Time that an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  /** The time for a whole request, unless its handling grants its body more; 30 s by default, in milliseconds. */
  readonly requestWithinMs?: number | undefined;
  /** The maximum number of open connections. More are closed on arrival, each with a call of `onFull`. */
  readonly connectionsMax: number;
  onFull(): void;
  /** The listener does not accept connections any more, and cannot be mended. */
  onDeaf(): void;
  /** The response, as bytes of HTTP, with which an idle connection ends. */
  readonly lastResponse: string;
  /** The response to a request that the listener cannot hand to `fetch`. */
  refusal(status: 400 | 405 | 408 | 413 | 417 | 431, detail: string): Refusal;
}

/** A certificate in PEM and its key, and the certificates of which one must have signed that of each caller. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
}

export interface ListenTls {
  readonly certificate: Certificate;
  readonly minVersion: "1.2" | "1.3";
}

/** A response that the listener writes by itself; its connection ends with it. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The HTTP listener. The exit ends it step by step: `close` alone could wait forever. */
export interface Listener {
  /** 0 of a Unix socket. */
  readonly port: number;
  /** Loads what the first request needs, and would wait for: on Node that is `fetch`, a tenth of a whole start. */
  prepare(): void;
  /** Takes another certificate for the connections that come from now on. Only for a listener that serves HTTPS. */
  renew(certificate: Certificate): void;
  /** Ends each connection with its next response, and gives idle ones a grace in which to get one. */
  retire(): void;
  /**
   * Resolves when no connection has come for a moment: those that the system has accepted for us would be reset by
   * `close`. Takes no longer than `withinMs`.
   */
  lull(withinMs: number): Promise<void>;
  /** Stops accepting connections. */
  close(): void;
  /** Resolves when every begun response is written, except those on a kept connection. */
  flushed(kept: ReadonlySet<object>): Promise<void>;
  /** Ends every connection that is not kept: an idle one with its last response, after its grace; others at once. */
  cut(kept: ReadonlySet<object>): void;
  /** Resolves when the last connection has ended; destroys those that are left after `withinMs`. */
  answered(withinMs: number): Promise<void>;
}
