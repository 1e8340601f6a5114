import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { Outcome } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import { isJson, textOf } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import type { OpenStream, StreamReader } from "../../sidecar/host/streamed-replies.ts";
import type { PreparedRequest } from "../call/call.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { readKey } from "../call/detached.ts";
import { upstreamOf } from "../call/find-upstream.ts";
import { callHeaders } from "../call/headers.ts";
import type { Env } from "../ports.ts";
import { problem, problemDocument, type ResponseHeaders } from "../problem.ts";
import { PacedResponse } from "./paced-response.ts";
import { base64, event, oneLine } from "./render.ts";

/** A reply of several frames, each handed on as it comes: as a line, or as an event. */

export interface ReplyStreamFormat {
  readonly mediaType: string;
  /** What stands for a frame. */
  frame(frame: Body): string;
  /** What stands behind the last one. */
  readonly end: string;
  /** What stands there instead, when it failed: the problem document is told. */
  error(document: object): string;
  /** Says that nothing is wrong, in a time without frames. */
  readonly beat?: string;
}

/** A comment: no client is told of it. */
export const BEAT = ": nothing new\n\n";

const EVENTS_TYPE = "text/event-stream";
const LINES_TYPE = "application/x-ndjson";

/** The form that the caller accepts; undefined for one reply, as it is where a reply has but one frame. */
export function formOf(c: Context<Env>, { streams, accepts: takes }: ProtocolTraits): ReplyStreamFormat | undefined {
  if (!streams) return undefined;
  const type = accepts(c, {
    header: "Accept",
    supports: ["application/json", EVENTS_TYPE, LINES_TYPE],
    default: "application/json",
  });
  if (type === EVENTS_TYPE) return events(takes);
  return type === LINES_TYPE ? lines(takes) : undefined;
}

function events(takes: ProtocolTraits["accepts"]): ReplyStreamFormat {
  return {
    mediaType: `${EVENTS_TYPE}; charset=utf-8`,
    frame(frame) {
      const text = readable(frame, takes);
      return text === undefined
        ? event("binary", undefined, base64(frame as Uint8Array))
        : event("message", undefined, text);
    },
    end: event("end", undefined, "{}"),
    error: errorEvent,
    beat: BEAT,
  };
}

export function errorEvent(document: object): string {
  return event("error", undefined, JSON.stringify(document));
}

function lines(takes: ProtocolTraits["accepts"]): ReplyStreamFormat {
  return {
    mediaType: `${LINES_TYPE}; charset=utf-8`,
    frame(frame) {
      const text = readable(frame, takes);
      if (text === undefined) return `{"encoding":"base64","data":"${base64(frame as Uint8Array)}"}\n`;
      return `${takes === "json" && isJson(text) ? oneLine(text) : JSON.stringify(text)}\n`;
    },
    end: "",
    error: (document) => `${JSON.stringify({ error: document })}\n`,
  };
}

/** Bytes are text where all is JSON, whatever frame they came in. */
function readable(frame: Body, takes: ProtocolTraits["accepts"]): string | undefined {
  return takes === "json" ? textOf(frame) : typeof frame === "string" ? frame : undefined;
}

/**
 * Sends the message up and answers with the frames of its reply. What fails before the first of them is an ordinary
 * problem; `timeoutMs` is for that one alone, and afterwards it goes on for as long as it is read. A message that
 * subscribes begins its answer earlier: once it is on a socket.
 */
export function streamReply(
  c: Context<Env>,
  { body, timeoutMs, applied }: PreparedRequest,
  form: ReplyStreamFormat,
): Promise<Response> {
  if (readKey(c) !== undefined) {
    throw refused("invalid_request", "a stream cannot be told again: leave out the Idempotency-Key");
  }
  const upstream = upstreamOf(c);
  const headers = callHeaders(c, { applied });
  const signal = leaveSignal(c);
  return new Promise((resolve) => {
    const failed = (outcome: Outcome & { type: "failed" }) => problem(c, outcome.failure, upstream, headers);
    const answer = (response: Response) => {
      signal.removeEventListener("abort", left);
      resolve(response);
    };
    const left = () => {
      frames.leave();
      answer(new Response(null, { status: 499 }));
    };
    const frames = new ReplyStream(
      form,
      (failure) => problemDocument(failure, upstream, c.get("requestId")),
      (outcome) => {
        if (outcome?.type === "failed") return answer(failed(outcome));
        if (outcome?.type === "done") return answer(c.body(null, 204, headers));
        const more = { "Content-Type": form.mediaType, "X-Accel-Buffering": "no" };
        answer(frames.respond(c, { ...headers, ...more }));
      },
    );
    const opened = upstream.stream({ body, timeoutMs }, frames);
    if ("code" in opened) return answer(failed({ type: "failed", failure: opened }));
    frames.source = opened;
    signal.addEventListener("abort", left, { once: true });
    if (signal.aborted) left();
  });
}

type FailedOutcome = Extract<Outcome, { type: "failed" }>;

/** Between the frames that come and a caller who reads them in its own time. */
class ReplyStream implements StreamReader {
  source: OpenStream | undefined;
  readonly #form: ReplyStreamFormat;
  readonly #describe: (failure: FailedOutcome["failure"]) => object;
  /** Told that there is something to answer with, or of the end that came before. */
  #begin: ((ended: Outcome | undefined) => void) | undefined;
  #response: PacedResponse | undefined;
  #waiting: Body[] = [];
  #outcome: Outcome | undefined;

  constructor(
    form: ReplyStreamFormat,
    describe: (failure: FailedOutcome["failure"]) => object,
    begin: (ended?: Outcome) => void,
  ) {
    this.#form = form;
    this.#describe = describe;
    this.#begin = begin;
  }

  respond(c: Context<Env>, headers: ResponseHeaders): Response {
    const { beat } = this.#form;
    const paced = new PacedResponse({ resume: () => this.#pump(), left: () => this.leave(), beat: () => beat });
    this.#response = paced;
    const response = paced.respond(c, headers);
    this.#pump();
    return response;
  }

  begin(): void {
    this.#told(undefined);
  }

  part(body: Body): void {
    this.#waiting.push(body);
    this.#told(undefined);
  }

  end(outcome: Outcome): void {
    this.#outcome = outcome;
    if (outcome.type === "reply") {
      const { body, isText } = outcome;
      this.#waiting.push(isText ? (textOf(body) ?? body) : body);
    }
    // More came than may wait: that is given up, for the caller would not read it anyway.
    if (outcome.type === "failed" && outcome.failure.code === "invalid_reply") this.#waiting = [];
    this.#told(outcome);
    if (!this.#response) this.leave();
  }

  /** Nobody reads any more. */
  leave(): void {
    this.#response = undefined;
    this.#waiting = [];
    this.source?.leave();
  }

  #told(ended: Outcome | undefined): void {
    const begin = this.#begin;
    this.#begin = undefined;
    if (begin) begin(ended);
    else this.#pump();
  }

  /** Gives as much as is wanted now. */
  #pump(): void {
    const paced = this.#response;
    if (!paced) return;
    const { room } = paced;
    let text = "";
    let read = 0;
    for (; read < this.#waiting.length && text.length < room; read++) {
      text += this.#form.frame(this.#waiting[read] as Body);
    }
    if (read > 0) this.source?.taken(this.#waiting.splice(0, read));
    if (this.#waiting.length > 0 || !this.#outcome) {
      paced.write(text);
      return;
    }
    const last = this.#last(this.#outcome);
    this.leave();
    paced.end(text + last);
  }

  #last(outcome: Outcome): string {
    const { end, error } = this.#form;
    return outcome.type === "failed" ? error(this.#describe(outcome.failure)) : end;
  }
}
