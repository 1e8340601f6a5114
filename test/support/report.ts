/** The exit report in the shape of the contract, found in the log. */

export interface Step {
  readonly step: "drain" | "stop" | "close" | "cancel" | "join";
  readonly outcome: "done" | "forced" | "failed" | "skipped";
  readonly ms: number;
  readonly counts?: Readonly<Record<string, unknown>>;
}

export interface ExitReport {
  readonly cause: string;
  readonly forced: boolean;
  readonly exit_code: number;
  readonly ms: number;
  readonly steps: readonly Step[];
}

export type LogLine = Readonly<Record<string, unknown>>;

/** Parses every line that is a JSON object. */
export function logLines(stderr: string): LogLine[] {
  return stderr.split("\n").flatMap((line) => {
    const value = parse(line);
    return isObject(value) ? [value] : [];
  });
}

/** Finds every exit report in the log; a report may be the line itself or one of its fields. */
export function reportsIn(lines: readonly LogLine[]): ExitReport[] {
  return lines.flatMap((line) => findReport(line, 3) ?? []);
}

function parse(line: string): unknown {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is LogLine {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function findReport(value: unknown, depth: number): ExitReport | undefined {
  if (!isObject(value) || depth < 0) return undefined;
  if (Array.isArray(value.steps) && typeof value.exit_code === "number") {
    const { cause, forced, exit_code, ms, steps } = value as unknown as ExitReport;
    return { cause, forced, exit_code, ms, steps };
  }
  for (const inner of Object.values(value)) {
    const found = findReport(inner, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
