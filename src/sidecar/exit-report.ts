/** The report of an exit, as its callers receive it. */

export type StepName = "drain" | "stop" | "close" | "cancel" | "join";

/** `done`: within its bound · `forced`: ended by force after its bound · `failed`: not ended even by force. */
export type StepOutcome = "done" | "forced" | "failed" | "skipped";

export interface StepReport {
  readonly step: StepName;
  readonly outcome: StepOutcome;
  readonly ms: number;
  readonly counts: Readonly<Record<string, unknown>>;
}

/** The report of an exit: the reply to `/shutdown`, one line in the log, and what tests assert. */
export interface ExitReport {
  /** The trigger: `SIGTERM`, `SIGINT`, `/shutdown`, `call`, or the code of a failure. */
  readonly cause: string;
  /** A socket was destroyed after the close bound, or a thread was terminated. */
  readonly forced: boolean;
  readonly exit_code: number;
  readonly ms: number;
  readonly steps: readonly StepReport[];
}

/** False if a thread could not be joined and is left behind. */
export function isJoined({ steps }: ExitReport): boolean {
  return steps.every(({ step, outcome }) => step !== "join" || outcome !== "failed");
}
