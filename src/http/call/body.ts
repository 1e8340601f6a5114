import type { Context } from "hono";
import { refused } from "../../errors.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { Env, IncomingBody, Lifecycle } from "../ports.ts";
import type { StopSignal } from "../stop-signal.ts";
import { callerLeft } from "./caller-left.ts";

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
  const bytes = await readBody(c, limitBytes, Number.isNaN(declared), stopping);
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

/**
 * A body that stops coming must not hold the exit. On our own listener it is taken as it comes: the request's own way to
 * it would copy it once more, and make a promise and five listeners for each step.
 */
function readBody(c: Context<Env>, limitBytes: number, counted: boolean, stopping: StopSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      stopping.off(listener);
      reject(error);
    };
    const done = (bytes: Uint8Array) => {
      stopping.off(listener);
      resolve(bytes);
    };
    const stop = () => fail(refused("shutting_down", "the service is shutting down, and the body was not complete"));
    const listener = stopping.on(stop);
    const incoming = c.env?.exclusive ? c.env.incoming : undefined;
    if (stopping.come) stop();
    // Whoever left before this tells it no more.
    else if (incoming?.destroyed) fail(callerLeft);
    else if (incoming) takeAll(incoming, limitBytes, done, fail);
    else if (counted) readCounted(c.req.raw.body, limitBytes).then(done, fail);
    else c.req.arrayBuffer().then((read) => done(new Uint8Array(read)), fail);
  });
}

function takeAll(
  incoming: IncomingBody,
  limitBytes: number,
  done: (bytes: Uint8Array) => void,
  fail: (error: unknown) => void,
): void {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const take = (chunk: Uint8Array) => {
    size += chunk.byteLength;
    chunks.push(chunk);
    if (size <= limitBytes) return;
    incoming.off("data", take).pause();
    fail(tooLarge(limitBytes));
  };
  incoming.on("data", take);
  incoming.on("end", () => done(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)));
  incoming.on("error", fail);
  // Behind the end it says nothing new.
  incoming.on("close", () => fail(callerLeft));
}
