/**
 * npm's `dockerfile-language-server-nodejs`, a language server on standard input and output, behind WebSockets: a process
 * for each connection, and one message in each frame.
 */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { nodePath } from "../support/root.ts";
import { type Cleanup, Watch } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { load, packageFolder } from "./packages.ts";
import type { Transcript } from "./transcript.ts";

export interface LanguageServer {
  readonly upstream: Upstream;
  /** The transcripts of all connections, in order. */
  readonly transcripts: readonly Transcript[];
  /** The exit codes of the processes that have ended, by the number of their connection. */
  readonly exitCodes: ReadonlyMap<number, number | null>;
}

/** Starts the bridge, whose `upstream` may be stopped and restarted, and with it all processes. */
export async function startLanguageServer(t: Cleanup): Promise<LanguageServer> {
  const processes = new Map<UpstreamConnection, ChildProcess>();
  const transcripts: Transcript[] = [];
  const exitCodes = new Map<number, number | null>();
  const upstream = await startUpstream({
    t,
    onConnection(connection) {
      const child = startProcess(t);
      const transcript: Transcript = { client: [], server: [] };
      transcripts.push(transcript);
      processes.set(connection, child);
      child.once("exit", (code) => exitCodes.set(connection.number, code));
      // At the end of its input it ends with 0 only if it was asked to shut down before.
      connection.socket.once("close", () => child.stdin?.end());
      onEachMessage(child.stdout as Readable, (text) => {
        transcript.server.push(JSON.parse(text));
        connection.send(text);
      });
    },
    onMessage(message, connection) {
      transcripts[connection.number - 1]?.client.push(JSON.parse(String(message)));
      const body = Buffer.from(message);
      processes.get(connection)?.stdin?.write(Buffer.concat([Buffer.from(headerOf(body)), body]));
    },
  });
  return { upstream, transcripts, exitCodes };
}

function startProcess(t: Cleanup): ChildProcess {
  const server = join(packageFolder("dockerfile-language-server-nodejs"), "bin", "docker-langserver");
  const child = spawn(nodePath(), [server, "--stdio"], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => {}); // It may be killed while it is written to.
  t.after(async () => void child.kill());
  return child;
}

function headerOf(body: Buffer): string {
  return `Content-Length: ${body.length}\r\n\r\n`;
}

function onEachMessage(from: Readable, take: (text: string) => void): void {
  let rest = Buffer.alloc(0);
  from.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const start = rest.indexOf("\r\n\r\n") + 4;
      const length = Number(/Content-Length: (\d+)/i.exec(rest.subarray(0, start).toString())?.[1]);
      if (start < 4 || rest.length < start + length) return;
      take(rest.subarray(start, start + length).toString());
      rest = rest.subarray(start + length);
    }
  });
}

/** The client of the package with which the server is made. */
export interface OwnClient {
  listen(): void;
  sendRequest(method: string, params: unknown): Promise<unknown>;
  sendNotification(method: string, params: unknown): Promise<void>;
  onRequest(method: string, handler: (params: never) => unknown): void;
}

interface Rpc {
  readonly default: {
    createMessageConnection(reader: object, writer: object): OwnClient;
    readonly StreamMessageReader: new (from: Readable) => object;
    readonly StreamMessageWriter: new (to: Writable) => object;
  };
}

/** Starts a process of its own for `vscode-jsonrpc`, and writes down what the two say. */
export async function startOwnClient(t: Cleanup) {
  const { default: rpc } = await load<Rpc>("vscode-jsonrpc/node");
  const child = startProcess(t);
  const transcript: Transcript = { client: [], server: [] };
  const watch = new Watch();
  const sent = new PassThrough();
  onEachMessage(sent, (text) => transcript.client.push(JSON.parse(text)));
  sent.pipe(child.stdin as Writable);
  onEachMessage(child.stdout as Readable, (text) => {
    transcript.server.push(JSON.parse(text));
    watch.changed();
  });
  const reader = new rpc.StreamMessageReader(child.stdout as Readable);
  const client = rpc.createMessageConnection(reader, new rpc.StreamMessageWriter(sent));
  client.listen();
  return { client, transcript, watch };
}
