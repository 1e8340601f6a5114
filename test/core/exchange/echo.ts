/** Frames of an upstream that echoes, for tests of the exchange. */
import type { Body } from "../../../src/protocols/protocol.ts";

/** A JSON-RPC request for an echo of `nonce`. Without `id` it has none. */
export function echo(nonce: unknown, id?: string): string {
  const own = id === undefined ? "" : `"id":${id},`;
  return `{"jsonrpc":"2.0",${own}"method":"echo","params":${JSON.stringify(nonce)}}`;
}

/** The reply of such an upstream to a frame of ours. */
export function replyTo(frame: Body): string {
  const { id, params } = JSON.parse(String(frame));
  return JSON.stringify({ jsonrpc: "2.0", id, result: params });
}
