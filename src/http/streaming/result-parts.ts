/**
 * Results of GraphQL in parts of `multipart/mixed`: of an operation with `@defer` or `@stream`
 * (https://github.com/graphql/graphql-over-http/blob/main/rfcs/IncrementalDelivery.md), and of a subscription
 * (https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol).
 */

import type { Context } from "hono";
import { parseAccept } from "hono/utils/accept";
import { graphqlStep, hasNextIn, partsFormatOf } from "../../protocols/graphql.ts";
import type { Env } from "../env.ts";
import type { ProblemDocument } from "../problem.ts";
import { jsonText, oneLine } from "./render.ts";
import type { ReplyStreamFormat } from "./reply-stream.ts";

export const PARTS_TYPE = "multipart/mixed";

/** The parts that a caller accepts. */
export interface AcceptedParts {
  /** The formats of a result in parts: their parameter in lower case, undefined for any; empty if none is accepted. */
  readonly formats: readonly (string | undefined)[];
  /** True if results of subscriptions are accepted as parts. */
  readonly subscriptions: boolean;
}

export function acceptedParts(c: Context<Env>): AcceptedParts {
  const header = c.req.header("Accept") ?? "";
  // Most callers accept none, and need no second look.
  if (!header.toLowerCase().includes(PARTS_TYPE)) return { formats: [], subscriptions: false };
  const named = parseAccept(header)
    .filter(({ type, q }) => type.toLowerCase() === PARTS_TYPE && q > 0)
    .map(({ params }) => {
      const written = Object.entries(params).map(([key, value]) => `${key}=${value.replaceAll('"', "")}`.toLowerCase());
      return written.find((parameter) => /^(?:deferspec|incrementalspec|subscriptionspec)=/.test(parameter));
    });
  return {
    formats: named.filter((parameter) => !parameter?.startsWith("subscriptionspec=")),
    subscriptions: named.includes("subscriptionspec=1.0"),
  };
}

/**
 * The format of a result that may come in parts. They are passed on as the upstream writes them.
 * @param whole responds with the result of an upstream that sends it whole
 */
export function incrementalParts(
  formats: AcceptedParts["formats"],
  whole: NonNullable<ReplyStreamFormat["whole"]>,
): ReplyStreamFormat {
  let hasNext = true;
  let sent = "";
  const part = partsBetween("-");
  const withoutNext = (members: string) => part.of(`{${members}"hasNext":false}`);
  return {
    kind: "stream",
    get mediaType() {
      return `${PARTS_TYPE}; boundary="-"; ${sent}`;
    },
    start: part.start,
    opens(frame) {
      if (hasNextIn(frame) !== true) return false;
      sent = partsFormatOf(frame);
      if (formats.includes(undefined) || formats.includes(sent.toLowerCase())) return true;
      const why = `the upstream sends parts as ${sent} has them, but Accept names only ${formats.join(", ")}`;
      return { code: "invalid_reply", sent: "yes", detail: `${why}: let the client read ${sent}` };
    },
    whole,
    frame(frame) {
      const { result, last } = graphqlStep(frame);
      if (!last) {
        hasNext = hasNextIn(frame) ?? hasNext;
        return result === undefined ? "" : part.of(result);
      }
      // The last part must say that it is the last.
      const errors = result === undefined ? "" : `${result.slice(1, -1)},`;
      return hasNext ? withoutNext(errors) : "";
    },
    end: part.end,
    error: (document) => `${withoutNext(`"errors":${errorsText(document)},`)}${part.end}`,
    beat: undefined,
  };
}

const ofSubscription = partsBetween("graphql");

/** The format of a subscription, in the multipart protocol of Apollo's clients. */
export const subscriptionParts: ReplyStreamFormat = {
  kind: "stream",
  mediaType: `${PARTS_TYPE}; boundary="graphql"; subscriptionSpec=1.0`,
  start: ofSubscription.start,
  frame(frame) {
    const { result } = graphqlStep(frame);
    return result === undefined ? "" : ofSubscription.of(`{"payload":${result}}`);
  },
  end: ofSubscription.end,
  error: (document) => {
    return `${ofSubscription.of(`{"payload":null,"errors":${errorsText(document)}}`)}${ofSubscription.end}`;
  },
  beat: ofSubscription.of("{}"),
};

/** Each part ends with the delimiter of the next one, so that its reader need not wait for that to know it is whole. */
function partsBetween(boundary: string) {
  return {
    start: `\r\n--${boundary}`,
    of: (json: string) => `\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${oneLine(json)}\r\n--${boundary}`,
    end: "--\r\n",
  };
}

/** A problem as GraphQL has its errors. */
export function errorsOf({ code, sent, detail, title }: ProblemDocument): readonly object[] {
  return [{ message: detail ?? title, extensions: { code, sent } }];
}

function errorsText(document: ProblemDocument): string {
  return jsonText(errorsOf(document));
}
