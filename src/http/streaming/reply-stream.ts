/** Stream of a reply in several frames, each passed on as it arrives: as a line or as an event. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { cutShort } from "../../core/exchange/failures.ts";
import { type Outcome, type Replied, type StreamKind, weightOf } from "../../core/outcome.ts";
import type { Budget } from "../../core/util/budget.ts";
import { type Failure, refused } from "../../errors.ts";
import { base64Of, concatenated } from "../../protocols/bytes.ts";
import { isJsonTo, textOf } from "../../protocols/json-message.ts";
import { LARGE_TEXT } from "../../protocols/outline.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import type { OpenStream, StreamReader } from "../../sidecar/host/streamed-replies.ts";
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

export interface ReplyStreamFormat {
  readonly mediaType: string;
  readonly kind: StreamKind;
  /** A frame as it is written. `isJson`: the verdict of `judge`, if that has one. */
  frame(frame: Body, isJson?: boolean): Body;
  /** Finds out whether a large frame is JSON; undefined if that need not be known, or is soon seen. */
  judge?(frame: Body): Promise<boolean> | undefined;
  /** The text before the first frame. */
  readonly start?: string;
  /**
   * Decides, with each frame, if the response begins: false for a frame that may be the whole reply, and a failure to
   * end the request with. Without it, the response begins with the first frame.
   */
  opens?(frame: Body): boolean | Failure;
  /** Responds to a reply that ended before a frame opened the response. */
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
  frame: (frame) => frame,
  end: "",
  beat: undefined,
};

function events(takes: ProtocolTraits["accepts"], isText: boolean): ReplyStreamFormat {
  return {
    kind: "stream",
    mediaType: `${EVENTS_TYPE}; charset=utf-8`,
    frame(frame) {
      const text = streamedText(frame, isText);
      return text === undefined
        ? event("binary", undefined, base64Of(frame as Uint8Array))
        : event("message", undefined, isEscaped(takes, text) ? escapeSeparators(text) : text);
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
    frame(frame, isJson) {
      const text = streamedText(frame, isText);
      if (text === undefined) return `{"encoding":"base64","data":"${base64Of(frame as Uint8Array)}"}\n`;
      return `${(isJson ?? isJsonTo(takes, text)) ? oneLine(text) : jsonText(text)}\n`;
    },
    judge(frame) {
      const text = frame.length > LARGE_TEXT ? streamedText(frame, isText) : undefined;
      return text === undefined ? undefined : isJsonInTurns(takes, text);
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

/** Buffers frames between the upstream and a caller that reads at its own pace. */
class ReplyStream implements StreamReader {
  source: OpenStream | undefined;
  /** Called when nobody reads any more. */
  onLeave: (() => void) | undefined;
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
  /** The verdict on the first frame that waits, if it needs one; undefined in it while that is found out. */
  #judged: { isJson: boolean | undefined } | undefined;
  #outcome: Outcome | undefined;

  constructor(
    format: ReplyStreamFormat,
    budget: Budget,
    describe: (failure: FailedOutcome["failure"]) => ProblemDocument,
    onBegin: (outcome?: Outcome) => void,
  ) {
    this.#format = format;
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
    const paced = new PacedResponse(source, c.get("record").budget);
    this.#response = paced;
    const response = paced.respond(c, headers);
    this.#pump();
    return response;
  }

  begin(): void {
    this.#advance(undefined);
  }

  part(body: Body): void {
    this.#waiting.push(body);
    const opens = this.#onBegin ? (this.#format.opens?.(body) ?? true) : true;
    if (typeof opens === "object") this.end({ type: "failed", failure: opens });
    else if (opens) this.#advance(undefined);
  }

  end(outcome: Outcome): void {
    this.#outcome = outcome;
    // The last frame of a reply of bytes says no more than that it has ended.
    if (outcome.type === "reply" && this.#format.kind === "stream") {
      const { body, isText } = outcome;
      this.#waiting.push(isText ? (textOf(body) ?? body) : body);
    }
    // More frames came than may wait: drop them, since the caller was not reading.
    if (outcome.type === "failed" && outcome.failure.code === "invalid_reply") this.#waiting = [];
    this.#count();
    this.#advance(outcome);
    if (!this.#response) this.leave();
  }

  /** Drops all frames: nobody reads any more. */
  leave(): void {
    this.#response = undefined;
    this.#waiting = [];
    this.#count();
    this.source?.leave();
    this.onLeave?.();
    this.onLeave = undefined;
  }

  #count(): void {
    const waiting = this.#outcome ? this.#waiting.reduce((total, frame) => total + weightOf(frame), 0) : 0;
    this.#budget.take("answers", waiting - this.#counted);
    this.#counted = waiting;
  }

  /** Begins the response if it has not begun, else continues it. */
  #advance(outcome: Outcome | undefined): void {
    const onBegin = this.#onBegin;
    this.#onBegin = undefined;
    if (onBegin) onBegin(outcome);
    else this.#pump();
  }

  /** Writes as much as the reader has room for. */
  #pump(): void {
    const paced = this.#response;
    if (!paced) return;
    const { room } = paced;
    const pieces: Body[] = this.#start === "" ? [] : [this.#start];
    this.#start = "";
    let read = 0;
    for (let size = 0; read < this.#waiting.length && size < room; read++) {
      const frame = this.#waiting[read] as Body;
      if (this.#isBeingJudged(frame)) break;
      const piece = this.#format.frame(frame, this.#judged?.isJson);
      this.#judged = undefined;
      pieces.push(piece);
      size += piece.length;
    }
    const written = joined(pieces);
    if (read > 0) this.source?.taken(this.#waiting.splice(0, read));
    if (read > 0 && this.#counted > 0) this.#count();
    if (this.#waiting.length > 0 || !this.#outcome) {
      paced.write(written);
      return;
    }
    const last = this.#last(this.#outcome);
    this.leave();
    paced.end(joined([written, last ?? ""]), last !== undefined);
  }

  /** True if a frame is large, and whether it is JSON is not known yet: then the stream goes on once it is. */
  #isBeingJudged(frame: Body): boolean {
    if (this.#judged) return this.#judged.isJson === undefined;
    const verdict = this.#format.judge?.(frame);
    if (!verdict) return false;
    const judged: { isJson: boolean | undefined } = { isJson: undefined };
    this.#judged = judged;
    const go = (isJson: boolean) => {
      judged.isJson = isJson;
      this.#pump();
    };
    verdict.then(go, () => go(false));
    return true;
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

function joined(pieces: readonly Body[]): Body {
  return pieces.every((piece) => typeof piece === "string") ? pieces.join("") : concatenated(pieces);
}
