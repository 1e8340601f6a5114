/** Route of unsolicited messages: pages with long poll, ndjson lines, or server-sent events, by `Accept`. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { noMemory, pageLate, RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import {
  type Cursor,
  countedBytesOf,
  cursorText,
  type JournalEntry,
  type Page,
  parseCursor,
  type Start,
} from "../../core/messages/journal.ts";
import type { Budget } from "../../core/util/budget.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import { compileWhere, type Rule } from "../../protocols/condition.ts";
import { parseCallersPointer } from "../../protocols/pick.ts";
import { READ_HOLD_MS } from "../../sidecar/contract.ts";
import { acknowledge } from "../../sidecar/host/acknowledge.ts";
import type { JournalSelection, ReadEnd } from "../../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../../sidecar/host/journal-reader.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { readWait } from "../call/timeout.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import { commonHeaders, failureHeaders, noteFailure, problem } from "../problem.ts";
import { header } from "../request-header.ts";
import { createRoute, type JsonOf, type RoutedApp, type Schemas } from "../routing.ts";
import { ndjson, refusedEvents, sse, streamJournal } from "../streaming/journal-stream.ts";
import { streamHeaders } from "../streaming/paced-response.ts";
import { jsonOf } from "../streaming/render.ts";
import { wholeResponse } from "../whole-response.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;
const RULES_MAX = 16;
/** How long a page may be in coming, mostly for lack of memory, in milliseconds: the log's reasons come before. */
const PAGE_WITHIN_MS = READ_HOLD_MS + 1_000;

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
const STREAM_FORMATS = { [EVENTS_TYPE]: sse, "application/x-ndjson": ndjson } as const;

/** Parameters for clients that cannot set the header, by the names that polyfills and we have for it. */
const LAST_EVENT_ID = ["lastEventId", "last_event_id"] as const;

/** Query parameters of routes that read messages. */
export const MESSAGE_QUERY = ["after", "limit", "wait", "where", "poll", "lastEventId", "last_event_id", "ticket"];

/** The responses of routes that read messages. */
export function messageResponses({ failures, headers, pageSchema, streamContent }: Schemas) {
  return {
    200: {
      description: "A page; or, by `Accept`, one line or event per message until the reader leaves",
      // A request for events is refused by a stream that ends at once.
      headers: headers("Sidesocket-Code", "Sidesocket-Sent", "Retry-After"),
      content: { [JSON_TYPE]: { schema: pageSchema }, ...streamContent },
    },
    ...failures("not_found", "gone", "too_many_in_flight", "sidecar_crashed", "shutting_down"),
  };
}

const messagesRoute = createRoute(
  { method: "get", path: "/v1/upstreams/{upstream}/messages", query: MESSAGE_QUERY },
  (schemas) => ({
    operationId: "readMessages",
    tags: ["Messages"],
    summary: "Read unsolicited messages",
    parameters: schemas.messageParameters,
    responses: messageResponses(schemas),
  }),
);

/** The query parameters of routes that acknowledge messages. */
export const ACKNOWLEDGE_QUERY = ["through"];

/** The responses of routes that acknowledge messages. */
export function acknowledgeResponses({ acknowledgedSchema, failures, jsonResponse }: Schemas) {
  return {
    200: jsonResponse("The answers that waited for these messages were sent", acknowledgedSchema),
    ...failures("not_found", "gone", "reply_timeout", "shutting_down"),
  };
}

const acknowledgeRoute = createRoute(
  {
    method: "post",
    path: "/v1/upstreams/{upstream}/messages/acknowledge",
    endsAsParameter: true,
    query: ACKNOWLEDGE_QUERY,
  },
  (schemas) => ({
    operationId: "acknowledgeMessages",
    tags: ["Messages"],
    summary: "Acknowledge messages, so that answers that wait for them are sent (`after: delivered`)",
    parameters: schemas.acknowledgeParameters,
    responses: acknowledgeResponses(schemas),
  }),
);

export function messageRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);
  app.openapi(messagesRoute, named, (c) => journalResponse(c, parts, ""));
  app.openapi(acknowledgeRoute, named, (c) => acknowledgeResponse(c, parts, ""));
}

/** Acknowledges the messages of one of the upstream's journals up to the cursor in `through`. */
export async function acknowledgeResponse(c: Context<Env>, { lifecycle }: AppParts, journal: string) {
  const upstream = upstreamOf(c);
  demandAccepting(lifecycle);
  if (upstream.down) throw new SidesocketError(upstream.down);
  const answered = await acknowledge(upstream.journals, journal, c.req.query("through") ?? "");
  return c.json<JsonOf<"acknowledgedSchema">>({ answered }, 200, commonHeaders(c));
}

/** Responds with the messages of one of the upstream's journals, in the format that the caller accepts. */
export function journalResponse(
  c: Context<Env>,
  { lifecycle, quotas }: AppParts,
  journal: string,
): Response | Promise<Response> {
  const upstream = upstreamOf(c);
  const { journals } = upstream;
  const type = accepts(c, {
    header: "Accept",
    supports: [JSON_TYPE, ...Object.keys(STREAM_FORMATS)],
    default: JSON_TYPE,
  });
  const refusal =
    refusalOf(lifecycle, upstream) ?? (type === JSON_TYPE ? undefined : noMoreStreams(c.get("record").budget));
  if (refusal && type !== EVENTS_TYPE) throw refusal;
  const selection = { journal, where: readWhere(c) };
  for (const name of type === EVENTS_TYPE ? [] : LAST_EVENT_ID) {
    if (c.req.query(name) !== undefined)
      throw refused("invalid_request", `${name} is for events: use after, or Accept: text/event-stream`);
  }
  if (type === JSON_TYPE) return onePage(c, upstream, selection);
  const format = STREAM_FORMATS[type as keyof typeof STREAM_FORMATS];
  const after = format === sse ? readResume(c) : readStart("after", c.req.query("after"));
  const once = readFlag(c, "poll");
  if (refusal) {
    noteFailure(c, refusal.failure, upstream);
    const headers = streamHeaders(failureHeaders(c, refusal.failure), format.mediaType);
    return c.body(refusedEvents(after, refusal.failure), 200, headers);
  }
  const headers = streamHeaders(commonHeaders(c), format.mediaType);
  // A response to HEAD has no body: nobody would read the stream.
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  const onEnd = quotas?.stream(upstream, callerOf(c).share);
  return streamJournal(c, { journals, selection, after, once, format, onEnd }, headers);
}

/** The reason why no reader is taken now, which passes. */
function refusalOf({ accepting }: AppParts["lifecycle"], { journals, settings, down }: UpstreamPort) {
  if (!accepting) return refused("shutting_down", "the service is shutting down");
  if (down) return new SidesocketError(down);
  const { readers } = settings.messages;
  if (journals.readers < readers) return undefined;
  const detail = `messages.readers (${readers}) is reached: close a reader, or raise the limit`;
  return refused("too_many_in_flight", detail, RETRY_SOON_MS);
}

function noMoreStreams(budget: Budget) {
  return budget.refuses("streams") ? new SidesocketError(noMemory(budget.limit, "another stream")) : undefined;
}

/** Responds with at most `limit` kept messages; if there are none, with the first to come within `wait`. */
function onePage(c: Context<Env>, upstream: UpstreamPort, selection: JournalSelection): Promise<Response> {
  const after = readStart("after", c.req.query("after"));
  const limit = readLimit(c);
  const waitMs = readWait(c);
  return new Promise((resolve) => {
    const respond = (response: Response) => {
      clearTimeout(patience);
      clearTimeout(timer);
      reader.close();
      resolve(response);
    };
    const respondEmpty = () => respond(emptyPage(c, reader.place as Cursor));
    const end = (reason: ReadEnd) => {
      if (reason === "stopping" && typeof reader.place !== "string") respond(emptyPage(c, reader.place));
      else respond(problem(c, failureOf(reason), upstream));
    };
    let timer: NodeJS.Timeout | undefined;
    const reader = new JournalReader(
      upstream.journals,
      selection,
      after,
      {
        wants: () => true,
        page: (page) => respond(page.gone ? goneResponse(c, upstream, page) : pageResponse(c, page)),
        caughtUp: () => {
          clearTimeout(patience);
          if (waitMs === 0) respondEmpty();
          else timer = setTimeout(respondEmpty, waitMs);
        },
        end,
      },
      limit,
    );
    // The thread reads large messages only while there is memory for them, for one reader after the other.
    const refuse = () => {
      const { budget } = c.get("record");
      const isFull = budget.heldBy("pages") > 0;
      respond(problem(c, isFull ? noMemory(budget.limit, "the messages") : pageLate(PAGE_WITHIN_MS), upstream));
    };
    const patience = setTimeout(refuse, PAGE_WITHIN_MS);
    leaveSignal(c).addEventListener("abort", () => respond(new Response(null, { status: 499 })), { once: true });
    reader.resume();
  });
}

function emptyPage(c: Context<Env>, { epoch, seq }: Cursor): Response {
  return pageResponse(c, { epoch, entries: [], next: seq });
}

type PageBody = Pick<Page, "epoch" | "entries" | "next">;

function pageText({ epoch, entries, next }: PageBody): string {
  const items = entries.map((entry) => jsonOf(epoch, entry)).join(",");
  return `{"messages":[${items}],"next":"${cursorText({ epoch, seq: next })}"}\n`;
}

/** The bodies of large pages: readers of the same page have the same bytes. */
const largePages = new WeakMap<PageBody, Uint8Array>();
const encoder = new TextEncoder();

function pageResponse(c: Context<Env>, page: PageBody): Response {
  const text = largePages.get(page) ?? (countedBytesOf(page) > 0 ? encoder.encode(pageText(page)) : pageText(page));
  if (typeof text !== "string") largePages.set(page, text);
  return wholeResponse(c, text, { ...commonHeaders(c), "Content-Type": JSON_TYPE });
}

function goneResponse(c: Context<Env>, upstream: UpstreamPort, { epoch, entries }: Page): Response {
  const gap = entries.find((entry): entry is Extract<JournalEntry, { gap: unknown }> => "gap" in entry);
  if (!gap) throw new RangeError("unreachable: a page that is gone begins with a gap");
  const { before, dropped, reason } = gap.gap;
  const resume = cursorText({ epoch, seq: gap.seq });
  const lost = dropped === null ? "an unknown number of messages" : `${dropped} messages`;
  const detail = `${lost} after this cursor are no longer kept (${reason}): resume with after=${resume}`;
  const failure: Failure = { code: "gone", sent: "no", detail };
  return problem(c, failure, upstream, undefined, { oldest: before, resume, dropped, reason });
}

function failureOf(end: ReadEnd): Failure {
  switch (end) {
    case "stopping":
      return refused("shutting_down", "the service is shutting down").failure;
    case "nowhere":
      return refused("not_found", "the subscription of these messages does not exist, or no longer").failure;
    case "ahead": {
      const detail = "after is ahead of the newest message: use the `next` of a page, earliest or latest";
      return refused("invalid_request", detail).failure;
    }
    default:
      return end;
  }
}

function readStart(name: string, text: string | undefined): Start {
  if (text === undefined || text === "earliest" || text === "latest") return text ?? "earliest";
  const cursor = parseCursor(text);
  if (cursor) return cursor;
  throw refused("invalid_request", `${name} must be a cursor (the \`next\` of a page), earliest or latest`);
}

/** The start of a stream of events. Clients that cannot set the header of a reconnect have a parameter for it. */
function readResume(c: Context<Env>): Start {
  const given = [
    ["Last-Event-ID", header(c, "last-event-id")],
    ...LAST_EVENT_ID.map((name) => [name, c.req.query(name)] as const),
  ] as const;
  for (const [name, text] of given) if (text) return readStart(name, text);
  return readStart("after", c.req.query("after"));
}

function readLimit(c: Context<Env>): number {
  const text = c.req.query("limit");
  if (text === undefined) return LIMIT_DEFAULT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw refused("invalid_request", `limit must be a whole number from 1 to ${LIMIT_MAX}`);
}

function readFlag(c: Context<Env>, name: string): boolean {
  const text = c.req.query(name);
  if (text === undefined || text === "0" || text === "false") return false;
  if (text === "1" || text === "true" || text === "") return true;
  throw refused("invalid_request", `${name} must be 1 or 0`);
}

/** `where=/params/type=trade`: the value at the pointer must be this one. `where=/result`: there must be a value. */
function readWhere(c: Context<Env>): readonly Rule[] {
  const texts = c.req.queries("where") ?? [];
  if (texts.length > RULES_MAX) throw refused("invalid_request", `where may be given at most ${RULES_MAX} times`);
  // Sorted and without repetitions, so that readers with the same filter share it.
  const rules = [...new Set(texts)].sort().map((text) => {
    const at = text.indexOf("=");
    return at < 0 ? { pointer: text } : { pointer: text.slice(0, at), value: text.slice(at + 1) };
  });
  try {
    for (const { pointer } of rules) parseCallersPointer(pointer);
    compileWhere(rules);
  } catch (error) {
    throw refused("invalid_request", `where: ${(error as Error).message}`);
  }
  return rules;
}
