import type { Context } from "hono";
import { refused } from "../errors.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import type { Env, Lifecycle } from "./ports.ts";
import type { Stop } from "./stop.ts";

/** The caller's message out of the request: checked for its type and size, decoded, not parsed. */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Throws a SidesocketError when it cannot be taken. */
export async function readMessage(
  c: Context<Env>,
  accepts: Protocol["accepts"],
  limitBytes: number,
  { stopping }: Pick<Lifecycle, "stopping">,
): Promise<Body> {
  const binary = checkType(c.req.header("content-type"), accepts);
  const declared = Number(c.req.header("content-length") ?? Number.NaN);
  if (declared > limitBytes) throw tooLarge(limitBytes);
  // Without a length (chunked) only counting tells; with one the HTTP parser holds the sender to it.
  const counted = Number.isNaN(declared);
  const reading = counted ? readCounted(c.req.raw.body, limitBytes) : c.req.arrayBuffer();
  const read = await orStopped<Uint8Array | ArrayBuffer>(reading, stopping);
  const bytes = read instanceof Uint8Array ? read : new Uint8Array(read);
  if (bytes.byteLength === 0) throw refused("invalid_request", "the body is empty: send one message");
  return binary ? bytes : decodeText(bytes);
}

/** Throws a SidesocketError for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw refused("invalid_request", "the body is not valid UTF-8");
  }
}

/** @returns whether the body is to go out as a binary frame. */
function checkType(header: string | undefined, accepts: Protocol["accepts"]): boolean {
  const type = header?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return false;
  if (accepts === "any" && type.startsWith("text/")) return false;
  if (accepts === "any" && type === "application/octet-stream") return true;
  const wanted = accepts === "json" ? "application/json" : "text/plain, application/json or application/octet-stream";
  const got = type === "" ? "no Content-Type" : `Content-Type ${JSON.stringify(type.slice(0, 100))}`;
  const cure = accepts === "json" ? "--json" : "-H 'Content-Type: text/plain' --data-binary";
  const form = type === "application/x-www-form-urlencoded" ? ` curl's -d and PHP's forms send this: use ${cure}.` : "";
  throw refused("unsupported_media_type", `the body came with ${got}; this upstream takes ${wanted}.${form}`);
}

/** Throws a SidesocketError as soon as there are more bytes than the limit. */
export async function readCounted(body: AsyncIterable<Uint8Array> | null, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function tooLarge(limitBytes: number) {
  return refused("payload_too_large", `the body is larger than limits.request_bytes (${limitBytes} bytes)`);
}

/** A body that stops coming must not hold the exit. */
function orStopped<Value>(work: Promise<Value>, stopping: Stop): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(refused("shutting_down", "the service is shutting down, and the body was not complete"));
    if (stopping.come) {
      work.catch(() => {});
      return stop();
    }
    const listener = stopping.on(stop);
    const ended = (settle: () => void) => {
      stopping.off(listener);
      settle();
    };
    work.then(
      (value) => ended(() => resolve(value)),
      (error) => ended(() => reject(error)),
    );
  });
}
