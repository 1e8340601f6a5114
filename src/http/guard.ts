import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { refused, type SidesocketError } from "../errors.ts";
import type { Access, Env } from "./ports.ts";

/** Who may come in: Host, Origin and token. Each check gives the refusal, or undefined. */

/** The probes are asked by a pod's address and without a token, and so say nothing but yes or no. */
const BARE_PROBES: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"]);

/** Whether the caller may ask at all: what a web page cannot choose. */
export function guardCaller(c: Context<Env>, access: Access): SidesocketError | undefined {
  if (BARE_PROBES.has(c.req.path)) return undefined;
  return checkHost(c, access) ?? checkOrigin(c, access);
}

/** Whether the caller has the token that this route wants. */
export function guardRoute(c: Context<Env>, access: Access): SidesocketError | undefined {
  if (BARE_PROBES.has(c.req.path)) return undefined;
  return checkToken(c, tokensFor(c.req.path, access));
}

/** Whether a caller of a bare probe may see more than yes or no. */
export function mayLookInside(c: Context<Env>, access: Access): boolean {
  return (checkHost(c, access) ?? checkOrigin(c, access) ?? checkToken(c, access.tokens)) === undefined;
}

/** Whose request it is: whoever has the same token; where none is asked for, everybody. */
export function callerOf(c: Context<Env>, { tokens }: Access): string {
  return tokens.length === 0
    ? ""
    : sha256(
        c.req
          .header("authorization")
          ?.replace(/^Bearer +/i, "")
          .trim() ?? "",
      ).toString("hex");
}

/** The names that loopback has in a `Host`, with the port that we listen on. */
export function loopbackHosts(port: number): string[] {
  const names = ["127.0.0.1", "localhost", "[::1]"];
  return names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

/** A page of a site whose name was made to point here (DNS rebinding) still sends that site's name as the Host. */
function checkHost(c: Context<Env>, { hosts }: Access): SidesocketError | undefined {
  // Our listener refuses a request without a Host. Used as a fetch handler there may be none: the URL says the same.
  const given = c.req.header("host") ?? new URL(c.req.url).host;
  if (hosts?.has(given)) return undefined;
  const host = given.toLowerCase();
  if (host === "") return refused("invalid_request", "the Host header is missing");
  if (hosts === undefined || hosts.has(host) || hosts.has(host.replace(/:\d+$/, ""))) return undefined;
  return refused("misdirected", "the Host header names a host that is not served here (see listen.hosts)");
}

/** Browsers send an Origin, programs do not; a page may call us only when the configuration names it. */
function checkOrigin(c: Context<Env>, { origins }: Access): SidesocketError | undefined {
  const origin = c.req.header("origin");
  if (origin !== undefined && !origins.includes(origin)) {
    return refused("forbidden", "web pages of this Origin may not call this service (see listen.origins)");
  }
  if (origin === undefined && c.req.header("sec-fetch-site") === "cross-site") {
    return refused("forbidden", "a web page of another site may not call this service");
  }
  return undefined;
}

function tokensFor(path: string, access: Access): readonly string[] {
  return path === "/shutdown" ? access.shutdownTokens : access.tokens;
}

function checkToken(c: Context<Env>, tokens: readonly string[]): SidesocketError | undefined {
  if (tokens.length === 0) return undefined;
  const given = /^Bearer +([\w.~+/-]+=*) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (given !== undefined && isOneOf(given, tokens)) return undefined;
  return refused("unauthorized", "send the token as `Authorization: Bearer …`");
}

/** Digests are equally long and say nothing of the token by the time that comparing them takes. All are compared. */
function isOneOf(given: string, tokens: readonly string[]): boolean {
  const digest = sha256(given);
  return tokens.reduce((found, token) => timingSafeEqual(digest, sha256(token)) || found, false);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
