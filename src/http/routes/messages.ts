import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import {
  type Cursor,
  cursorText,
  type JournalEntry,
  type Page,
  parseCursor,
  type Start,
} from "../../core/messages/journal.ts";
import { type Failure, refused } from "../../errors.ts";
import { matcher, type Rule } from "../../protocols/json-where.ts";
import type { JournalSelection, ReadEnd } from "../../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../../sidecar/host/journal-reader.ts";
import { findUpstream } from "../call/call.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { readWait } from "../call/timeout.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import { commonHeaders, problem } from "../problem.ts";
import { type App, createRoute } from "../routing.ts";
import { ndjson, sse, stream } from "../streaming/journal-stream.ts";
import { jsonOf } from "../streaming/render.ts";

/** What the upstream says unasked: one resource, as pages with long poll, as lines, and as a stream of events. */

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;
const RULES_MAX = 16;

const JSON_TYPE = "application/json";
const FORMS = { "text/event-stream": sse, "application/x-ndjson": ndjson } as const;

const messagesRoute = createRoute(
  { method: "get", path: "/v1/upstreams/{upstream}/messages" },
  ({ failures, messageParameters, pageSchema }) => ({
    summary: "Read what the upstream said unasked",
    parameters: messageParameters as never,
    responses: {
      200: {
        description: "A page; or, by `Accept`, a line or an event per message until the reader leaves",
        content: {
          [JSON_TYPE]: { schema: pageSchema },
          "application/x-ndjson": { schema: { type: "string" } },
          "text/event-stream": { schema: { type: "string" } },
        } as never,
      },
      ...failures,
    },
  }),
);

export function messageRoutes(app: App, parts: AppParts): void {
  app.openapi(messagesRoute, ((c: Context<Env>) => {
    const upstream = findUpstream(parts.upstreams, c.req.param("upstream") ?? "");
    return messages(c, parts, upstream, "");
  }) as never);
}

/** Answers with what is in one of the upstream's journals, in the form that the caller accepts. */
export function messages(
  c: Context<Env>,
  { lifecycle }: AppParts,
  upstream: UpstreamPort,
  journal: string,
): Response | Promise<Response> {
  if (!lifecycle.accepting) throw refused("shutting_down", "the service is shutting down");
  const { journals, settings } = upstream;
  if (journals.readers >= settings.messages.readers) {
    const detail = `${journals.readers} readers are reading already (messages.readers: ${settings.messages.readers})`;
    throw refused("too_many_in_flight", detail, RETRY_SOON_MS);
  }
  const type = accepts(c, { header: "Accept", supports: [JSON_TYPE, ...Object.keys(FORMS)], default: JSON_TYPE });
  const selection = { journal, where: readWhere(c) };
  if (type === JSON_TYPE) return onePage(c, upstream, selection);
  const form = FORMS[type as keyof typeof FORMS];
  const lastSeen = form === sse ? c.req.header("last-event-id") : undefined;
  const after = readStart(lastSeen ? "Last-Event-ID" : "after", lastSeen || c.req.query("after"));
  const once = readFlag(c, "poll");
  const headers = { ...commonHeaders(c), "Content-Type": form.mediaType, "X-Accel-Buffering": "no" };
  // Nobody would ever take what is made for a HEAD.
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  return stream(c, { journals, selection, after, once, form }, headers);
}

/** What is there, at most `limit`; when there is nothing, the first that comes within `wait`. */
function onePage(c: Context<Env>, upstream: UpstreamPort, selection: JournalSelection): Promise<Response> {
  const after = readStart("after", c.req.query("after"));
  const limit = readLimit(c);
  const waitMs = readWait(c);
  return new Promise((resolve) => {
    const answer = (response: Response) => {
      clearTimeout(timer);
      reader.close();
      resolve(response);
    };
    const nothing = () => answer(emptyPage(c, reader.place as Cursor));
    const end = (end: ReadEnd) => {
      const stopping = end === "stopping" && typeof reader.place !== "string";
      answer(stopping ? emptyPage(c, reader.place as Cursor) : problem(c, failureOf(end), upstream));
    };
    let timer: NodeJS.Timeout | undefined;
    const reader = new JournalReader(
      upstream.journals,
      selection,
      after,
      {
        wants: () => true,
        page: (page) => answer(page.gone ? goneResponse(c, upstream, page) : pageResponse(c, page)),
        caughtUp: () => {
          if (waitMs === 0) nothing();
          else timer = setTimeout(nothing, waitMs);
        },
        end,
      },
      limit,
    );
    leaveSignal(c).addEventListener("abort", () => answer(new Response(null, { status: 499 })), { once: true });
    reader.resume();
  });
}

function emptyPage(c: Context<Env>, { epoch, seq }: Cursor): Response {
  return pageResponse(c, { epoch, entries: [], next: seq });
}

function pageResponse(c: Context<Env>, { epoch, entries, next }: Pick<Page, "epoch" | "entries" | "next">): Response {
  const items = entries.map((entry) => jsonOf(epoch, entry)).join(",");
  const text = `{"messages":[${items}],"next":"${cursorText({ epoch, seq: next })}"}\n`;
  return c.body(text, 200, { ...commonHeaders(c), "Content-Type": JSON_TYPE });
}

function goneResponse(c: Context<Env>, upstream: UpstreamPort, { epoch, entries }: Page): Response {
  const gap = entries.find((entry): entry is Extract<JournalEntry, { gap: unknown }> => "gap" in entry);
  if (!gap) throw new RangeError("a page that is gone begins with its gap");
  const { before, dropped, reason } = gap.gap;
  const resume = cursorText({ epoch, seq: gap.seq });
  const lost = dropped === null ? "nobody knows how much came in between" : `${dropped} messages came in between`;
  const detail = `what came after this cursor is not kept any more (${reason}), and ${lost}; read on with after=${resume}`;
  const failure: Failure = { code: "gone", sent: "no", detail };
  return problem(c, failure, upstream, undefined, { oldest: before, resume, dropped, reason });
}

function failureOf(end: ReadEnd): Failure {
  if (end === "stopping") return { code: "shutting_down", sent: "no", detail: "the service is shutting down" };
  if (end === "nowhere") return { code: "not_found", sent: "no", detail: "there are no such messages (any more)" };
  if (end === "ahead") {
    return { code: "invalid_request", sent: "no", detail: "`after` is ahead of every message that there has been" };
  }
  return end;
}

// What the caller wrote.

function readStart(name: string, text: string | undefined): Start {
  if (text === undefined || text === "earliest" || text === "latest") return text ?? "earliest";
  const cursor = parseCursor(text);
  if (cursor) return cursor;
  throw refused("invalid_request", `${name} must be a cursor (the \`next\` of a page), earliest or latest`);
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

/** `where=/params/type=trade`: what stands at the pointer must be that value. */
function readWhere(c: Context<Env>): readonly Rule[] {
  const texts = c.req.queries("where") ?? [];
  if (texts.length > RULES_MAX) throw refused("invalid_request", `where may be given ${RULES_MAX} times at most`);
  const rules = texts.map((text) => {
    const at = text.indexOf("=");
    if (at < 0) throw refused("invalid_request", "where must be a JSON pointer, = and a value, such as /type=trade");
    return { pointer: text.slice(0, at), value: text.slice(at + 1) };
  });
  try {
    matcher(rules);
  } catch (error) {
    throw refused("invalid_request", `where: ${(error as Error).message}`);
  }
  return rules;
}
