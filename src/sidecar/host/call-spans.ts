/** Spans of calls, by the names that OpenTelemetry gives to remote procedure calls. */

import { batchFailure, type Outcome, sentOf } from "../../core/outcome.ts";
import type { TraceContext } from "../../core/util/traceparent.ts";
import { localSocketOf } from "../../local-socket.ts";
import { configuredName } from "../instance-name.ts";
import { spanStarter } from "./spans.ts";

interface Called {
  readonly name: string;
  readonly settings: { readonly url: string };
  readonly protocol: { readonly name: string } | undefined;
}

/** The protocol as the conventions spell it. */
function systemOf({ protocol }: Called): string {
  const name = protocol?.name ?? "websocket";
  return name === "json-rpc" ? "jsonrpc" : name;
}

/**
 * Begins the span of a call. Its name is that of the protocol: methods are the caller's, and without a bound.
 * @returns a function that ends it with the outcome, or without one if its caller has left; undefined without an SDK
 */
export function startCallSpan(
  called: Called,
  caller?: TraceContext,
): ((outcome: Outcome | undefined) => void) | undefined {
  const start = spanStarter();
  if (!start) return undefined;
  const system = systemOf(called);
  const local = localSocketOf(called.settings.url);
  const { hostname, port, protocol } = new URL(called.settings.url);
  const span = start(
    system,
    {
      "rpc.system.name": system,
      // The host alone: path and query of an address may be secret.
      "server.address": local?.path ?? hostname,
      ...(!local && { "server.port": Number(port) || (protocol === "wss:" ? 443 : 80) }),
      "sidesocket.upstream": configuredName(called.name),
    },
    caller,
  );
  return (outcome) => {
    if (outcome === undefined) span.end({});
    else span.end({ "sidesocket.sent": sentOf(outcome) }, failureOf(outcome)?.code);
  };
}

function failureOf(outcome: Outcome) {
  if (outcome.type === "failed") return outcome.failure;
  return outcome.type === "batch" ? batchFailure(outcome) : undefined;
}
