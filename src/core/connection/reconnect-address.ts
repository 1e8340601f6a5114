/** The address that an upstream names for the next connection, and the decision whether it may be followed. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { type Condition, compile, finderOf, frameText } from "../../protocols/condition.ts";
import { textOfScalar } from "../../protocols/json-text.ts";
import type { Body } from "../../protocols/protocol.ts";

/** An address to follow, or the reason why it is not followed: without its path and query, which may be secrets. */
export type NamedAddress = { readonly url: string } | { readonly why: string };

type NamingContext = Pick<UpstreamSettings, "url" | "allow_plaintext">;

const URL_MAX = 4_096;

/** Compiles `reconnect.to_address`: the returned function finds the address in a frame that names one. */
export function addressNaming({
  when,
  at,
  hosts,
}: NamingRule): (frame: Body, from: NamingContext) => NamedAddress | undefined {
  const names = compile(when);
  const find = finderOf(at, when.text);
  return (frame, from) => {
    const seen = frameText(frame);
    if (!names(seen)) return undefined;
    const json = find(seen);
    if (!json?.startsWith('"')) return { why: `there is no text at ${at}` };
    const named = judgeAddress(textOfScalar(json), hosts, from);
    return "url" in named ? { url: withQueryOf(named.url, from.url) } : named;
  };
}

interface NamingRule {
  readonly when: Condition;
  readonly at: string;
  readonly hosts: readonly string[];
}

/**
 * Decides whether an address is followed that the upstream has chosen.
 * @param hosts those that may be named
 * @param from the address that the upstream was reached at
 */
export function judgeAddress(
  text: string,
  hosts: readonly string[],
  { url, allow_plaintext }: NamingContext,
): NamedAddress {
  if (text.length > URL_MAX || !URL.canParse(text)) return { why: "it is not a URL" };
  // The query of the configuration has placeholders; those of the upstream must not be filled.
  if (text.includes("${")) return { why: "there is a ${ in it" };
  const named = new URL(text);
  const configured = new URL(url);
  if (named.protocol !== "wss:" && named.protocol !== "ws:") return { why: "it is not a ws:// or wss:// address" };
  const shown = `${named.protocol}//${named.host}`;
  if (named.username !== "" || named.password !== "") return { why: `${shown} has credentials in it` };
  if (!hosts.some((host) => isAllowed(named, host))) return { why: `${named.host} is not among its hosts` };
  const maySendInClear = configured.protocol === "ws:" && (allow_plaintext || named.hostname === configured.hostname);
  if (named.protocol === "ws:" && !maySendInClear) return { why: `${shown} would leave TLS` };
  named.hash = "";
  return { url: named.href };
}

function withQueryOf(url: string, configured: string): string {
  const named = new URL(url);
  if (named.search === "") named.search = new URL(configured).search;
  return named.href;
}

/** `allowed` may have a port, by default that of the scheme; `*.` stands for one or more labels. */
function isAllowed({ protocol, hostname, port }: URL, allowed: string): boolean {
  const standard = protocol === "wss:" ? 443 : 80;
  const host = `${hostname}:${port || standard}`;
  const wanted = /:\d+$/.test(allowed) ? allowed : `${allowed}:${standard}`;
  return wanted.startsWith("*.") ? host.endsWith(wanted.slice(1)) : host === wanted;
}
