/** The last response on an idle connection of a service that stops. */

import { refused } from "../errors.ts";
import { problemDocument } from "./problem.ts";

/**
 * A response in bytes of HTTP, to a request that may be crossing the connection's end. Its status is 408, which clients
 * take on an idle connection for a polite end (RFC 9110, section 15.5.9), and repeat a request that got it.
 */
export function lastResponse(): string {
  const { failure } = refused("shutting_down", "the connection was idle and ended, because the service is stopping");
  const body = `${JSON.stringify({ ...problemDocument(failure), status: 408 })}\n`;
  const head = [
    "HTTP/1.1 408 Request Timeout",
    "Connection: close",
    "Cache-Control: no-store",
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Sidesocket-Code: ${failure.code}`,
    `Sidesocket-Sent: ${failure.sent}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
