/** Guards by Host, Origin and token; each check returns the refusal, or undefined. */

import type { Context } from "hono";
import { BEARER_TOKEN } from "../config/wire.ts";
import { refused, type SidesocketError } from "../errors.ts";
import { ANYBODY, type Caller, type Tokens } from "./callers.ts";
import type { Env } from "./env.ts";
import type { Access } from "./ports.ts";
import { header } from "./request-header.ts";
import type { Tickets } from "./tickets.ts";

/** Probes arrive under a pod's address and without a token, so they report nothing but a status. */
export const BARE_PROBES: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"]);

/** Routes for whoever operates the service: they need the token of `/shutdown`. */
export const OPERATING: ReadonlySet<string> = new Set(["/shutdown", "/reload"]);

/** Checks what a web page cannot forge: Host and Origin. */
export function guardCaller(c: Context<Env>, access: Access): SidesocketError | undefined {
  if (BARE_PROBES.has(c.req.path)) return undefined;
  return checkHost(c, access) ?? checkOrigin(c, access);
}

/** Checks the token that the route requires. */
export function guardRoute(c: Context<Env>, access: Access, tickets?: Tickets): SidesocketError | undefined {
  if (BARE_PROBES.has(c.req.path)) return undefined;
  if (OPERATING.has(c.req.path)) return guardOperator(c, access);
  const refusal = checkToken(c, access.tokens, (caller) => noteCaller(c, caller));
  return refusal && tickets && redeemTicket(c, access, tickets) ? undefined : refusal;
}

/** Takes a ticket in place of a token: a browser's EventSource can set no header, and asks for events. */
function redeemTicket(c: Context<Env>, { tokens }: Access, tickets: Tickets): boolean {
  if (c.req.method !== "GET" || header(c, "authorization") !== undefined) return false;
  const ticket = c.req.query("ticket");
  if (ticket === undefined || !header(c, "accept")?.includes("text/event-stream")) return false;
  const caller = tickets.redeem(ticket, c.req.path, performance.now());
  // Its token may have been taken away by a reload.
  if (!caller || !tokens.knows(caller)) return false;
  noteCaller(c, caller);
  return true;
}

/** Checks the token of `/shutdown`, also where an app has the route under a path that we do not know. */
export function guardOperator(c: Context<Env>, { shutdownTokens, openShutdown }: Access): SidesocketError | undefined {
  if (shutdownTokens.isEmpty && !openShutdown) {
    const cure = "configure one for it (SIDESOCKET_SHUTDOWN_TOKEN_FILE)";
    return refused("forbidden", `${c.req.path} needs a token here: ${cure}`);
  }
  return checkToken(c, shutdownTokens, (caller) => noteCaller(c, caller));
}

/** True if the caller of a bare probe may see details. */
export function mayLookInside(c: Context<Env>, access: Access): boolean {
  return (checkHost(c, access) ?? checkOrigin(c, access) ?? checkToken(c, access.tokens)) === undefined;
}

function noteCaller(c: Context<Env>, caller: Caller): void {
  c.get("record").caller = caller;
}

/** The caller that the token belongs to; without tokens all callers are one. */
export function callerOf(c: Context<Env>): Caller {
  return c.get("record").caller ?? ANYBODY;
}

/**
 * Values of `Host` that address loopback on the given port. `host` is one more loopback address, such as 127.0.0.2.
 * @param unnamed the port that a URL leaves out
 */
export function loopbackHosts(port: number, host: string, unnamed = 80): string[] {
  const names = ["127.0.0.1", "localhost", "[::1]", host.includes(":") ? `[${host}]` : host];
  return names.flatMap((name) => (port === unnamed ? [name, `${name}:${port}`] : [`${name}:${port}`]));
}

/** Stops DNS rebinding: a page whose site's name resolves to us still sends that name as the Host. */
export function checkHost(c: Context<Env>, { hosts }: Access): SidesocketError | undefined {
  // Our listener refuses a request without a Host. A fetch handler may get none; the URL names the same host.
  const given = header(c, "host") ?? new URL(c.req.url).host;
  if (hosts?.has(given)) return undefined;
  const host = given.toLowerCase();
  if (host === "") return refused("invalid_request", "the Host header is empty: send the host of the URL");
  if (hosts === undefined || hosts.has(host) || hosts.has(host.replace(/:\d+$/, ""))) return undefined;
  return refused("misdirected", "the Host header names a host that is not served here: add it to listen.hosts");
}

/** Browsers send an Origin, programs do not. A page may call if its origin is in the configuration, or ours. */
function checkOrigin(c: Context<Env>, access: Access): SidesocketError | undefined {
  const origin = header(c, "origin");
  const site = header(c, "sec-fetch-site");
  if (origin !== undefined && !access.origins.includes(origin) && !isOwnPage(c, access, origin, site)) {
    return refused("forbidden", "web pages of this Origin may not call this service: add it to listen.origins");
  }
  if (origin === undefined && site === "cross-site") {
    return refused(
      "forbidden",
      "web pages of other sites may not call this service: add their origin to listen.origins",
    );
  }
  return undefined;
}

/**
 * True for a page that came from this service: its Origin has the host and port that the request was sent to. Only
 * where these are checked: a page that reaches us by DNS rebinding is of one origin with us, too.
 */
function isOwnPage(c: Context<Env>, { hosts }: Access, origin: string, site: string | undefined): boolean {
  if (hosts === undefined || (site !== undefined && site !== "same-origin")) return false;
  const own = (header(c, "host") ?? new URL(c.req.url).host).toLowerCase();
  return own !== "" && (origin === `http://${own}` || origin === `https://${own}`);
}

/** @param onKnown called with the caller, unless no token is needed */
function checkToken(
  c: Context<Env>,
  tokens: Tokens,
  onKnown: (caller: Caller) => void = () => {},
): SidesocketError | undefined {
  if (tokens.isEmpty) return undefined;
  const given = /^Bearer +(\S+) *$/i.exec(header(c, "authorization") ?? "")?.[1];
  const caller = given !== undefined && BEARER_TOKEN.test(given) ? tokens.callerOf(given) : undefined;
  if (caller) {
    onKnown(caller);
    return undefined;
  }
  return refused("unauthorized", "missing or wrong token: send it as `Authorization: Bearer …`");
}
