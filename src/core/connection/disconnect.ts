/** The reasons why a connection or a connection attempt ends, and their descriptions. */
import type { RetryClass } from "../../protocols/preset.ts";
import type { Rung } from "./liveness.ts";
import type { ProxyFault } from "./proxy-dialogue.ts";

export type Disconnect =
  /** An open connection ended, with or without (1006) a close frame. `text` is the peer's reason, made printable. */
  | { readonly reason: "closed"; readonly code: number; readonly text: string }
  /** The response to the upgrade was not 101. */
  | {
      readonly reason: "status";
      readonly status: number;
      readonly retryAfterMs?: number | undefined;
      readonly location?: string | undefined;
      /** Why the redirect is not followed, where some are. */
      readonly unfollowed?: string | undefined;
      /** The beginning of its body: bytes as they came, then a text for people. */
      readonly body?: Uint8Array | string | undefined;
    }
  | { readonly reason: "dns" | "tls" | "network" | "handshake" | "protocol"; readonly detail: string }
  /** A frame exceeded `limits.reply_bytes`. */
  | { readonly reason: "oversized"; readonly limitBytes: number }
  /** A message came in more than `limit` fragments, which follow from `limits.reply_bytes`. */
  | { readonly reason: "fragmented"; readonly limit: number; readonly limitBytes: number }
  /** More pings and pongs that nobody asked for than `limit` came within a second. */
  | { readonly reason: "flooded"; readonly limit: number }
  | {
      readonly reason: "timeout";
      readonly withinMs: number;
      /** The step before the upstream itself that has not ended. */
      readonly waitedFor?: string | undefined;
    }
  /** There is no way through the proxy. `detail` names it. */
  | { readonly reason: "proxy"; readonly fault: ProxyFault; readonly detail: string; readonly class: RetryClass }
  /** The settings for the attempt could not be resolved. */
  | { readonly reason: "credentials"; readonly detail: string }
  /** The protocol module failed at the beginning of the connection. */
  | { readonly reason: "module"; readonly detail: string }
  /** A rung of the liveness ladder expired: the connection is half-open, or the peer hangs. */
  | {
      readonly reason: "silent";
      readonly rung: Rung;
      readonly withinMs: number;
      /** When the peer was last heard, in words. */
      readonly heard?: string | undefined;
    }
  | {
      readonly reason: "greeting";
      readonly rejected: boolean;
      readonly detail: string;
      /** By default `refuse` for a rejection, `retry` for a failure. */
      readonly class?: RetryClass | undefined;
    }
  /** The peer did not complete the close handshake in time, so the socket was destroyed. */
  | { readonly reason: "unclosed"; readonly withinMs: number }
  /** We abandoned the connection, because continuing would have mixed up replies. */
  | { readonly reason: "renewed"; readonly detail: string }
  /** We broke the connection, because another replica of the cluster owns the upstream, or may. */
  | { readonly reason: "resigned"; readonly detail: string };

/** A name for counts: the close code of an open connection, the status of a refused upgrade, or the reason. */
export function codeOf(disconnect: Disconnect): string {
  if (disconnect.reason === "closed") return String(disconnect.code);
  if (disconnect.reason === "proxy") return `proxy_${disconnect.fault}`;
  return disconnect.reason === "status" ? `http_${disconnect.status}` : disconnect.reason;
}

/**
 * Text for people: in logs, on the state route, and as the `detail` of errors.
 * @param then follows what happened, before all that is known besides
 */
export function describeDisconnect(disconnect: Disconnect, then = ""): string {
  const heard = disconnect.reason === "silent" && disconnect.heard !== undefined ? `; ${disconnect.heard}` : "";
  return `${describe(disconnect)}${then}${heard}`;
}

function describe(disconnect: Disconnect): string {
  switch (disconnect.reason) {
    case "closed":
      return describeClose(disconnect.code, disconnect.text);
    case "status":
      return describeRefusal(disconnect);
    case "dns":
      return `the upstream's name could not be resolved (${disconnect.detail})`;
    case "tls":
      return `TLS to the upstream failed (${disconnect.detail})`;
    case "network":
      return `the upstream could not be reached (${disconnect.detail})`;
    case "handshake":
      return `the upstream's WebSocket handshake is invalid (${disconnect.detail})`;
    case "protocol":
      return `the upstream broke the WebSocket protocol (${disconnect.detail})`;
    case "oversized":
      return `the upstream sent a frame larger than limits.reply_bytes (${disconnect.limitBytes} bytes)`;
    case "fragmented":
      return describePieces(disconnect.limit, disconnect.limitBytes);
    case "flooded":
      return `the upstream sent more than ${disconnect.limit} pings and unsolicited pongs within a second`;
    case "timeout":
      return describeTimeout(disconnect);
    case "proxy":
      return disconnect.detail;
    case "credentials":
      return `the settings for this attempt could not be resolved: ${disconnect.detail}`;
    case "module":
      return `the protocol module cannot serve the connection: ${disconnect.detail}`;
    case "silent":
      return describeSilence(disconnect.rung, disconnect.withinMs);
    case "greeting":
      return disconnect.rejected
        ? `the upstream refused the greeting: ${disconnect.detail}`
        : `the greeting failed: ${disconnect.detail}`;
    case "unclosed":
      return `the upstream did not finish the close handshake within ${disconnect.withinMs} ms`;
    case "resigned":
      return `the connection was broken off: ${disconnect.detail}`;
    case "renewed":
      return `the connection was renewed: ${disconnect.detail}`;
  }
}

function describeTimeout({ withinMs, waitedFor }: Extract<Disconnect, { reason: "timeout" }>): string {
  return `no connection within ${withinMs} ms (connect_within)${waitedFor === undefined ? "" : `: ${waitedFor}`}`;
}

function describeRefusal({ status, location, unfollowed, body }: Extract<Disconnect, { reason: "status" }>): string {
  const isRedirect = status >= 300 && status < 400;
  const why = unfollowed === undefined ? "" : ` (redirects: ${unfollowed})`;
  const place = isRedirect ? `, a redirect to ${location} that is not followed${why}` : `, and Location ${location}`;
  const said = typeof body === "string" && body.trim() !== "" ? `: ${body.trim()}` : "";
  return `the upstream answered the upgrade with HTTP ${status}${location === undefined ? "" : place}${said}`;
}

function describeClose(code: number, text: string): string {
  if (code === 1006) return "the connection ended without a close frame (1006)";
  return `the upstream closed the connection with code ${code}${text ? ` (${text})` : ""}`;
}

function describePieces(limit: number, limitBytes: number): string {
  const allowed = `${limit} for ${limitBytes} bytes`;
  return `the upstream sent a message in more pieces than limits.reply_bytes allows (${allowed})`;
}

function describeSilence(rung: Rung, withinMs: number): string {
  if (rung === "ping") return `the upstream did not answer a ping within ${withinMs} ms (keepalive.pong_within)`;
  if (rung === "silence") return `the upstream was silent for ${withinMs} ms (keepalive.silence)`;
  return `the upstream did not answer the heartbeat within ${withinMs} ms (keepalive.heartbeat.within)`;
}
