/** Body of an HTTP request, read as the caller's message: checked for type and size, decoded, not parsed. */

import type { Context } from "hono";
import { refused } from "../../errors.ts";
import { owned } from "../../protocols/bytes.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import type { Env } from "../env.ts";
import type { AppParts, IncomingBody } from "../ports.ts";
import { header } from "../request-header.ts";
import type { StopSignal } from "../stop-signal.ts";
import { callerLeft } from "./caller-left.ts";
import { CollectedBody, tooLarge } from "./collected-body.ts";
import { pace } from "./paced-reading.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bodies of routes that take JSON alone. */
export const JSON_ALONE = { accepts: "json" } as const;

/**
 * Rejects with a SidesocketError if the body is too large, empty or not UTF-8.
 * @throws SidesocketError if its header says that it is too large or of the wrong type
 */
export function readMessage(
  c: Context<Env>,
  { accepts, binary: takesBytes = accepts === "any" }: Pick<ProtocolTraits, "accepts" | "binary">,
  limitBytes: number,
  { lifecycle: { stopping }, budget }: Pick<AppParts, "lifecycle" | "budget">,
): Promise<Body> {
  checkCoding(header(c, "content-encoding"));
  const binary = checkType(header(c, "content-type"), accepts, takesBytes);
  const declared = Number(header(c, "content-length") ?? Number.NaN);
  if (declared > limitBytes) throw tooLarge(limitBytes);
  // The client waits for this, if it is to send the body at all.
  c.env?.proceed?.();
  const expected = Number.isNaN(declared) ? undefined : declared;
  const collected = new CollectedBody(limitBytes, budget, expected);
  return readBody(c, collected, expected === undefined, stopping, binary ? owned : decodeText);
}

/** @throws SidesocketError if the bytes are not UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw refused("invalid_request", "the body is not valid UTF-8");
  }
}

/** @throws SidesocketError if the body is compressed */
export function checkCoding(header: string | undefined): void {
  const coding = header?.trim().toLowerCase() ?? "";
  if (coding === "" || coding === "identity") return;
  const got = JSON.stringify(coding.slice(0, 100));
  throw refused("unsupported_media_type", `the body has Content-Encoding ${got}: send it without one, uncompressed`);
}

/** JSON besides `application/json` and `…+json`: the names that JSON-RPC over HTTP allows. */
const JSON_TYPES: ReadonlySet<string> = new Set(["application/json-rpc", "application/jsonrequest"]);

/** Media types of bytes. */
const BYTES = /^(?:application\/octet-stream|(?:audio|video|image)\/.+|application\/(?:x-|vnd\.google\.)?protobuf)$/;

/** True if a body of this type is bytes. */
export function isBytes(header: string | undefined): boolean {
  return BYTES.test(typeOf(header));
}

function typeOf(header: string | undefined): string {
  // Taking it apart costs as much as decoding a small body.
  if (header === "application/json") return header;
  return header?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** @returns true if the message goes out as a binary frame */
function checkType(header: string | undefined, accepts: Protocol["accepts"], takesBytes: boolean): boolean {
  const type = typeOf(header);
  if (type === "application/json" || type.endsWith("+json") || JSON_TYPES.has(type)) return false;
  if (accepts === "any" && type.startsWith("text/")) return false;
  if (takesBytes && BYTES.test(type)) return true;
  const text = accepts === "json" ? "application/json" : "text/plain, application/json";
  const wanted = takesBytes ? `${text} or application/octet-stream` : text;
  const got = type === "" ? "no Content-Type" : `Content-Type ${JSON.stringify(type.slice(0, 100))}`;
  const cure = accepts === "json" ? "--json" : "-H 'Content-Type: text/plain' --data-binary";
  const form = type === "application/x-www-form-urlencoded" ? ` (curl -d and PHP forms send this: use ${cure})` : "";
  throw refused("unsupported_media_type", `this upstream takes ${wanted}; the body has ${got}${form}`);
}

/**
 * Reads the body; the exit ends the reading, since a stalled body must not hold it up. On our own listener it takes the
 * chunks directly: the Request's way to them makes another copy, and a promise and five listeners for each step.
 */
function readBody(
  c: Context<Env>,
  collected: CollectedBody,
  counted: boolean,
  stopping: StopSignal,
  read: (bytes: Uint8Array) => Body,
): Promise<Body> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      stopping.off(listener);
      collected.leave();
      reject(error);
    };
    const done = () => {
      try {
        resolve(messageIn(collected, read));
        stopping.off(listener);
        collected.leave();
      } catch (error) {
        fail(error);
      }
    };
    const stop = () => fail(refused("shutting_down", "the service is shutting down, and the body was incomplete"));
    const listener = stopping.on(stop);
    const incoming = c.env?.exclusive ? c.env.incoming : undefined;
    if (stopping.come) stop();
    // The caller left earlier, so no event would report it.
    else if (incoming?.destroyed) fail(callerLeft);
    else if (incoming) takeAll(incoming, collected, done, fail);
    else if (counted) readChunks(c.req.raw.body, collected).then(done, fail);
    else
      c.req
        .arrayBuffer()
        .then((whole) => collected.add(new Uint8Array(whole)))
        .then(done, fail);
  });
}

function messageIn(collected: CollectedBody, read: (bytes: Uint8Array) => Body): Body {
  const bytes = collected.whole();
  if (bytes.byteLength === 0) throw refused("invalid_request", "the body is empty: send one message in it");
  return read(bytes);
}

/** @throws SidesocketError as soon as the body is too large, or there is no memory for it */
export async function readChunks(body: AsyncIterable<Uint8Array> | null, collected: CollectedBody): Promise<void> {
  for await (const chunk of body ?? []) collected.add(chunk);
}

function takeAll(
  incoming: IncomingBody,
  collected: CollectedBody,
  done: () => void,
  fail: (error: unknown) => void,
): void {
  const take = (chunk: Uint8Array) => {
    try {
      collected.add(chunk);
      if (!collected.isComplete) pace(incoming, chunk.byteLength);
    } catch (error) {
      incoming.off("data", take).pause();
      fail(error);
    }
  };
  incoming.on("data", take);
  incoming.on("end", done);
  incoming.on("error", fail);
  // After `end` this has no effect.
  incoming.on("close", () => fail(callerLeft));
}
