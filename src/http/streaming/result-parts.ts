/**
 * Results of GraphQL in parts of `multipart/mixed`: of an operation with `@defer` or `@stream`
 * (https://github.com/graphql/graphql-over-http/blob/main/rfcs/IncrementalDelivery.md), and of a subscription
 * (https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol).
 */

import type { Accept } from "hono/utils/accept";
import type { Failure } from "../../errors.ts";
import { type GraphqlStep, graphqlStep, type PartsFormat } from "../../protocols/graphql.ts";
import { readInTurns } from "../call/respond.ts";
import type { ProblemDocument } from "../problem.ts";
import { jsonText, oneLine } from "./render.ts";
import type { FrameStep, ReplyStreamFormat } from "./reply-stream.ts";

export const PARTS_TYPE = "multipart/mixed";

/** The parts that a caller accepts, each form with its quality; zero if it is not accepted. */
export interface AcceptedParts {
  /** The formats of a result in parts: their parameter in lower case, undefined for any. */
  readonly formats: readonly (string | undefined)[];
  readonly ofResult: number;
  readonly ofSubscription: number;
}

const SUBSCRIPTION = "subscriptionspec=1.0";

export function acceptedParts(ranges: readonly Accept[]): AcceptedParts {
  const named = ranges
    .filter(({ type, q }) => q > 0 && type.toLowerCase() === PARTS_TYPE)
    .map(({ params, q }) => ({ q, specs: specsIn(params) }));
  const ofSubscription = named.filter(({ specs }) => specs.includes(SUBSCRIPTION));
  const formats = named.flatMap(({ q, specs }) => {
    const wanted = specs.length === 0 ? [undefined] : specs.filter((spec) => !spec.startsWith("subscriptionspec="));
    return wanted.map((format) => ({ format, q }));
  });
  return {
    formats: formats.map(({ format }) => format),
    ofResult: best(formats),
    ofSubscription: best(ofSubscription),
  };
}

/** The parameters of a media range that name a format. */
function specsIn(params: Accept["params"]): readonly string[] {
  return Object.entries(params)
    .map(([key, value]) => `${key}=${value.replaceAll('"', "")}`.toLowerCase())
    .filter((parameter) => /^(?:deferspec|incrementalspec|subscriptionspec)=/.test(parameter));
}

function best(ranges: readonly { readonly q: number }[]): number {
  return Math.max(0, ...ranges.map(({ q }) => q));
}

/**
 * The format of a result that may come in parts. They are passed on as the upstream writes them.
 * @param whole responds with the result of an upstream that sends it whole
 */
export function incrementalParts(
  formats: AcceptedParts["formats"],
  whole: NonNullable<ReplyStreamFormat["whole"]>,
): ReplyStreamFormat {
  /** The format of the parts that came; undefined before the first. */
  let format: PartsFormat | undefined;
  const part = partsBetween("-");
  const lastWith = (members: string) => part.of(`{${members}"hasNext":false}`);
  const read = (step: GraphqlStep): FrameStep => {
    if (format === undefined) {
      if (step.hasNext !== true) return "whole";
      if (!formats.includes(undefined) && !formats.includes(step.format.toLowerCase())) {
        const why = `the upstream sends parts as ${step.format} has them, but Accept names only ${formats.join(", ")}`;
        return { failure: invalidReply(`${why}: let the client read ${step.format}`) };
      }
      format = step.format;
    }
    const { result, last, hasNext } = step;
    if (!last) return { text: result === undefined ? "" : part.of(result), isLast: hasNext === false };
    if (result === undefined) return { failure: unfinished };
    return { text: lastWith(`${result.slice(1, -1)},`), isLast: true };
  };
  return {
    kind: "stream",
    get mediaType() {
      return `${PARTS_TYPE}; boundary="-"; ${format}`;
    },
    start: part.start,
    whole,
    frame: (frame) => readInTurns(frame, (json) => read(graphqlStep(json))),
    end: part.end,
    error: (document) => `${lastWith(`"errors":${errorsText(document)},`)}${part.end}`,
    beat: undefined,
  };
}

/** The failure of a result of which more parts were announced than came. */
export const unfinished: Failure = invalidReply(
  "the upstream completed the operation without the last part: some of the result is missing",
);

function invalidReply(detail: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail };
}

/** The format of a subscription, in the multipart protocol of Apollo's clients. */
export function subscriptionParts(): ReplyStreamFormat {
  const part = partsBetween("graphql");
  let isEmpty = true;
  const read = ({ result, last }: GraphqlStep): FrameStep => {
    // A multipart has one part at least (RFC 2046, section 5.1.1).
    if (result === undefined) return { text: last && isEmpty ? part.of("{}") : "" };
    isEmpty = false;
    return { text: part.of(`{"payload":${result}}`) };
  };
  return {
    kind: "stream",
    mediaType: `${PARTS_TYPE}; boundary="graphql"; subscriptionSpec=1.0`,
    start: part.start,
    frame: (frame) => readInTurns(frame, (json) => read(graphqlStep(json))),
    end: part.end,
    error: (document) => `${part.of(`{"payload":null,"errors":${errorsText(document)}}`)}${part.end}`,
    beat: part.of("{}"),
  };
}

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
