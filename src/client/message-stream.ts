/** A stream of messages by HTTP, which is resumed at its cursor when it is cut. */

import type { ReplyState } from "../core/messages/upstream-requests.ts";
import { type ErrorCode, SidesocketError } from "../errors.ts";
import type { ReadSelection, UpstreamMessage } from "../sidecar/upstream-message.ts";
import { pause } from "./pause.ts";
import { failureOf, lost, type RemoteService } from "./remote-service.ts";

/** The service sends white space every 15 s: without any for so long, the stream is dead, whatever the socket says. */
const SILENT_MS = 40_000;
/** The pauses before a cut stream is tried again, in milliseconds: at random up to twice as much each time. */
const RESUME_FROM_MS = 50;
const RESUME_TO_MS = 2_000;

export interface MessageStreamOptions extends ReadSelection {
  /** The path of the messages. */
  readonly path: string;
  /** Ends the iteration. */
  readonly signal: AbortSignal;
  /** The time for which a cut stream is tried again, in milliseconds. */
  readonly resumeMs: number;
}

/** @throws SidesocketError `service_lost` if the stream could not be resumed in time, and what the service reports */
export async function* streamMessages(
  service: RemoteService,
  { path, where = {}, has = [], after = "earliest", signal, resumeMs }: MessageStreamOptions,
): AsyncGenerator<UpstreamMessage, void> {
  const values = Object.entries(where).map(([at, value]) => `${at}=${value}`);
  const rules = [...values, ...has].map((rule) => `&where=${encodeURIComponent(rule)}`);
  let place = after;
  let begun = false;
  let cutAt: number | undefined;
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      // The place of `latest` must be known before the first cut: messages that came meanwhile would be missed.
      if (place === "latest") place = await newest(service, path, signal);
      for await (const line of lines(service, `${path}?after=${encodeURIComponent(place)}${rules.join("")}`, signal)) {
        const item = parse(line);
        begun = true;
        cutAt = undefined;
        tries = 0;
        if ("end" in item) {
          if (item.end === undefined) return;
          throw item.end;
        }
        place = item.cursor;
        yield item;
      }
      if (signal.aborted) return;
      throw lost("the stream of messages was cut", "no");
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SidesocketError)) throw error;
      if (error.code === "shutting_down") return;
      const passes = error.code === "service_lost" || (begun && error.retry !== "never");
      cutAt ??= performance.now();
      if (!passes || performance.now() - cutAt >= resumeMs) throw error;
      await pause(Math.random() * Math.min(RESUME_TO_MS, RESUME_FROM_MS * 2 ** Math.min(tries, 10)), signal);
    }
  }
}

async function newest(service: RemoteService, path: string, signal: AbortSignal): Promise<string> {
  const call = { method: "GET", path: `${path}?after=latest`, waitMs: 0, signal } as const;
  return await service.call(call, async (response) => {
    if (!response.ok) throw await failureOf(response);
    return ((await response.json()) as { readonly next: string }).next;
  });
}

/** The lines of a stream; those of white space keep it alive. */
async function* lines(service: RemoteService, path: string, signal: AbortSignal): AsyncGenerator<string, void> {
  const ending = new AbortController();
  const leave = () => ending.abort();
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const headers = { accept: "application/x-ndjson" };
    const body = await service.stream({ method: "GET", path, headers, waitMs: 0 }, ending);
    const reader = body.getReader();
    // A `fetch` of the caller's own may know nothing of the signal.
    const cancel = () => void reader.cancel().catch(() => {});
    ending.signal.addEventListener("abort", cancel);
    if (ending.signal.aborted) cancel();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(leave, SILENT_MS);
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      // A reader who takes its time is no silent service.
      clearTimeout(timer);
      for (const part of parts) if (part.trim() !== "") yield part.trim();
    }
  } catch (error) {
    if (error instanceof SidesocketError) throw error;
    throw lost(String((error as Error).message ?? error), "no", error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
    ending.abort();
  }
}

type GapBody = Extract<UpstreamMessage, { gap: unknown }>["gap"];

interface StreamLine {
  readonly cursor: string;
  readonly at: string;
  readonly data?: unknown;
  readonly encoding?: "base64";
  readonly reply?: ReplyState;
  readonly gap?: Omit<GapBody, "from" | "to"> & { readonly from?: string; readonly to?: string };
  readonly end?: { readonly next: string; readonly reason: string; readonly detail?: string };
}

/** The line of a message, or the end of the stream: with an error, unless the service ended it in order. */
type Item = UpstreamMessage | { readonly end: SidesocketError | undefined };

function parse(line: string): Item {
  const { cursor, at: time, data, encoding, gap, end, reply } = parsed(line);
  if (end) {
    if (end.reason === "shutting_down" || end.reason === "gone") return { end: undefined };
    const failure = { code: end.reason as ErrorCode, sent: "no", detail: end.detail ?? end.reason } as const;
    return { end: new SidesocketError(failure) };
  }
  const head = { cursor, at: new Date(time) };
  if (gap) {
    const { from, to, ...rest } = gap;
    const times = { ...(from && { from: Date.parse(from) }), ...(to && { to: Date.parse(to) }) };
    return { ...head, gap: { ...rest, ...times } };
  }
  const replied = reply === undefined ? {} : { reply };
  if (encoding === "base64") return { ...head, kind: "binary", data: bytesOf(data as string), ...replied };
  if (typeof data === "string") return { ...head, kind: "text", data, ...replied };
  // As the upstream wrote it: a parsed number beyond 2^53 would be another.
  const start = line.indexOf('"data":') + '"data":'.length;
  return { ...head, kind: "json", data: line.slice(start, -1), ...replied };
}

function parsed(line: string): StreamLine {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw lost("a line of its stream of messages is not JSON", "no", error);
  }
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
