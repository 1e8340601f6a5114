/** The report of an exit, step by step. */

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
