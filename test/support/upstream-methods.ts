/** JSON-RPC methods of the scripted upstream, one line each, so that a test reads like the event it causes. */
import { Buffer } from "node:buffer";
import type { Message, UpstreamConnection } from "./upstream.ts";

export interface Call {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: unknown;
}

type Method = (call: Call, connection: UpstreamConnection) => void;

/** Returns the n-th parameter of a list, or the named one of an object. */
function param(call: Call, at: number, name: string): unknown {
  const { params } = call;
  if (Array.isArray(params)) return params[at];
  if (typeof params === "object" && params !== null) return (params as Record<string, unknown>)[name];
  return at === 0 ? params : undefined;
}

function numberOf(call: Call, at: number, name: string, fallback: number): number {
  const value = param(call, at, name);
  return typeof value === "number" ? value : fallback;
}

export function resultOf(call: Call, result: unknown): Readonly<Record<string, unknown>> {
  return { jsonrpc: "2.0", id: call.id, result };
}

export function errorOf(call: Call, code: number, message: string, data?: unknown): Readonly<Record<string, unknown>> {
  return { jsonrpc: "2.0", id: call.id ?? null, error: { code, message, ...(data === undefined ? {} : { data }) } };
}

/** Methods by name. Any other name is answered with JSON-RPC's -32601. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  /** Returns the parameters as the result. */
  ["echo", (call, to) => to.send(resultOf(call, call.params))],
  /** Replies after [ms] with ms. */
  ["sleep", (call, to) => to.later(numberOf(call, 0, "ms", 0), () => to.send(resultOf(call, call.params)))],
  /** Replies with a JSON-RPC error [code, message, data]. */
  [
    "error",
    (call, to) => {
      const message = param(call, 1, "message");
      to.send(
        errorOf(
          call,
          numberOf(call, 0, "code", -32000),
          typeof message === "string" ? message : "asked for",
          param(call, 2, "data"),
        ),
      );
    },
  ],
  /** Never replies. */
  ["silent", () => {}],
  /** Replies with a text of [bytes] letters. */
  ["big", (call, to) => to.send(resultOf(call, "x".repeat(numberOf(call, 0, "bytes", 1024))))],
  /** Replies with something that is not JSON. */
  ["garbage", (_call, to) => to.send("}this is not JSON{")],
  /** Replies in a binary frame. */
  ["binary", (call, to) => to.send(Buffer.from(JSON.stringify(resultOf(call, call.params))))],
  /** Replies [times] times. */
  [
    "repeat",
    (call, to) => {
      for (let n = 0; n < numberOf(call, 0, "times", 2); n += 1) to.send(resultOf(call, n));
    },
  ],
  /** Sends [count] notifications `note` with {n: 1…count, ...}, then replies with count. */
  [
    "notify",
    (call, to) => {
      const count = numberOf(call, 0, "count", 1);
      for (let n = 1; n <= count; n += 1) to.send({ jsonrpc: "2.0", method: "note", params: { n } });
      to.send(resultOf(call, count));
    },
  ],
  /** Closes with [code, reason] instead of replying. */
  [
    "close",
    (call, to) => {
      const reason = param(call, 1, "reason");
      to.close(numberOf(call, 0, "code", 1000), typeof reason === "string" ? reason : "");
    },
  ],
  /** Drops the connection instead of replying: ["fin"] or ["reset"]. */
  ["drop", (call, to) => to.kill(param(call, 0, "how") === "reset" ? "reset" : "fin")],
]);

function isCall(value: unknown): value is Call {
  return typeof value === "object" && value !== null && typeof (value as Call).method === "string";
}

/** Answers one JSON-RPC message; notifications are carried out without a reply. */
export function answerJsonRpc(message: Message, connection: UpstreamConnection): void {
  let call: unknown;
  try {
    call = JSON.parse(typeof message === "string" ? message : Buffer.from(message).toString("utf8"));
  } catch {
    connection.send({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } });
    return;
  }
  if (!isCall(call)) {
    connection.send({ jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid Request" } });
    return;
  }
  if (call.id === undefined) return;
  const method = methods.get(call.method);
  if (method === undefined) connection.send(errorOf(call, -32601, `Method not found: ${call.method}`));
  else method(call, connection);
}
