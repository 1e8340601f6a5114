/** Requests to addresses and their answers, in chunks, over the bus of NATS. */

import { TransientMap } from "../core/util/transient.ts";
import { type Chunk, ChunkReader, ChunkWriter, type Kind, readChunk } from "./chunks.ts";
import { type AskEvents, EngineError, type OpenAsk, type TakeRequest } from "./engine.ts";
import { isNobody, type NatsLink } from "./nats-link.ts";

/** How long a request may be incomplete: its chunks are sent one right after the other. */
const PARTIAL_MS = 10_000;
/** All requests that are incomplete may hold this many times the bytes of the longest. */
const PARTIALS = 4;

/** A request that is being taken in or answered here. */
interface OpenAnswer {
  readonly reader: ChunkReader;
  readonly writer: ChunkWriter;
  bytes: number;
  /** Ends a request that stays incomplete. */
  timer: ReturnType<typeof setTimeout> | undefined;
  taken: ReturnType<TakeRequest> | undefined;
}

export interface AskLimits {
  readonly cluster: string;
  readonly messageBytes: number;
}

export class NatsAsks {
  readonly #link: NatsLink;
  readonly #limits: AskLimits;
  /** Functions that give up each address that is answered at, and whoever waits there. */
  readonly #answering = new Set<() => void>();
  /** Bytes of incomplete requests. */
  #partialBytes = 0;

  constructor(link: NatsLink, limits: AskLimits) {
    this.#link = link;
    this.#limits = limits;
  }

  ask(address: string, request: Uint8Array, on: AskEvents): OpenAsk {
    this.#checkLength(request);
    const subject = requestSubject(this.#limits.cluster, address);
    const reader = new ChunkReader(this.#limits.messageBytes);
    const writer = new ChunkWriter();
    let isOpen = true;
    const close = () => {
      isOpen = false;
      inbox.close();
    };
    const finish = (how: "nobody" | "lost") => {
      if (!isOpen) return;
      close();
      on[how]();
    };
    const inbox = this.#link.openInbox(subject, (message, isFollowUp) => {
      if (isNobody(message)) return finish(isFollowUp ? "lost" : "nobody");
      const chunk = readChunk(message.data);
      if (chunk?.kind === "nobody") return finish("nobody");
      const read = chunk ? reader.read(chunk) : "lost";
      if (read === undefined) return;
      if (read === "lost" || read.kind === "lost") return finish("lost");
      if (read.kind === "last") close();
      on.answer(read.message, read.kind === "last");
    });
    const send = (kind: "whole" | "end", message: Uint8Array | undefined, reply: string) => {
      for (const chunk of writer.write(kind, message)) this.#link.publish(subject, chunk, { reply });
    };
    if (this.#link.isThere) send("whole", request, inbox.reply);
    else queueMicrotask(() => this.#link.guard(() => finish("nobody")));
    return {
      more: (message) => {
        this.#checkLength(message);
        if (isOpen) send("whole", message, inbox.followUp);
      },
      end: () => {
        if (isOpen) send("end", undefined, inbox.followUp);
        close();
      },
    };
  }

  answer(address: string, take: TakeRequest): () => void {
    const exchanges = new TransientMap<string, OpenAnswer>();
    let isTaking = true;
    const unsubscribe = this.#link.subscribe(requestSubject(this.#limits.cluster, address), ({ reply = "", data }) => {
      const chunk = readChunk(data);
      if (!chunk || reply === "") return;
      const to = baseOf(reply);
      const exchange = exchanges.get(to) ?? begin(to, chunk);
      if (exchange) this.#takeChunk(to, exchange, chunk, { take, exchanges, settle });
    });
    const begin = (to: string, { index, kind }: Chunk): OpenAnswer | undefined => {
      if (index === 0 && isTaking) {
        const reader = new ChunkReader(this.#limits.messageBytes);
        const exchange = { reader, writer: new ChunkWriter(), bytes: 0, timer: undefined, taken: undefined };
        exchanges.set(to, exchange);
        return exchange;
      }
      // Of a request whose beginning is missing, the asker must know; one that has left does not ask.
      if (kind !== "end") this.#send(to, new ChunkWriter(), index === 0 ? "nobody" : "lost");
      return undefined;
    };
    /** Goes on listening for what belongs to open exchanges. */
    const settle = () => {
      if (isTaking || exchanges.size > 0) return;
      this.#answering.delete(giveUp);
      unsubscribe();
    };
    const stop = () => {
      isTaking = false;
      settle();
    };
    const giveUp = () => {
      stop();
      for (const [to, exchange] of exchanges) this.#drop(to, exchange, { take, exchanges, settle });
    };
    this.#answering.add(giveUp);
    return stop;
  }

  /** Gives up all that is being answered: whoever waits learns that nobody will. */
  end(): void {
    for (const giveUp of this.#answering) giveUp();
  }

  #takeChunk(to: string, exchange: OpenAnswer, chunk: Chunk, at: TakenAddress): void {
    const read = this.#isRoomFor(exchange, chunk) ? exchange.reader.read(chunk) : "lost";
    if (read === undefined) {
      exchange.timer ??= setTimeout(() => this.#drop(to, exchange, at), PARTIAL_MS);
      return;
    }
    this.#forgetPartial(exchange);
    if (read === "lost") this.#drop(to, exchange, at);
    else if (read.kind === "end") this.#close(to, exchange, at);
    else if (exchange.taken) exchange.taken.more(read.message);
    else this.#takeRequest(to, exchange, read.message, at);
  }

  #takeRequest(to: string, exchange: OpenAnswer, request: Uint8Array, at: TakenAddress): void {
    const send = (answer: Uint8Array, isLast: boolean) => {
      this.#checkLength(answer);
      if (at.exchanges.get(to) !== exchange) return;
      if (isLast) at.exchanges.delete(to);
      this.#send(to, exchange.writer, isLast ? "last" : "whole", answer);
      at.settle();
    };
    try {
      exchange.taken = at.take(request, send);
    } catch (error) {
      this.#drop(to, exchange, at);
      throw error;
    }
  }

  #isRoomFor(exchange: OpenAnswer, { kind, data }: Chunk): boolean {
    if (kind !== "part") return true;
    this.#partialBytes += data.length;
    exchange.bytes += data.length;
    return this.#partialBytes <= PARTIALS * this.#limits.messageBytes;
  }

  #close(to: string, exchange: OpenAnswer, { exchanges, settle }: TakenAddress): void {
    exchanges.delete(to);
    settle();
    exchange.taken?.end();
  }

  /** Ends an exchange of which something is missing; both sides are told. */
  #drop(to: string, exchange: OpenAnswer, at: TakenAddress): void {
    this.#forgetPartial(exchange);
    this.#send(to, exchange.writer, "lost");
    this.#link.guard(() => this.#close(to, exchange, at));
  }

  #forgetPartial(exchange: OpenAnswer): void {
    clearTimeout(exchange.timer);
    exchange.timer = undefined;
    this.#partialBytes -= exchange.bytes;
    exchange.bytes = 0;
  }

  #send(to: string, writer: ChunkWriter, kind: Exclude<Kind, "part">, message?: Uint8Array): void {
    for (const chunk of writer.write(kind, message)) this.#link.publish(to, chunk);
  }

  #checkLength({ length }: Uint8Array): void {
    const { messageBytes } = this.#limits;
    if (length <= messageBytes) return;
    throw new EngineError(`${length} bytes are more than the ${messageBytes} of a message`, { mayBeDone: false });
  }
}

/** The requests at one address. */
interface TakenAddress {
  readonly take: TakeRequest;
  /** Open ones by their reply subject. */
  readonly exchanges: TransientMap<string, OpenAnswer>;
  settle(): void;
}

export function requestSubject(cluster: string, address: string): string {
  return `ss.${cluster}.req.${address}`;
}

/** The reply subject of the request; what follows it has one of its own, so that the asker can tell a 503 apart. */
function baseOf(reply: string): string {
  return reply.endsWith(".m") ? reply.slice(0, -2) : reply;
}
