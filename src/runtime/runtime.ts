import type { MessagePort } from "node:worker_threads";

/** What the two runtimes do differently, as one interface. `node.ts` and `deno.ts` are its two implementations. */
export interface Runtime {
  readonly name: "node" | "deno";
  readonly version: string;
  /**
   * Writes to a standard stream without ever holding up the event loop or the exit, also when that is a pipe that nobody
   * reads. Resolves when the bytes were taken, rejects when nobody will take them.
   */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** Which of these the runtime has been told not to allow. Empty where there is nothing to be told. */
  refused(needs: Needs): Promise<Needs>;
  /** Starts the sidecar's thread. Its first message says that it listens; before that, what is posted may be lost. */
  startThread(): Thread;
  /** Opens the HTTP side. Rejects with the system's error (EADDRINUSE, EACCES, …) when that cannot be. */
  listen(options: ListenOptions): Promise<Listener>;
  /** The way out when a thread cannot be joined: where a plain exit would wait for it, something stronger. Does not return. */
  abandon(code: number): never;
}

/** What a configuration must be allowed to do. */
export interface Needs {
  /** `host:port`; without a port: any. */
  readonly net: readonly string[];
  /** Paths of files and folders. */
  readonly read: readonly string[];
}

export interface Thread {
  /** Our end of the channel. */
  readonly port: MessagePort;
  /** Resolves when the thread has really ended; never rejects. `error` says why, when it crashed. */
  readonly ended: Promise<ThreadEnd>;
  /** Ends it from outside, whatever it does. It has ended when `ended` says so, not before. */
  terminate(): void;
}

export interface ThreadEnd {
  readonly error: string | undefined;
}

export interface ListenOptions {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  /** More than so many at a time are closed as they come, and `onFull` is told of each. */
  readonly connectionsMax: number;
  onFull(): void;
}

/** Where the HTTP side listens, and how it is ended: `close` alone could wait for ever. */
export interface Listener {
  readonly port: number;
  /** No new connections from here on. */
  close(): void;
  /** Resolves when every answer that was begun has been written, but for those on a kept connection. */
  flushed(kept: ReadonlySet<object>): Promise<void>;
  /** Cuts every connection that is not kept. */
  cut(kept: ReadonlySet<object>): void;
  /** Resolves when the last connection has ended; those that have not after `withinMs` are cut. */
  answered(withinMs: number): Promise<void>;
}
