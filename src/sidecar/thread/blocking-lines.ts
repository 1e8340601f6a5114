/** The thread's ends of all lines: requests of blocking callers come in here, and their outcomes go out. */

import type { MessagePort } from "node:worker_threads";
import { type HiddenMessage, hidden, shown } from "../../core/util/hidden-message.ts";
import { type MessageBatch, Outbox } from "../batching.ts";
import type { FromThread, ToThread } from "../contract.ts";
import { BEAT_MS, end, lineOf, ring, Word } from "../line.ts";
import { LineSlips } from "../line-slips.ts";
import { packFromThread, packToThread, type RowToThread, type Transferred } from "../message-codec.ts";
import { UpstreamNumbers } from "../upstream-numbers.ts";

const UNNUMBERED = new UpstreamNumbers();
const packByName = packFromThread(UNNUMBERED);
const packSlip = packToThread(UNNUMBERED);

type OpenLine = Extract<ToThread, { type: "line" }>;

interface ThreadLine {
  readonly upstream: string;
  /** The number of this thread among those that the line has had. */
  readonly thread: number;
  readonly port: MessagePort;
  readonly words: Int32Array;
  readonly outbox: Outbox<FromThread>;
  readonly slips: LineSlips;
  /** The number of its last request, the only one that may be in flight. */
  last: number | undefined;
}

/** Services of the thread that lines need. */
export interface LineEnvironment {
  now(): number;
  /** Creates a receiver of one sender's batches, which hands on their messages with times by this thread's clock. */
  receiver(handle: (message: ToThread) => void): (batch: MessageBatch<RowToThread>) => void;
  handle(message: ToThread): void;
}

export class ThreadLines {
  readonly #env: LineEnvironment;
  readonly #lines = new Map<number, ThreadLine>();
  #beats: NodeJS.Timeout | undefined;

  constructor(env: LineEnvironment) {
    this.#env = env;
    // Also called for an uncaught error: a blocked caller wakes at once.
    process.on("exit", () => {
      for (const { words, thread } of this.#lines.values()) end(words, thread);
    });
  }

  open({ upstream, line: id, thread, words: shared, port }: OpenLine): void {
    const words = new Int32Array(shared);
    const bell = {
      postMessage: (message: unknown, transfer?: readonly Transferred[]) => {
        port.postMessage(hidden(message), transfer);
        ring(words);
      },
    };
    const line: ThreadLine = {
      upstream,
      thread,
      port,
      words,
      outbox: new Outbox(bell, this.#env.now, packByName),
      slips: new LineSlips({ upstream, words: shared }),
      last: undefined,
    };
    const receive = this.#env.receiver((message) => {
      if ("seq" in message) line.last = message.seq;
      this.#env.handle(message);
    });
    port.on("message", (message: HiddenMessage<MessageBatch<RowToThread>> | number) => {
      const batch = typeof message === "number" ? batchOf(line.slips, message) : shown(message);
      if (batch) receive(batch);
    });
    port.on("close", () => this.close(id));
    this.#lines.set(id, line);
    this.#beats ??= setInterval(() => this.#beat(), BEAT_MS);
  }

  /** The caller is gone: its request is forgotten. */
  close(id: number): void {
    const line = this.#lines.get(id);
    if (!line) return;
    this.#lines.delete(id);
    line.port.close();
    const { upstream, last: seq } = line;
    if (seq !== undefined)
      for (const type of ["abandon", "cancelRead"] as const) this.#env.handle({ type, upstream, seq });
    if (this.#lines.size > 0) return;
    clearInterval(this.#beats);
    this.#beats = undefined;
  }

  /** @returns false if the message is not for a line */
  post(message: FromThread): boolean {
    const id = "seq" in message ? lineOf(message.seq) : 0;
    if (id === 0) return false;
    const line = this.#lines.get(id);
    if (!line) return true;
    if (line.slips.putReply(message)) {
      ring(line.words);
      return true;
    }
    // One request at a time: nothing else is on its way to this caller.
    line.outbox.push(message, true);
    line.outbox.flush();
    return true;
  }

  #beat(): void {
    for (const { words } of this.#lines.values()) Atomics.add(words, Word.beat, 1);
  }
}

/** The slip of a request, as the port would have brought it. */
function batchOf(slips: LineSlips, seq: number): MessageBatch<RowToThread> | undefined {
  const slip = slips.takeRequest(seq);
  if (!slip) return undefined;
  const row: RowToThread[number][] = [];
  packSlip(slip.request, row, []);
  return { at: slip.at, row };
}
