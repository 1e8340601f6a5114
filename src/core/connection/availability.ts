/** The state of the connection as a request sees it. */
import type { Failure } from "../../errors.ts";
import { codeOf, describeDisconnect } from "./disconnect.ts";
import type { Session } from "./session-state.ts";

/** Ready to write to, worth waiting for, or down. */
export type Availability =
  | { readonly type: "ready"; readonly connection: number }
  | { readonly type: "hold" }
  | {
      readonly type: "down";
      readonly failure: Omit<Failure, "sent" | "retryAfterMs">;
      readonly until?: number;
      /** Undefined once no attempt follows. */
      readonly service?: PastService;
    };

/** The past service of an upstream that is down. */
export interface PastService {
  /** When it was last ready, by the monotonic clock; undefined if it never was. */
  readonly readyUntil: number | undefined;
  readonly attempts: number;
}

export function availability({ at, readyUntil, connection }: Session): Availability {
  const service = { readyUntil, attempts: connection };
  switch (at.phase) {
    case "ready":
      return { type: "ready", connection: at.connection };
    case "idle":
    case "connecting":
    case "greeting":
      return { type: "hold" };
    case "waiting":
      // We left the connection ourselves, so the upstream is not down: requests may wait for the next one.
      if (at.cause.reason === "renewed" || at.cause.reason === "resigned") return { type: "hold" };
      return {
        type: "down",
        failure: { code: "upstream_down", detail: describeDisconnect(at.cause), cause: codeOf(at.cause) },
        until: at.until,
        service,
      };
    case "refused": {
      const code = at.cause.reason === "greeting" ? "login_refused" : "upstream_down";
      const failure = { code, detail: describeDisconnect(at.cause), cause: codeOf(at.cause) } as const;
      return { type: "down", failure, until: at.until, service };
    }
    case "closing":
    case "closed":
      return {
        type: "down",
        failure: { code: "shutting_down", detail: "the connection is closing and will not be reopened" },
      };
  }
}
