/** Stream of a reply in several frames, each passed on as it arrives: as a line or as an event. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { cutShort, notWhole } from "../../core/exchange/failures.ts";
import { type Outcome, type Replied, type StreamKind, weightOf } from "../../core/outcome.ts";
import type { Budget } from "../../core/util/budget.ts";
import { type Failure, refused } from "../../errors.ts";
import { base64Of, concatenated } from "../../protocols/bytes.ts";
import { isJsonTo, textOf } from "../../protocols/json-message.ts";
import { LARGE_TEXT } from "../../protocols/outline.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import type { OpenStream, StreamReader } from "../../sidecar/host/streamed-replies.ts";
import { PatientTimer } from "../../sidecar/patient-timer.ts";
import type { PreparedRequest } from "../call/call.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { readKey } from "../call/detached.ts";
import { upstreamOf } from "../call/find-upstream.ts";
import { callHeaders } from "../call/headers.ts";
import { isJsonInTurns, replyResponse } from "../call/respond.ts";
import { readIdle } from "../call/timeout.ts";
import { EndedHttpRequest } from "../ended-request.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { type ProblemDocument, problem, problemDocument, type ResponseHeaders } from "../problem.ts";
import { LINE_BEAT, PacedResponse, streamHeaders } from "./paced-response.ts";
import { escapeSeparators, event, jsonText, oneLine } from "./render.ts";

/** The outcome of reading a frame. */
export type FrameStep =
  /** It is written. `isLast`: it says itself that the reply is complete, so the response ends with it. */
  | { readonly text: Body; readonly isLast?: boolean }
  /** It may be all of the reply: it waits for the end, with what follows it. */
  | "whole"
  /** It ends the request. */
  | { readonly failure: Failure };

export interface ReplyStreamFormat {
  readonly mediaType: string;
  readonly kind: StreamKind;
  /** Reads a frame, once and in order; a large one in turns. */
  frame(frame: Body): FrameStep | Promise<FrameStep>;
  /** The text before the first frame. */
  readonly start?: string;
  /**
   * Responds to a reply that ended before the response began. With it, the response begins with the first frame that
   * is written; without it, with the first frame.
   */
  whole?(
    c: Context<Env>,
    frames: readonly Body[],
    reply: Replied,
    headers: ResponseHeaders,
  ): Response | Promise<Response>;
  /** The text after the last frame. */
  readonly end: string;
  /** The text in its place after a failure, from the problem document; without it, the response is cut. */
  error?(document: ProblemDocument): string;
  /** The heartbeat for times without frames; undefined if nothing may stand between them. */
  readonly beat: string | undefined;
}

/** A comment, which clients ignore. */
export const BEAT = ": nothing new\n\n";

const EVENTS_TYPE = "text/event-stream";
const LINES_TYPE = "application/x-ndjson";
const BYTES_TYPE = "application/octet-stream";

/** The format that the caller accepts; undefined for a single reply, as in protocols whose replies are one frame. */
export function streamFormatOf(
  c: Context<Env>,
  { streams, accepts: takes, bytes }: ProtocolTraits,
): ReplyStreamFormat | undefined {
  if (!streams) return undefined;
  const type = accepts(c, {
    header: "Accept",
    supports: ["application/json", EVENTS_TYPE, LINES_TYPE, ...(bytes ? [BYTES_TYPE] : [])],
    default: "application/json",
  });
  if (type === BYTES_TYPE) return RAW;
  const isText = takes === "json" && !bytes;
  if (type === EVENTS_TYPE) return events(takes, isText);
  return type === LINES_TYPE ? lines(takes, isText) : undefined;
}

/** The bytes of the reply alone. An error among them could not be told from them: it cuts the response. */
const RAW: ReplyStreamFormat = {
  kind: "bytes",
  mediaType: BYTES_TYPE,
  frame: (frame) => ({ text: frame }),
  end: "",
  beat: undefined,
};

function events(takes: ProtocolTraits["accepts"], isText: boolean): ReplyStreamFormat {
  return {
    kind: "stream",
    mediaType: `${EVENTS_TYPE}; charset=utf-8`,
    frame(frame) {
      const text = streamedText(frame, isText);
      if (text === undefined) return { text: event("binary", undefined, base64Of(frame as Uint8Array)) };
      return { text: event("message", undefined, isEscaped(takes, text) ? escapeSeparators(text) : text) };
    },
    end: event("end", undefined, "{}"),
    error: errorEvent,
    beat: BEAT,
  };
}

/** JSON may be escaped, text may not. Large text stays as it is: to see what it is would take too long at once. */
function isEscaped(takes: ProtocolTraits["accepts"], text: string): boolean {
  return takes === "json" || (text.length <= LARGE_TEXT && isJsonTo(takes, text));
}

export function errorEvent(document: object): string {
  return event("error", undefined, jsonText(document));
}

function lines(takes: ProtocolTraits["accepts"], isText: boolean): ReplyStreamFormat {
  return {
    kind: "stream",
    mediaType: `${LINES_TYPE}; charset=utf-8`,
    frame(frame) {
      const text = streamedText(frame, isText);
      if (text === undefined) return { text: `{"encoding":"base64","data":"${base64Of(frame as Uint8Array)}"}\n` };
      const line = (isJson: boolean) => ({ text: `${isJson ? oneLine(text) : jsonText(text)}\n` });
      return text.length > LARGE_TEXT ? isJsonInTurns(takes, text).then(line) : line(isJsonTo(takes, text));
    },
    end: "",
    error: (document) => `${jsonText({ error: document })}\n`,
    beat: LINE_BEAT,
  };
}

/** The text of a frame; undefined for bytes. `isText`: binary frames hold text, too, as JSON is. */
function streamedText(frame: Body, isText: boolean): string | undefined {
  return isText ? textOf(frame) : typeof frame === "string" ? frame : undefined;
}

/**
 * Sends the request and responds with the frames of its reply. A failure before the first frame is an ordinary problem;
 * `timeoutMs` bounds only the wait for that frame, and the stream then lasts as long as it is read and goes on. For a
 * message that subscribes the response begins earlier: once the message is on a socket.
 */
export function streamReply(
  c: Context<Env>,
  { quotas, telemetry }: Pick<AppParts, "quotas" | "telemetry">,
  { body, timeoutMs, applied, trace }: PreparedRequest,
  format: ReplyStreamFormat,
): Promise<Response> {
  if (readKey(c) !== undefined) {
    throw refused("invalid_request", "a stream cannot be replayed: leave out the Idempotency-Key");
  }
  const upstream = upstreamOf(c);
  const idleMs = readIdle(c, upstream.settings.limits.reply_pause);
  const headers = callHeaders(c, { applied });
  const signal = leaveSignal(c);
  const leave = quotas?.stream(upstream, callerOf(c).share);
  return new Promise((resolve) => {
    const failed = (outcome: Outcome & { type: "failed" }) => problem(c, outcome.failure, upstream, headers);
    const respond = (response: Response | Promise<Response>) => {
      signal.removeEventListener("abort", left);
      resolve(response);
    };
    const left = () => {
      frames.leave();
      respond(new Response(null, { status: 499 }));
    };
    const frames = new ReplyStream(
      format,
      timeoutMs,
      c.get("record").budget,
      (failure) => {
        telemetry.failed(new EndedHttpRequest(c, 200), failure);
        return problemDocument(failure, upstream, c.get("record").requestId);
      },
      (outcome) => {
        if (outcome?.type === "failed") return respond(failed(outcome));
        if (outcome?.type === "done") return respond(c.body(null, 204, headers));
        // No bytes came before the last frame, which is then all of the reply.
        if (outcome?.type === "reply" && format.kind === "bytes") {
          frames.leave();
          return respond(replyResponse(c, upstream, outcome, headers));
        }
        if (outcome?.type === "reply" && format.whole) {
          return respond(format.whole(c, frames.waiting, outcome, headers));
        }
        respond(frames.respond(c, streamHeaders(headers, format.mediaType)));
      },
    );
    frames.onLeave = leave;
    const opened = upstream.stream({ kind: format.kind, body, timeoutMs, idleMs, trace }, frames);
    if ("code" in opened) leave?.();
    if ("code" in opened) return respond(failed({ type: "failed", failure: opened }));
    frames.source = opened;
    signal.addEventListener("abort", left, { once: true });
    if (signal.aborted) left();
  });
}

type FailedOutcome = Extract<Outcome, { type: "failed" }>;

/** The time in which the upstream ends a request by itself whose reply is complete, in milliseconds. */
const LINGER_MS = 1_000;

/** Buffers frames between the upstream and a caller that reads at its own pace. */
class ReplyStream implements StreamReader {
  source: OpenStream | undefined;
  /** Called when nobody reads any more. */
  onLeave: (() => void) | undefined;
  readonly #began = performance.now();
  readonly #timeoutMs: number;
  readonly #budget: Budget;
  /** The frames that wait after the end: until then the thread counts them. */
  #counted = 0;
  readonly #format: ReplyStreamFormat;
  readonly #describe: (failure: FailedOutcome["failure"]) => ProblemDocument;
  /** Called once: when the response can begin, or with the outcome if that came first. */
  #onBegin: ((outcome: Outcome | undefined) => void) | undefined;
  #response: PacedResponse | undefined;
  #waiting: Body[] = [];
  /** The text before the first frame, until it is written. */
  #start: string;
  /** The first frame that waits, if it is read in turns; without a step until it is read. */
  #reading: { step?: FrameStep } | undefined;
  /** True if the frames that wait may be all of the reply. */
  #isWhole = false;
  /** Bounds the wait for the rest of a whole reply; after a last part, for the end of its request. */
  #timer: PatientTimer | undefined;
  #outcome: Outcome | undefined;

  constructor(
    format: ReplyStreamFormat,
    timeoutMs: number,
    budget: Budget,
    describe: (failure: FailedOutcome["failure"]) => ProblemDocument,
    onBegin: (outcome?: Outcome) => void,
  ) {
    this.#format = format;
    this.#timeoutMs = timeoutMs;
    this.#budget = budget;
    this.#describe = describe;
    this.#onBegin = onBegin;
    this.#start = format.start ?? "";
  }

  /** The frames that were not written. */
  get waiting(): readonly Body[] {
    return this.#waiting;
  }

  respond(c: Context<Env>, headers: ResponseHeaders): Response {
    const { beat } = this.#format;
    const source = { resume: () => this.#pump(), left: () => this.leave(), beat: () => beat };
    this.#response = new PacedResponse(source, c.get("record").budget);
    return this.#response.respond(c, headers);
  }

  begin(): void {
    this.#advance();
  }

  part(body: Body): void {
    if (this.#isOver) {
      this.leave();
      return;
    }
    this.#waiting.push(body);
    this.#advance();
  }

  end(outcome: Outcome): void {
    if (this.#isOver) {
      this.leave();
      return;
    }
    this.#outcome = outcome;
    // The last frame of a reply of bytes says no more than that it has ended.
    if (outcome.type === "reply" && this.#format.kind === "stream") {
      const { body, isText } = outcome;
      this.#waiting.push(isText ? (textOf(body) ?? body) : body);
    }
    // More frames came than may wait: drop them, since the caller was not reading.
    if (outcome.type === "failed" && outcome.failure.code === "invalid_reply") this.#waiting = [];
    this.#count();
    this.#advance();
  }

  /** Drops all frames: nobody reads any more. */
  leave(): void {
    this.#drop();
    this.#timer?.clear();
    this.source?.leave();
  }

  /** True once nobody reads any more. */
  get #isOver(): boolean {
    return this.#onBegin === undefined && this.#response === undefined;
  }

  #drop(): void {
    this.#onBegin = undefined;
    this.#response = undefined;
    this.#waiting = [];
    this.#count();
    this.onLeave?.();
    this.onLeave = undefined;
  }

  #count(): void {
    const waiting = this.#outcome ? this.#waiting.reduce((total, frame) => total + weightOf(frame), 0) : 0;
    this.#budget.take("answers", waiting - this.#counted);
    this.#counted = waiting;
  }

  /** Begins the response if it can begin, and continues it. */
  #advance(): void {
    if (this.#onBegin && !this.#format.whole) this.#begin(this.#outcome);
    this.#pump();
  }

  #begin(outcome?: Outcome): void {
    const onBegin = this.#onBegin;
    this.#onBegin = undefined;
    this.#timer?.clear();
    onBegin?.(outcome);
    if (!this.#response) this.leave();
  }

  /** Reads as much as the reader has room for, and writes it. */
  #pump(): void {
    if (this.#isOver) return;
    const pieces: Body[] = [];
    let read = 0;
    let size = 0;
    let isComplete = false;
    // Before the response there is room for what it begins with.
    while (!isComplete && !this.#isWhole && read < this.#waiting.length && size < (this.#response?.room ?? 1)) {
      const step = this.#read(this.#waiting[read] as Body);
      if (step === undefined) break;
      if (step === "whole") {
        this.#isWhole = true;
        this.#awaitEnd();
      } else if ("failure" in step) {
        this.#outcome = { type: "failed", failure: step.failure };
        this.#waiting = [];
      } else {
        if (this.#onBegin) this.#begin();
        if (!this.#response) return;
        pieces.push(step.text);
        size += step.text.length;
        read++;
        isComplete = step.isLast === true;
      }
    }
    if (read > 0) this.source?.taken(this.#waiting.splice(0, read));
    if (this.#counted > 0) this.#count();
    const isEnd = this.#outcome !== undefined && (this.#isWhole || this.#waiting.length === 0);
    if (isEnd && this.#onBegin) this.#begin(this.#outcome);
    const paced = this.#response;
    if (!paced) return;
    const written = joined(this.#start === "" ? pieces : [this.#start, ...pieces]);
    this.#start = "";
    if (isComplete) this.#finish(paced, written);
    else if (isEnd && this.#outcome) {
      const last = this.#last(this.#outcome);
      this.leave();
      paced.end(joined([written, last ?? ""]), last !== undefined);
    } else paced.write(written);
  }

  /** Reads the first frame that waits; undefined if that takes turns, after which the stream goes on. */
  #read(frame: Body): FrameStep | undefined {
    const { step } = this.#reading ?? {};
    if (step !== undefined) this.#reading = undefined;
    if (step !== undefined || this.#reading) return step;
    const found = this.#format.frame(frame);
    if (!(found instanceof Promise)) return found;
    const reading: { step?: FrameStep } = {};
    this.#reading = reading;
    const go = (step: FrameStep) => {
      reading.step = step;
      this.#pump();
    };
    found.then(go, () => go({ failure: unreadable }));
    return undefined;
  }

  /** A reply that may be whole has the deadline of one that is not streamed. */
  #awaitEnd(): void {
    const leftMs = Math.max(0, this.#began + this.#timeoutMs - performance.now());
    const failure = notWhole(this.#timeoutMs);
    this.#timer = new PatientTimer(() => this.end({ type: "failed", failure }), leftMs);
  }

  /** Ends the response to a reply that is complete. Its request may end by itself; else the upstream is notified. */
  #finish(paced: PacedResponse, written: Body): void {
    const hasEnded = this.#outcome !== undefined;
    this.#drop();
    if (hasEnded) this.leave();
    else {
      this.#timer = new PatientTimer(() => this.leave(), LINGER_MS);
      this.#timer.unref();
    }
    paced.end(joined([written, this.#format.end]));
  }

  /** The text after the last frame; undefined if the response must not seem to be whole. */
  #last(outcome: Outcome): string | undefined {
    const { end, error } = this.#format;
    const isCut = outcome.type === "reply" && outcome.isCut;
    const failure = outcome.type === "failed" ? outcome.failure : isCut ? cutShort : undefined;
    if (failure === undefined) return end;
    const document = this.#describe(failure);
    return error?.(document);
  }
}

const unreadable: Failure = { code: "internal_error", sent: "yes", detail: "a frame of the reply could not be read" };

function joined(pieces: readonly Body[]): Body {
  return pieces.every((piece) => typeof piece === "string") ? pieces.join("") : concatenated(pieces);
}
