import type { UpstreamSettings } from "../../config/schema.ts";
import type { Rung } from "./liveness.ts";

/** Why a connection, or an attempt at one, is over; and what that means for the next attempt. */

export type Disconnect =
  /** It was open and ended: by a close frame, or without one (1006). `text` is the peer's reason, made printable. */
  | { readonly reason: "closed"; readonly code: number; readonly text: string }
  /** The upgrade was answered with something other than 101. */
  | { readonly reason: "status"; readonly status: number; readonly retryAfterMs?: number | undefined }
  | { readonly reason: "dns" | "tls" | "network" | "handshake" | "protocol"; readonly detail: string }
  /** A frame was larger than `limits.reply_bytes`. */
  | { readonly reason: "oversized"; readonly limitBytes: number }
  | { readonly reason: "timeout"; readonly withinMs: number }
  /** What the attempt should have been made with could not be had. */
  | { readonly reason: "credentials"; readonly detail: string }
  /** A rung of the liveness ladder found the peer dead: it is half-open or hangs. */
  | { readonly reason: "silent"; readonly rung: Rung; readonly withinMs: number }
  | { readonly reason: "greeting"; readonly rejected: boolean; readonly detail: string }
  /** Our close frame was not answered in time, and the socket was broken. */
  | { readonly reason: "unclosed"; readonly withinMs: number }
  /** We gave it up ourselves, because going on would have mixed up replies. */
  | { readonly reason: "renewed"; readonly detail: string };

/** For people: logs, the state route, and the `detail` of errors. */
export function describeDisconnect(drop: Disconnect): string {
  switch (drop.reason) {
    case "closed":
      return drop.code === 1006
        ? "the connection ended without a close frame (1006)"
        : `the upstream closed the connection with code ${drop.code}${drop.text ? ` (${drop.text})` : ""}`;
    case "status":
      return `the upstream answered the upgrade with HTTP ${drop.status}`;
    case "dns":
      return `the upstream's name could not be resolved (${drop.detail})`;
    case "tls":
      return `TLS to the upstream failed (${drop.detail})`;
    case "network":
      return `the upstream could not be reached (${drop.detail})`;
    case "handshake":
      return `the upstream's WebSocket handshake is not valid (${drop.detail})`;
    case "protocol":
      return `the upstream broke the WebSocket protocol (${drop.detail})`;
    case "oversized":
      return `the upstream sent a frame larger than limits.reply_bytes (${drop.limitBytes} bytes)`;
    case "timeout":
      return `no connection within ${drop.withinMs} ms (connect_within)`;
    case "credentials":
      return `the values for this attempt could not be had: ${drop.detail}`;
    case "silent":
      return describeSilence(drop.rung, drop.withinMs);
    case "greeting":
      return drop.rejected
        ? `the upstream refused the greeting: ${drop.detail}`
        : `the greeting failed: ${drop.detail}`;
    case "unclosed":
      return `the upstream did not finish the close handshake within ${drop.withinMs} ms`;
    case "renewed":
      return `the connection was renewed: ${drop.detail}`;
  }
}

function describeSilence(rung: Rung, withinMs: number): string {
  if (rung === "ping") return `the upstream did not answer a ping within ${withinMs} ms (keepalive.pong_within)`;
  if (rung === "silence") return `the upstream was silent for ${withinMs} ms (keepalive.silence)`;
  return `the upstream did not answer the heartbeat within ${withinMs} ms (keepalive.heartbeat.within)`;
}

/** A balancer's Retry-After may ask for hours; an upstream that is back should not wait that long for us. */
const RETRY_AFTER_MAX_MS = 300_000;

/** Where the first attempts of the backoff would come too soon. */
const SLOWLY_MS = 5_000;

/** How the next attempt should be made: `retry` soon with backoff, or `refuse`: only every `reconnect.refused`. */
export type Verdict = { readonly type: "retry"; readonly atLeastMs: number } | { readonly type: "refuse" };

type Policy = Pick<UpstreamSettings["reconnect"], "codes" | "statuses">;
type Class = Policy["codes"][string];

/**
 * RFC 6455 §7.4.1 names 1008 (policy); 4401 and 4403 are customary for HTTP's 401 and 403, 1013 (try again later) is in
 * IANA's registry. docs/configuration.md has the same table.
 */
const CODES: Readonly<Record<number, Class>> = { 1008: "refuse", 4401: "refuse", 4403: "refuse", 1013: "slow" };

/** An answer to the upgrade that is about this moment, and not about us. */
function isTemporary(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

/** Trying again soon is wrong where the answer will be the same: bad credentials, a wrong path, a policy. */
export function judge(drop: Disconnect, { codes, statuses }: Policy): Verdict {
  switch (drop.reason) {
    case "greeting":
      return drop.rejected ? { type: "refuse" } : { type: "retry", atLeastMs: 0 };
    case "closed":
      return verdict(codes[drop.code] ?? CODES[drop.code] ?? "retry", 0);
    case "status":
      return verdict(statuses[drop.status] ?? (isTemporary(drop.status) ? "retry" : "refuse"), drop.retryAfterMs ?? 0);
    default:
      return { type: "retry", atLeastMs: 0 };
  }
}

/** Why a connection is over that was still being greeted: a peer that closes it for good has refused the login. */
export function ungreeted(drop: Disconnect, policy: Policy): Disconnect {
  if (drop.reason !== "closed" || judge(drop, policy).type !== "refuse") return drop;
  return { reason: "greeting", rejected: true, detail: describeDisconnect(drop) };
}

function verdict(how: Class, retryAfterMs: number): Verdict {
  if (how === "refuse") return { type: "refuse" };
  const asked = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
  return { type: "retry", atLeastMs: how === "slow" ? Math.max(asked, SLOWLY_MS) : asked };
}
