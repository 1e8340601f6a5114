/** The dialogue with a proxy that leads to a tunnel: CONNECT of HTTP (RFC 9110) and SOCKS 5 (RFC 1928, 1929). */

import type { RetryClass } from "../../protocols/preset.ts";

/** The part of a proxy's settings that the dialogue needs. */
export interface ProxyLogin {
  readonly scheme: "http" | "https" | "socks5" | "socks5h";
  /** Not percent-encoded. Undefined: none. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** The host at the tunnel's far end: a name, or an address without brackets. */
export interface TunnelTarget {
  readonly hostname: string;
  readonly port: number;
  /** The family of `hostname` if that is an address, else 0. */
  readonly family: 0 | 4 | 6;
}

/**
 * Why there is no tunnel.
 * - `unreachable`: the proxy itself cannot be reached.
 * - `credentials`: it wants a login, or refuses ours.
 * - `refused`: it does not allow the connection.
 * - `target`: it cannot reach the upstream.
 * - `garbled`: it does not speak the protocol, or ended the connection.
 */
export type ProxyFault = "unreachable" | "credentials" | "refused" | "target" | "garbled";

export interface ProxyFailure {
  readonly type: "failed";
  readonly fault: ProxyFault;
  /** The end of a sentence that begins with the proxy. */
  readonly detail: string;
  readonly class: RetryClass;
}

/** One of our messages to the proxy, and how to read what it answers. */
export interface Dialogue {
  readonly type: "say";
  readonly send: Uint8Array;
  /** @param bytes everything that has come since `send` was written */
  read(bytes: Uint8Array): ProxyAnswer;
}

export type ProxyAnswer = { readonly type: "more" } | Dialogue | { readonly type: "agreed" } | ProxyFailure;

/** The most bytes of an answer. */
export const ANSWER_MAX = 16_384;

const MORE = { type: "more" } as const;

export function beginDialogue(proxy: ProxyLogin, target: TunnelTarget): Dialogue | ProxyFailure {
  return proxy.scheme === "http" || proxy.scheme === "https" ? connect(proxy, target) : socks(proxy, target);
}

function failed(fault: ProxyFault, detail: string, retry: RetryClass = "retry"): ProxyFailure {
  return { type: "failed", fault, detail, class: retry };
}

const tooMuch = failed("garbled", "sent more than its answer");

// CONNECT.

function connect(proxy: ProxyLogin, { hostname, port, family }: TunnelTarget): Dialogue {
  const authority = `${family === 6 ? `[${hostname}]` : hostname}:${port}`;
  const login = basic(proxy);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (login !== undefined) lines.push(`Proxy-Authorization: Basic ${login}`);
  const send = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  return { type: "say", send, read: (bytes) => readConnect(bytes, login !== undefined) };
}

/** The credentials of RFC 7617, in UTF-8. */
function basic({ username, password = "" }: ProxyLogin): string | undefined {
  if (username === undefined) return undefined;
  return btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${password}`)));
}

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})[ \r]/;

function readConnect(bytes: Uint8Array, hasLogin: boolean): ProxyAnswer {
  const text = new TextDecoder("latin1").decode(bytes);
  const isHttp = text.length < 13 ? "HTTP/1.".startsWith(text.slice(0, 7)) : STATUS_LINE.test(text);
  if (!isHttp) return failed("garbled", "answered CONNECT with something else than HTTP: is it an HTTP proxy?");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return MORE;
  const status = Number(STATUS_LINE.exec(text)?.[1]);
  if (status < 200 || status > 299) return refusalOf(status, text.slice(0, end), hasLogin);
  // A server of WebSockets does not speak first, so these bytes are not the upstream's.
  return text.length === end + 4 ? { type: "agreed" } : tooMuch;
}

function refusalOf(status: number, head: string, hasLogin: boolean): ProxyFailure {
  // tinyproxy answers a wrong password with the status of a server.
  if (status === 407 || status === 401) {
    return failed("credentials", `${loginFault(hasLogin)} (HTTP ${status}${acceptedBy(head)})`, "refuse");
  }
  if (status >= 500) return failed("target", `could not reach the upstream (HTTP ${status})`);
  const isTemporary = [408, 425, 429].includes(status);
  return failed("refused", `does not allow this connection (HTTP ${status})`, isTemporary ? "retry" : "refuse");
}

function loginFault(hasLogin: boolean): string {
  return hasLogin ? "refused the credentials" : "asks for credentials";
}

/** The schemes of a proxy that does not take a user and a password. */
function acceptedBy(head: string): string {
  const schemes = [...head.matchAll(/^proxy-authenticate: *([\w-]{1,32})/gim)].map(([, scheme = ""]) => scheme);
  if (schemes.length === 0 || schemes.some((scheme) => /^basic$/i.test(scheme))) return "";
  return `, it accepts only ${[...new Set(schemes)].slice(0, 4).join(", ")}`;
}

// SOCKS 5.

const NO_LOGIN = 0;
const PASSWORD = 2;
const NONE_ACCEPTED = 0xff;
const NO_SOCKS = failed("garbled", "does not answer as SOCKS 5 does: is it a socks5 proxy?");
/** A length has one byte. */
const TEXT_MAX = 255;

function socks({ username, password = "" }: ProxyLogin, target: TunnelTarget): Dialogue | ProxyFailure {
  const texts = [username ?? "", password].map((text) => new TextEncoder().encode(text));
  if (texts.some(({ length }) => length > TEXT_MAX)) {
    return failed("credentials", `cannot be given a user or a password of more than ${TEXT_MAX} bytes`, "refuse");
  }
  const request = socksRequest(target);
  if (request.type === "failed" || username === undefined) return hello([NO_LOGIN], () => request);
  const login: Dialogue = {
    type: "say",
    send: Uint8Array.from([1, ...texts.flatMap((text) => [text.length, ...text])]),
    read: (bytes) => {
      if (bytes.length < 2) return MORE;
      if (bytes[1] !== 0) return failed("credentials", "refused the credentials", "refuse");
      return bytes.length === 2 ? request : tooMuch;
    },
  };
  return hello([NO_LOGIN, PASSWORD], (method) => (method === PASSWORD ? login : request));
}

function hello(methods: readonly number[], next: (method: number) => ProxyAnswer): Dialogue {
  return {
    type: "say",
    send: Uint8Array.from([5, methods.length, ...methods]),
    read: (bytes) => {
      const [version, method = NONE_ACCEPTED] = bytes;
      if (version !== undefined && version !== 5) return NO_SOCKS;
      if (bytes.length < 2) return MORE;
      if (method === NONE_ACCEPTED) {
        const detail = methods.includes(PASSWORD) ? "takes no user and password" : "asks for credentials";
        return failed("credentials", detail, "refuse");
      }
      if (!methods.includes(method)) return NO_SOCKS;
      return bytes.length === 2 ? next(method) : tooMuch;
    },
  };
}

function socksRequest({ hostname, port, family }: TunnelTarget): Dialogue | ProxyFailure {
  const address =
    family === 0 ? nameBytes(hostname) : family === 4 ? [1, ...ipv4Bytes(hostname)] : [4, ...ipv6Bytes(hostname)];
  if (address.length > TEXT_MAX + 2) return failed("refused", "cannot be given so long a name", "refuse");
  return {
    type: "say",
    send: Uint8Array.from([5, 1, 0, ...address, port >> 8, port & 0xff]),
    read: readSocksReply,
  };
}

function nameBytes(hostname: string): number[] {
  const bytes = new TextEncoder().encode(hostname);
  return [3, bytes.length, ...bytes];
}

function ipv4Bytes(address: string): number[] {
  return address.split(".").map(Number);
}

/** @param address as `URL` writes it, or as a name server gives it */
function ipv6Bytes(address: string): number[] {
  const [, front = "", dotted] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  const [a = 0, b = 0, c = 0, d = 0] = dotted === undefined ? [] : ipv4Bytes(dotted);
  const written =
    dotted === undefined ? address : `${front}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [before = "", after] = written.split("%", 1)[0]?.split("::") ?? [];
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groups(before), groups(after ?? "")];
  const zeros = after === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<number>(zeros).fill(0), ...last].flatMap((group) => [group >> 8, group & 0xff]);
}

function readSocksReply(bytes: Uint8Array): ProxyAnswer {
  const [version, code, , type, nameLength = 0] = bytes;
  if (version !== undefined && version !== 5) return NO_SOCKS;
  if (code === undefined) return MORE;
  if (code !== 0) return SOCKS_FAILURES[code] ?? failed("target", `could not reach the upstream (SOCKS reply ${code})`);
  if (bytes.length < 5) return MORE;
  const length = { 1: 10, 4: 22, 3: 7 + nameLength }[type ?? 0];
  if (length === undefined) return NO_SOCKS;
  if (bytes.length < length) return MORE;
  return bytes.length === length ? { type: "agreed" } : tooMuch;
}

const couldNot = (why: string): ProxyFailure => failed("target", `could not reach the upstream (${why})`);

/** By the reply codes of RFC 1928, section 6. */
const SOCKS_FAILURES: Readonly<Record<number, ProxyFailure>> = {
  1: couldNot("general failure"),
  2: failed("refused", "does not allow this connection (its rules)", "refuse"),
  3: couldNot("network unreachable"),
  4: couldNot("host unreachable"),
  5: couldNot("connection refused"),
  6: couldNot("TTL expired"),
  7: failed("refused", "does not know CONNECT", "refuse"),
  8: failed("refused", "does not know this type of address", "refuse"),
};
