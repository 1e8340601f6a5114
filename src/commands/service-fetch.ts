/** Requests to a service that `fetch` cannot reach: on a Unix socket, or with a certificate that it does not trust. */

import { request as plainRequest } from "node:http";
import { type RequestOptions, request as secureRequest } from "node:https";
import { Readable } from "node:stream";
import { type Fetch, UNTRUSTED } from "../client/remote-service.ts";

/** The way to a service: the path of its socket, and the certificates to trust in PEM. */
export interface ServiceWay {
  readonly socketPath?: string | undefined;
  readonly ca?: string | undefined;
}

/** @returns a part of `fetch`: what the client of a service needs. Says how to trust a certificate. */
export function fetchBy(way: ServiceWay): Fetch {
  const fetchThere = plainFetchBy(way);
  return async (url, request) => {
    try {
      return await fetchThere(url, request);
    } catch (error) {
      throw withCure(Object(error));
    }
  };
}

/** Node has a code for each way in which nobody has signed a certificate; Deno's `fetch` has this text for all. */
const IS_UNTRUSTED = /SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|invalid peer certificate/;

function withCure(error: { readonly code?: unknown; readonly cause?: { readonly code?: unknown } }): unknown {
  if (!IS_UNTRUSTED.test([error.code, error.cause?.code, error.cause].join(" "))) return error;
  const cure = "its certificate is not trusted: name the file of the one that signed it by --ca";
  return Object.assign(new Error(cure, { cause: error }), { code: UNTRUSTED });
}

function plainFetchBy({ socketPath, ca }: ServiceWay): Fetch {
  if (socketPath === undefined && ca === undefined) return fetch;
  const way = {
    // Its path is the only name of a socket: a certificate has none to compare.
    ...(socketPath !== undefined && { socketPath, checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
  };
  return (url, { method = "GET", headers, body, signal }) => {
    const options = { ...way, method, headers: Object.fromEntries(new Headers(headers)), ...(signal && { signal }) };
    return send(url, options, body as string | Uint8Array | null | undefined);
  };
}

function send(url: string, options: RequestOptions, body: string | Uint8Array | null | undefined): Promise<Response> {
  const request = url.startsWith("https:") ? secureRequest(url, options) : plainRequest(url, options);
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      const stream = Readable.toWeb(response) as ReadableStream<Uint8Array<ArrayBuffer>>;
      const pairs = Object.entries(headers).map(([name, value = ""]): [string, string] => [name, String(value)]);
      resolve(new Response(status === 204 ? null : stream, { status, headers: pairs }));
    });
    request.end(body ?? undefined);
  });
}
