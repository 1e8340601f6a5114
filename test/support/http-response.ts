/** A parser for one HTTP/1.1 response, sufficient for what our own server sends. */
import { Buffer } from "node:buffer";
import type { RawResponse } from "./http.ts";

export interface Read {
  readonly response: RawResponse;
  /** The number of bytes consumed. */
  readonly length: number;
}

/** Reads the first complete response of the buffer; undefined if more bytes are needed. `ended`: no more will come. */
export function readResponse(buffer: Buffer, ended: boolean): Read | undefined {
  const headEnd = buffer.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...headerLines] = buffer.subarray(0, headEnd).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`not an HTTP response: ${JSON.stringify(statusLine)}`);
  const headers = new Map<string, string>();
  for (const line of headerLines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const start = headEnd + 4;
  const body = readBody(buffer.subarray(start), status, headers, ended);
  if (body === undefined) return undefined;
  return {
    response: { status, headers, body: body.bytes.toString("utf8"), bytes: body.bytes },
    length: start + body.length,
  };
}

interface Body {
  readonly bytes: Buffer;
  readonly length: number;
}

function readBody(
  rest: Buffer,
  status: number,
  headers: ReadonlyMap<string, string>,
  ended: boolean,
): Body | undefined {
  if (status < 200 || status === 204 || status === 304) return { bytes: Buffer.alloc(0), length: 0 };
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return readChunks(rest);
  const length = headers.get("content-length");
  if (length !== undefined) {
    const size = Number(length);
    return rest.length < size ? undefined : { bytes: rest.subarray(0, size), length: size };
  }
  return ended ? { bytes: rest, length: rest.length } : undefined;
}

function readChunks(rest: Buffer): Body | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString("latin1"), 16);
    const start = lineEnd + 2;
    if (rest.length < start + size + 2) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), length: start + 2 };
    chunks.push(rest.subarray(start, start + size));
    at = start + size + 2;
  }
}
