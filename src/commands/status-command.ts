/** The command `sidesocket status`: the state of a running service as a table. */

import { sanitizeControlSequences } from "@logtape/logtape";
import { failureOf, lost, RemoteService } from "../client/remote-service.ts";
import type { StatusCommand } from "../config/commandline.ts";
import { SidesocketError } from "../errors.ts";
import type { JsonOf } from "../http/routing.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type CommandEnd, printFailure, UNREAD } from "./failed.ts";
import { LineOutput } from "./line-output.ts";
import { accessService } from "./service-access.ts";

const NOT_READY = 1;

type StateList = JsonOf<"upstreamListSchema">;

/** Prints the state, as the service gives it or as a table. The exit code says whether the service is ready. */
export async function status(command: StatusCommand, runtime: Runtime): Promise<CommandEnd> {
  const { url, token, fetch } = await accessService(command);
  const { json = false } = command.options;
  const service = new RemoteService(url, token, fetch);
  try {
    const [readiness, state] = await Promise.all([readReadiness(service), readState(service)]);
    const output = new LineOutput(runtime);
    try {
      if (json) await output.line(state.trimEnd());
      else await output.line(tableOf(readiness, (JSON.parse(state) as StateList).upstreams));
    } catch {
      return { exitCode: UNREAD, joined: true };
    }
    return { exitCode: readiness === "ready" ? 0 : NOT_READY, joined: true };
  } catch (error) {
    if (!(error instanceof SidesocketError)) throw error;
    // To ask for the state sends no message of anybody.
    return { exitCode: printFailure({ ...error.failure, sent: "no" }), joined: true };
  }
}

async function readReadiness(service: RemoteService): Promise<string> {
  return await service.call({ method: "GET", path: "/readyz", waitMs: 0 }, async (response) => {
    const { status: said } = JSON.parse(await response.text()) as Partial<JsonOf<"readinessSchema">>;
    if (said === undefined) throw lost("its readiness is none of sidesocket", "no");
    return said;
  });
}

async function readState(service: RemoteService): Promise<string> {
  return await service.call({ method: "GET", path: "/v1/upstreams", waitMs: 0 }, async (response) => {
    if (!response.ok) throw await failureOf(response);
    return await response.text();
  });
}

const HEAD = ["UPSTREAM", "PHASE", "SINCE", "IN FLIGHT", "KEPT", "LAST ERROR"];

/** The readiness, then a row for each upstream. */
export function tableOf(readiness: string, upstreams: StateList["upstreams"]): string {
  const rows = upstreams.map(({ name, phase, since, in_flight, kept, last_error, retry_in_ms }) => [
    name,
    phase,
    since.replace(/\.\d+Z$/, "Z"),
    String(in_flight),
    kept === null ? "?" : String(kept.messages),
    [last_error ?? "-", retry_in_ms === null ? [] : `next attempt in ${Math.ceil(retry_in_ms / 1_000)} s`]
      .flat()
      .join("; "),
  ]);
  const all = [HEAD, ...rows].map((row) => row.map((cell) => sanitizeControlSequences(cell)));
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return [readiness.replaceAll("_", " "), "", ...lines].map((line) => line.trimEnd()).join("\n");
}
