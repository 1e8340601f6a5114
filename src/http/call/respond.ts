/** Responses to messages on the routes under `/v1`, by outcome. */

import type { Context } from "hono";
import { type Replied, repeatableFailure } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import { isJsonTo, mayBeStructure, type ReadFrame, readFrame, textOf } from "../../protocols/json-message.ts";
import type { Pointer } from "../../protocols/json-place.ts";
import { knowing, LARGE_TEXT, outlineInSteps } from "../../protocols/outline.ts";
import { parseCallersPointer, pickInSteps } from "../../protocols/pick.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import { inTurns } from "../../sidecar/turns.ts";
import type { Env } from "../env.ts";
import type { UpstreamPort } from "../ports.ts";
import { problem, type ResponseHeaders } from "../problem.ts";
import { rpcBatch } from "../rpc-error.ts";
import { wholeResponse } from "../whole-response.ts";
import type { CallResult } from "./call.ts";

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";

/** The pointer in `?pick`, if any. @throws SidesocketError if it is not a JSON pointer */
export function readPick(c: Context<Env>): Pointer | undefined {
  const given = c.req.url.includes("?") ? c.req.query("pick") : undefined;
  if (given === undefined) return undefined;
  try {
    return parseCallersPointer(given);
  } catch (error) {
    throw refused("invalid_request", `pick: ${(error as Error).message}`);
  }
}

/** Refuses a batch: its items may fail apart, and one picked value could not report that. */
export function demandOneReply(body: Body, { batches }: ProtocolTraits): Body {
  if (batches && typeof body === "string" && /^\s*\[/.test(body)) {
    throw refused("invalid_request", "pick needs exactly one reply: send the messages of the batch one by one");
  }
  return body;
}

/** @param pointer if given, respond with the value there as bare text instead of the whole reply */
export function respond(
  c: Context<Env>,
  { outcome, upstream, headers }: CallResult,
  pointer: Pointer | undefined,
): Response | Promise<Response> {
  switch (outcome.type) {
    case "reply":
      return pointer
        ? pickedResponse(c, upstream, outcome, headers, pointer)
        : replyResponse(c, upstream, outcome, headers);
    case "batch": {
      const failure = repeatableFailure(outcome);
      return failure ? problem(c, failure, upstream, headers) : rpcBatch(c, upstream, outcome, headers);
    }
    case "done":
      return c.body(null, 204, headers);
    case "failed":
      return problem(c, outcome.failure, upstream, headers);
  }
}

async function pickedResponse(
  c: Context<Env>,
  upstream: UpstreamPort,
  reply: Replied,
  headers: ResponseHeaders,
  pointer: Pointer,
): Promise<Response> {
  const value = await inTurns(pickInSteps(reply.body, pointer));
  if ("why" in value) {
    return problem(c, { code: "invalid_reply", sent: "yes", detail: `pick: ${value.why}` }, upstream, headers);
  }
  return wholeResponse(c, value.text, {
    ...headers,
    "Content-Type": TEXT_TYPE,
    "Server-Timing": serverTiming(c, reply),
  });
}

/** Responds with the frame's bytes unchanged, in its media type. @param headers completed in place: a copy costs 1 % */
export function replyResponse(
  c: Context<Env>,
  upstream: UpstreamPort,
  reply: Replied,
  headers: Record<string, string>,
): Response | Promise<Response> {
  const accepts = upstream.protocol?.accepts ?? "any";
  const respondAs = (type: string): Response => {
    headers["Content-Type"] = type;
    headers["Server-Timing"] = serverTiming(c, reply);
    return wholeResponse(c, reply.body, headers);
  };
  const { body, isText } = reply;
  if (typeof body !== "string" && !isText) return respondAs("application/octet-stream");
  if (accepts === "json") return respondAs(JSON_TYPE);
  if (body.length <= LARGE_TEXT) return respondAs(isJsonTo(accepts, textOf(body) ?? "") ? JSON_TYPE : TEXT_TYPE);
  return isJsonInTurns(accepts, textOf(body) ?? "").then((isJson) => respondAs(isJson ? JSON_TYPE : TEXT_TYPE));
}

/** Does in turns what `isJsonTo` does at once. */
export async function isJsonInTurns(accepts: "json" | "any", text: string): Promise<boolean> {
  if (accepts === "any" && !mayBeStructure(text)) return false;
  const { root } = await inTurns(outlineInSteps(text));
  return !("why" in root);
}

/** Reads an upstream's frame by `read`; a large one in turns, so that others are served meanwhile. */
export function readInTurns<Result>(frame: Body, read: (json: ReadFrame) => Result): Result | Promise<Result> {
  const text = frame.length > LARGE_TEXT ? textOf(frame) : undefined;
  if (text === undefined) return read(readFrame(frame));
  return inTurns(outlineInSteps(text)).then((outline) => knowing(outline, () => read(readFrame(text))));
}

/**
 * Milliseconds until the message was handed to the socket, from then until its reply, and in total. Notes the reply as
 * the one that the response carries.
 */
export function serverTiming(c: Context<Env>, reply: Replied): string {
  const record = c.get("record");
  record.reply = reply;
  const { queueMs, upstreamMs } = reply;
  const total = performance.now() - record.began;
  return `queue;dur=${inTenths(queueMs)}, upstream;dur=${inTenths(upstreamMs)}, total;dur=${inTenths(total)}`;
}

/** A duration with one decimal. Not by `toFixed`, which costs twice as much, three times a request. */
function inTenths(ms: number): string {
  const tenths = Math.round(ms * 10);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}
