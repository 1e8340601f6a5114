/** The decision whether and when a connection is attempted again, for each reason that ended the one before. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { RetryClass } from "../../protocols/preset.ts";
import { aroundInterval, fullJitter } from "../util/backoff.ts";
import { type Disconnect, describeDisconnect } from "./disconnect.ts";

/** Upper bound on Retry-After: a load balancer may send hours, long after the upstream has recovered. */
const RETRY_AFTER_MAX_MS = 300_000;

/** Minimum delay of the class `slow`, for which the first steps of the backoff are too short. */
const SLOW_MS = 5_000;

/** How to schedule the next attempt: `retry` with backoff, `refuse` only every `reconnect.refused`. */
export type RetryDecision = { readonly type: "retry"; readonly atLeastMs: number } | { readonly type: "refuse" };

type Policy = Pick<UpstreamSettings["reconnect"], "codes" | "statuses">;

const RETRY_SOON: RetryDecision = { type: "retry", atLeastMs: 0 };

/**
 * Close codes that are not simply retried. RFC 6455 §7.4.1 defines 1008 (policy violation), IANA's registry 1013 (try
 * again later); 4401 and 4403 are customary for HTTP's 401 and 403. docs/configuration.md has the same table.
 */
const CLASS_OF_CODE: Readonly<Record<number, RetryClass>> = {
  1008: "refuse",
  4401: "refuse",
  4403: "refuse",
  1013: "slow",
};

/** True for a status that describes the upstream's current condition rather than our request. */
function isTemporary(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

/** Refuses where a quick retry would fail the same way: bad credentials, a wrong path, a policy. */
export function decideRetry(disconnect: Disconnect, { codes, statuses }: Policy): RetryDecision {
  switch (disconnect.reason) {
    case "greeting":
      return decisionFor(disconnect.class ?? (disconnect.rejected ? "refuse" : "retry"), 0);
    case "proxy":
      return decisionFor(disconnect.class, 0);
    case "closed":
      return decisionFor(codes[disconnect.code] ?? CLASS_OF_CODE[disconnect.code] ?? "retry", 0);
    case "status":
      return decisionFor(
        statuses[disconnect.status] ?? (isTemporary(disconnect.status) ? "retry" : "refuse"),
        disconnect.retryAfterMs ?? 0,
      );
    default:
      return RETRY_SOON;
  }
}

/** Codes that say, after good service, that the credentials have run out: the next attempt brings fresh ones. */
const EXPIRED_CODES = [1008, 4401];

/**
 * The decision for the end of a connection that has served: one soon attempt where the login may merely have expired.
 * A class of the configuration or of the preset is kept.
 */
export function decideRetryAfterService(disconnect: Disconnect, policy: Policy): RetryDecision {
  const expired = disconnect.reason === "closed" && EXPIRED_CODES.includes(disconnect.code);
  if (expired && policy.codes[disconnect.code] === undefined) return RETRY_SOON;
  return decideRetry(disconnect, policy);
}

/** Reclassifies a disconnect during the greeting: a close code of the class `refuse` means a refused login. */
export function disconnectWhileGreeting(disconnect: Disconnect, policy: Policy): Disconnect {
  if (disconnect.reason !== "closed" || decideRetry(disconnect, policy).type !== "refuse") return disconnect;
  return { reason: "greeting", rejected: true, detail: describeDisconnect(disconnect) };
}

/** The delay until the next attempt, in milliseconds. @param random in [0, 1) */
export function retryDelay(
  decision: RetryDecision,
  failures: number,
  { from, to, refused }: Pick<UpstreamSettings["reconnect"], "from" | "to" | "refused">,
  random: number,
): number {
  if (decision.type === "refuse") return aroundInterval(refused, random);
  return decision.atLeastMs + fullJitter(failures, from, to, random);
}

function decisionFor(retryClass: RetryClass, retryAfterMs: number): RetryDecision {
  if (retryClass === "refuse") return { type: "refuse" };
  const atLeastMs = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
  return { type: "retry", atLeastMs: retryClass === "slow" ? Math.max(atLeastMs, SLOW_MS) : atLeastMs };
}
