/** The server of HTTPS of both runtimes, loaded only where it is needed. */

import type { ServerOptions } from "node:http";
import { createServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { Certificate, ListenTls } from "./runtime.ts";

/** @param handshakeWithinMs the time limit of a handshake, in milliseconds */
export function createSecureServer(
  options: ServerOptions,
  { certificate, minVersion }: ListenTls,
  handshakeWithinMs: number,
) {
  const asks = certificate.ca !== undefined;
  // A new context keeps nothing of the one before it.
  const contextOf = ({ cert, key, ca }: Certificate): SecureContextOptions => ({
    cert,
    key,
    ...(ca !== undefined && { ca }),
    minVersion: `TLSv${minVersion}`,
  });
  const server = createServer({
    ...options,
    ...contextOf(certificate),
    requestCert: asks,
    rejectUnauthorized: asks,
    handshakeTimeout: handshakeWithinMs,
  });
  return { server, renew: (renewed: Certificate) => server.setSecureContext(contextOf(renewed)) };
}
