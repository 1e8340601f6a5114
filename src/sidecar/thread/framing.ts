/** The framing of an upstream: messages that share a frame, end with a separator, or are compressed one by one. */

import { gunzipSync, inflateRawSync, inflateSync, type ZlibOptions } from "node:zlib";
import { concatenated } from "../../protocols/bytes.ts";
import type { FrameOptions } from "../../protocols/frames.ts";
import { inKindOf, mayBeStructure, readFrame, textOf } from "../../protocols/json-message.ts";
import { elements, kindOf } from "../../protocols/json-text.ts";
import { bodyOf, LargeText, type Received } from "../../protocols/large-text.ts";
import { knowing, LARGE_TEXT, outlineInSteps } from "../../protocols/outline.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { Reads } from "../../protocols/reads.ts";
import { type Skeleton, skeletonInSteps } from "../../protocols/skeleton.ts";

/** A frame that could not be taken apart. */
export interface Unreadable {
  readonly why: string;
}

/** Takes large replies by their skeletons. */
export interface LargeReplies {
  readonly reads: NonNullable<Reads>;
  /** @returns false if the text is not the reply to a request that takes bytes; then nothing has changed */
  take(skeleton: Skeleton): boolean;
}

/** The most messages in one frame: each takes its turn on the thread that everything else waits for. */
export const MAX_PIECES = 10_000;

const nothing: FrameOptions = {};

/**
 * Takes frames apart before anything else looks at them, so that each message is a frame of its own everywhere; and
 * ends what goes out. Keeps no state: a frame holds whole messages.
 */
export class Framing {
  readonly #options: FrameOptions;
  readonly #isJson: boolean;
  #maxBytes: number;

  /** @param maxBytes `limits.reply_bytes`, which bounds inflated frames as well */
  constructor(options: FrameOptions | undefined, accepts: Protocol["accepts"], maxBytes: number) {
    this.#options = options ?? nothing;
    this.#isJson = accepts === "json";
    this.#maxBytes = maxBytes;
  }

  reconfigure(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** True if `handle` would just hand on this frame. Nearly every frame is such a one. */
  isPlain(frame: Received): frame is Body {
    if (frame instanceof LargeText) return false;
    if (this.isBytes(frame)) return true;
    return typeof frame === "string" && this.#options.split === undefined && !this.#isLarge(frame);
  }

  /**
   * Hands on the messages of a frame, each in a form in which JSON is text. Yields where other work may go on, and
   * while a large message is handed on, its outline is known.
   * @param large takes what it can without its text
   * @returns the reason if the frame could not be taken apart; then nothing was handed on
   */
  *handle(
    received: Received,
    handOn: (message: Body) => void,
    large?: LargeReplies,
  ): Generator<undefined, Unreadable | undefined> {
    if (large && received instanceof LargeText && this.#options.split === undefined) {
      const skeleton = yield* skeletonInSteps(received.bytes, large.reads);
      if (skeleton !== undefined && large.take(skeleton)) return undefined;
    }
    const frame = bodyOf(received);
    if (this.isBytes(frame)) {
      handOn(frame);
      return undefined;
    }
    const inflated = this.#inflate(frame);
    if ("why" in inflated) return inflated;
    const pieces = yield* this.#split(inflated.body);
    if (pieces.length > MAX_PIECES) return { why: `the frame holds more than ${MAX_PIECES} messages` };
    for (const piece of pieces) yield* this.#handOn(piece, handOn);
    return undefined;
  }

  /** In a protocol of JSON, bytes that hold JSON are its text: the opcode says nothing about the content. */
  *#handOn(piece: Body, handOn: (message: Body) => void): Generator<undefined, void> {
    const text = this.#isJson ? textOf(piece) : typeof piece === "string" ? piece : undefined;
    if (text === undefined) handOn(piece);
    else if (this.#isLarge(text)) {
      // Turns of their own: making text of a large frame takes long, and so does what becomes of its message.
      yield;
      const outline = yield* outlineInSteps(text);
      yield;
      if (typeof piece !== "string" && "why" in outline.root) handOn(piece);
      else knowing(outline, () => handOn(text));
    } else handOn(typeof piece === "string" || "why" in readFrame(text) ? piece : text);
  }

  /** True for a binary frame that the settings declare to be no message of text. */
  isBytes(frame: Body): boolean {
    return typeof frame !== "string" && this.#options.binary !== undefined;
  }

  #isLarge(text: string): boolean {
    return text.length > LARGE_TEXT && (this.#isJson || mayBeStructure(text));
  }

  /** Ends a frame that goes out with the separator, unless it has it already. */
  end(frame: Body): Body {
    const { split } = this.#options;
    if (split === undefined || split === "array" || this.isBytes(frame)) return frame;
    if (typeof frame === "string") return frame.endsWith(split) ? frame : frame + split;
    return textOf(frame)?.endsWith(split) ? frame : concatenated([frame, split]);
  }

  #inflate(frame: Body): { readonly body: Body } | Unreadable {
    const { inflate } = this.#options;
    if (inflate === undefined || typeof frame === "string") return { body: frame };
    const method = methodOf(frame, inflate);
    if (!method) return { body: frame };
    try {
      const bytes = method(frame, { maxOutputLength: this.#maxBytes });
      return { body: textOf(bytes) ?? bytes };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ERR_BUFFER_TOO_LARGE") return { why: `the frame cannot be inflated (${code ?? "unknown reason"})` };
      return { why: `the frame inflates to more than limits.reply_bytes (${this.#maxBytes} bytes)` };
    }
  }

  *#split(frame: Body): Generator<undefined, readonly Body[]> {
    const { split } = this.#options;
    if (split === undefined) return [frame];
    if (split === "array") {
      const array = textOf(frame);
      if (array === undefined || !this.#isLarge(array)) return elementsOf(frame);
      return knowing(yield* outlineInSteps(array), () => elementsOf(array));
    }
    const text = textOf(frame);
    if (text === undefined) return [frame];
    const pieces = piecesOf(text, split);
    return typeof frame === "string" ? pieces : pieces.map((piece) => inKindOf(frame, piece));
  }
}

/** The pieces between separators, without empty ones. The last one may lack its separator: a frame is whole. */
function piecesOf(text: string, separator: string): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length && pieces.length <= MAX_PIECES; ) {
    const found = text.indexOf(separator, at);
    const end = found < 0 ? text.length : found;
    if (end > at) pieces.push(text.slice(at, end));
    at = end + separator.length;
  }
  return pieces;
}

/** The elements of a JSON array, as they are written. Any other frame is one message. */
function elementsOf(frame: Body): readonly Body[] {
  const json = readFrame(frame);
  if ("why" in json || kindOf(json.text, json.root) !== "array") return [frame];
  const pieces: string[] = [];
  for (const { start, end } of elements(json.text, json.root)) {
    if (pieces.push(json.text.slice(start, end)) > MAX_PIECES) break;
  }
  return pieces;
}

const CM_DEFLATE = 8;

/** The inflater for a frame; undefined if the frame is left as it is. */
function methodOf(frame: Uint8Array, inflate: NonNullable<FrameOptions["inflate"]>) {
  const [first = 0, second = 0] = frame;
  const isZlib = (first & 0x0f) === CM_DEFLATE && ((first << 8) | second) % 31 === 0;
  if (inflate === "deflate") return isZlib ? inflateEither : inflateRawSync;
  if (inflate === "gzip" || (first === 0x1f && second === 0x8b)) return gunzipSync;
  return isZlib ? inflateSync : undefined;
}

/** Raw deflate may by chance begin as zlib does. */
function inflateEither(frame: Uint8Array, options: ZlibOptions): Uint8Array {
  try {
    return inflateSync(frame, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "Z_DATA_ERROR") throw error;
    return inflateRawSync(frame, options);
  }
}
