/** Routes that send one message, with or without waiting for its reply. */

import { batchFailure, MAX_TIMEOUT_MS } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import { isBytes } from "../call/body.ts";
import { openedProtocol, prepare, send } from "../call/call.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { demandOneReply, readPick, respond } from "../call/respond.ts";
import { respondAsync } from "../call/respond-async.ts";
import { sendInFrames } from "../call/send-in-frames.ts";
import { readAsync, readIdle } from "../call/timeout.ts";
import type { AppParts } from "../ports.ts";
import { problem } from "../problem.ts";
import { header } from "../request-header.ts";
import { createRoute, type RoutedApp } from "../routing.ts";
import { streamFormatOf, streamReply } from "../streaming/reply-stream.ts";

const requestRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/request", query: ["timeout", "idle", "pick"] },
  ({
    anyMessage,
    CALL_FAILURES,
    CALL_HEADERS,
    failures,
    headers,
    idleParameter,
    jsonResponse,
    keyParameter,
    pendingSchema,
    pickParameter,
    replyContent,
    streamContent,
    upstreamParameter,
    waitParameters,
  }) => ({
    operationId: "request",
    tags: ["Requests"],
    summary: "Send one message and wait for its reply",
    parameters: [upstreamParameter, ...waitParameters, idleParameter, keyParameter, pickParameter],
    request: { body: anyMessage },
    responses: {
      200: {
        description:
          "The reply, in the media type of its frame; a reply of several frames may come as one line or event for each",
        headers: headers("Server-Timing", ...CALL_HEADERS),
        content: { ...replyContent, ...streamContent },
      },
      202: jsonResponse(
        "With `Prefer: respond-async`: the reply will be at `Location`",
        pendingSchema,
        "Location",
        "Retry-After",
        ...CALL_HEADERS,
      ),
      204: { description: "The message was sent, and has no reply", headers: headers(...CALL_HEADERS) },
      ...failures(...CALL_FAILURES),
    },
  }),
);

const sendRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/send", query: ["timeout", "idle", "confirm", "answered"] },
  ({
    anyMessage,
    bodyIdleParameter,
    CALL_FAILURES,
    CALL_HEADERS,
    failures,
    headers,
    keyParameter,
    upstreamParameter,
    waitParameters,
  }) => ({
    operationId: "send",
    tags: ["Requests"],
    summary: "Send one message without waiting for a reply",
    parameters: [
      upstreamParameter,
      {
        name: "confirm",
        in: "query",
        description: "`pong`: respond when the peer's pong proves that it has the message",
        schema: { type: "string", enum: ["pong"] },
      },
      {
        name: "answered",
        in: "query",
        description: "`no`: nothing answers the message, so that no request waits for a reply to it",
        schema: { type: "string", enum: ["no"] },
      },
      ...waitParameters,
      bodyIdleParameter,
      keyParameter,
    ],
    request: { body: anyMessage },
    responses: {
      204: {
        description: "Handed to the socket, which does not prove that it arrived; with `confirm` it did",
        headers: headers("Sidesocket-Sent", "Sidesocket-Frames", ...CALL_HEADERS),
      },
      ...failures(...CALL_FAILURES),
    },
  }),
);

export function requestRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);

  app.openapi(requestRoute, named, async (c) => {
    const pointer = readPick(c);
    const format = streamFormatOf(c, upstreamOf(c).protocol ?? (await openedProtocol(c)));
    if (format) {
      if (pointer) throw refused("invalid_request", "pick does not go with a stream: accept application/json");
      return streamReply(c, parts, await prepare(c, parts, "stream"), format);
    }
    if (readIdle(c, upstreamOf(c).settings.limits.reply_pause) !== undefined) {
      throw refused("invalid_request", "idle is for streams: accept application/x-ndjson or text/event-stream");
    }
    const waitS = readAsync(c);
    if (waitS !== undefined) return respondAsync(c, parts, waitS, pointer);
    // Not `call`: one async function less is 1 % of a request.
    const prepared = await prepare(c, parts, "request", pointer && demandOneReply);
    return respond(c, await send(c, parts, prepared), pointer);
  });

  app.openapi(sendRoute, named, async (c) => {
    const confirm = c.req.query("confirm");
    if (confirm !== undefined && confirm !== "pong") throw refused("invalid_request", "confirm must be pong");
    const answered = c.req.query("answered");
    if (answered !== undefined && answered !== "no") throw refused("invalid_request", "answered must be no");
    const { binary, frameBytes } = upstreamOf(c).protocol ?? (await openedProtocol(c));
    if (binary && frameBytes !== undefined && isBytes(header(c, "content-type"))) {
      return sendInFrames(
        c,
        parts,
        Math.min(frameBytes, upstreamOf(c).settings.limits.request_bytes),
        confirm !== undefined,
      );
    }
    if (readIdle(c, MAX_TIMEOUT_MS) !== undefined) {
      throw refused(
        "invalid_request",
        "idle is for bodies that are sent in frames: set frames: { size } and send bytes",
      );
    }
    const prepared = await prepare(c, parts, confirm ? "confirm" : "send");
    const { outcome, upstream, headers } = await send(c, parts, answered ? { ...prepared, unanswered: {} } : prepared);
    const failure = outcome.type === "batch" ? batchFailure(outcome) : "failure" in outcome && outcome.failure;
    if (failure) return problem(c, failure, upstream, headers);
    return c.body(null, 204, confirm ? { ...headers, "Sidesocket-Sent": "yes" } : headers);
  });
}
