/** Calls by JSON-RPC 2.0: the request of a method and parameters, and the result in its reply. */

import { refused, SidesocketError } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";
import type { RpcParams } from "./async-upstream.ts";
import { replyJson, unusable } from "./pending-reply.ts";
import { bodyOf } from "./sendable.ts";

/** @param id left out of the request, and of its reply, if it is undefined: sidesocket has its own on the wire */
export function rpcRequest(method: string, params: RpcParams | undefined, id?: number): string {
  if (typeof method !== "string") throw refused("invalid_request", "the method must be a text");
  return bodyOf({ jsonrpc: "2.0", id, method, params }) as string;
}

/** @throws SidesocketError `rpc_error` for an error of the upstream, `invalid_reply` if it is no JSON-RPC */
export function rpcResult<Result>(reply: Body): Result {
  const value = replyJson<unknown>(reply);
  if (typeof value === "object" && value !== null) {
    if ("error" in value && value.error !== null && value.error !== undefined) throw rpcFailure(value.error);
    if ("result" in value) return value.result as Result;
  }
  throw unusable("the reply has neither result nor error");
}

function rpcFailure(error: unknown): SidesocketError {
  const { code, message, data } = Object(error) as Readonly<Record<string, unknown>>;
  if (typeof code !== "number" || typeof message !== "string") {
    return unusable("the reply has an error that is none of JSON-RPC: take the reply by request()");
  }
  const rpc = { code, message, ...(data !== undefined && { data }) };
  const detail = `the upstream replied with the error ${code}: ${message}`;
  return new SidesocketError({ code: "rpc_error", sent: "yes", detail, rpc });
}
