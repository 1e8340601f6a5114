/** The server's half of the upgrade (RFC 6455 section 4), and ways to get it wrong. */
import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The upstream's reaction to the client's upgrade request. */
export type Handshake =
  | { readonly do: "accept"; readonly headers?: Readonly<Record<string, string>> }
  /** A response other than 101. */
  | {
      readonly do: "refuse";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Never responds, and keeps the connection. */
  | { readonly do: "silent" }
  /** The correct response, one byte at a time; with `forever`, endless header lines. */
  | { readonly do: "drip"; readonly everyMs: number; readonly forever?: boolean }
  | { readonly do: "wrong-key" }
  /** Responds with bytes that are not HTTP. */
  | { readonly do: "garbage"; readonly text: string }
  /** Ends the connection instead of responding. */
  | { readonly do: "end" }
  | { readonly do: "reset" };

export interface UpgradeRequest {
  readonly method: string;
  readonly path: string;
  /** Header names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The request as it arrived. */
  readonly text: string;
}

/** Parses the request once its empty line has arrived. */
export function readUpgrade(text: string): UpgradeRequest | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { method, path, headers, text: text.slice(0, end + 4) };
}

export function acceptKey(request: UpgradeRequest): string {
  return createHash("sha1")
    .update((request.headers.get("sec-websocket-key") ?? "") + GUID)
    .digest("base64");
}

/** Builds the 101 response. A given header replaces ours of the same name. */
export function acceptance(request: UpgradeRequest, headers: Readonly<Record<string, string>> = {}): string {
  return head(101, {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": acceptKey(request),
    ...headers,
  });
}

/** Builds a status line with headers and the empty line. */
export function head(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${status === 101 ? "Switching Protocols" : "Refused"}\r\n${lines.join("")}\r\n`;
}

export function refusal(status: number, headers: Readonly<Record<string, string>> = {}, body = ""): string {
  return head(status, { "Content-Length": String(new TextEncoder().encode(body).length), ...headers }) + body;
}
