/**
 * Many readers of one journal, in their own process and as cheap as possible.
 *
 * Half of them are streams of events, half long polls, each checked message by message, and one more never reads. The
 * argument is a {@link Job}; the output is `connected`, and at the end a {@link Result}.
 */
import type { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import process from "node:process";

export interface Job {
  readonly url: string;
  readonly path: string;
  readonly streams: number;
  readonly polls: number;
  /** Messages end in their number, from 1: `[7]}`. This is the last one's. */
  readonly total: number;
}

export interface Result {
  readonly messages: number;
  readonly gaps: number;
  readonly dropped: number;
  /** The first few errors. */
  readonly wrong: readonly string[];
}

const job = JSON.parse(process.argv[2] ?? "") as Job;
const { hostname, port, host } = new URL(job.url);
const CONNECT_TOGETHER = 50;
const sum = { messages: 0, gaps: 0, dropped: 0, wrong: [] as string[] };
let reading = job.streams + job.polls;

/** The progress of one reader. */
class Seen {
  #last = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  message(n: number): void {
    if (n !== this.#last + 1) this.wrong(`${n} after ${this.#last}`);
    this.#last = n;
    sum.messages++;
    if (n === job.total && --reading === 0) finish();
  }

  gap({ dropped, reason }: { readonly dropped: number | null; readonly reason: string }): void {
    if (dropped === null || reason !== "overflow") this.wrong(`a gap for ${reason} of ${dropped}`);
    this.#last += dropped ?? 0;
    sum.gaps++;
    sum.dropped += dropped ?? 0;
  }

  wrong(what: string): void {
    if (sum.wrong.length < 5) sum.wrong.push(`${this.#name}: ${what}`);
  }
}

function finish(): void {
  process.stdout.write(`${JSON.stringify(sum)}\n`, () => process.exit(0));
}

function open(seen: Seen, take: (text: string, socket: Socket) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => resolve(socket));
    socket.on("data", (chunk: Buffer) => take(chunk.toString("latin1"), socket));
    socket.once("error", reject);
    socket.once("close", () => seen.wrong("was cut"));
  });
}

/** HTTP/1.0, so that a body without a length is not chunked. */
const streamRequest = `GET ${job.path} HTTP/1.0\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`;

async function stream(seen: Seen): Promise<Socket> {
  let rest = "";
  let begun = false;
  const socket = await open(seen, (chunk) => {
    const text = rest + chunk;
    let at = 0;
    if (!begun) {
      at = text.indexOf("\r\n\r\n") + 4;
      begun = at >= 4;
    }
    for (let end = begun ? text.indexOf("\n\n", at) : -1; end >= 0; end = text.indexOf("\n\n", at)) {
      event(seen, text.slice(at, end));
      at = end + 2;
    }
    rest = begun ? text.slice(at) : text;
  });
  socket.write(streamRequest);
  return socket;
}

function event(seen: Seen, block: string): void {
  if (block.includes("\nevent: message\n")) seen.message(lastNumber(block));
  else if (block.includes("\nevent: gap\n")) seen.gap(JSON.parse(block.slice(block.indexOf("data: ") + 6)));
  else if (!/^(retry|:)/.test(block)) seen.wrong(block);
}

function lastNumber(text: string): number {
  return Number(text.slice(text.lastIndexOf("[") + 1, text.lastIndexOf("]")));
}

async function poll(seen: Seen): Promise<void> {
  let text = "";
  const requestPage = (socket: Socket, after: string): void => {
    socket.write(`GET ${job.path}?after=${after}&wait=60&limit=500 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  };
  const socket = await open(seen, (chunk, from) => {
    text += chunk;
    const head = text.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, head))?.[1]);
    if (Number.isNaN(length)) seen.wrong(text.slice(0, head));
    if (text.length < head + 4 + length) return;
    const body = JSON.parse(text.slice(head + 4, head + 4 + length));
    text = text.slice(head + 4 + length);
    if (body.code === "gone") seen.gap(body);
    else if (body.messages === undefined) seen.wrong(JSON.stringify(body));
    for (const { data, gap } of body.messages ?? []) gap ? seen.gap(gap) : seen.message(data.params[0]);
    requestPage(from, body.resume ?? body.next);
  });
  requestPage(socket, "earliest");
}

const readers = [
  ...Array.from({ length: job.streams }, (_, n) => () => stream(new Seen(`stream ${n}`))),
  ...Array.from({ length: job.polls }, (_, n) => () => poll(new Seen(`poll ${n}`))),
];
while (readers.length > 0) await Promise.all(readers.splice(0, CONNECT_TOGETHER).map((start) => start()));
(await open(new Seen("who never reads"), () => {})).pause().write(streamRequest);
process.stdout.write("connected\n");

// The parent may be killed, and must not leave this process running.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500);
