/** The log: one line for each record, on stderr. */

import {
  configureSync,
  type FormattedValues,
  getAnsiColorFormatter,
  getLogger,
  getTextFormatter,
  type LogRecord,
  sanitizeControlSequences,
} from "@logtape/logtape";
import type { LogSettings } from "../config/schema.ts";
import { Lines } from "../runtime/lines.ts";
import { runtime } from "../runtime/pick-runtime.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";

export const log = getLogger("sidesocket");

/** Standard error, for lines that are no log records. */
export const errorLines = new Lines((bytes) => runtime.write("stderr", bytes));
/** Standard output, while serving: only the line `listening on …`. */
export const outputLines = new Lines((bytes) => runtime.write("stdout", bytes));

/** True if log lines are JSON, as everywhere but on a terminal. */
let inJson = true;

export function startLog({ level, format }: LogSettings): void {
  inJson = (format ?? (process.stderr.isTTY ? "pretty" : "json")) === "json";
  const color = process.stderr.isTTY && !process.env.NO_COLOR;
  const formatter = inJson
    ? jsonLine
    : color
      ? getAnsiColorFormatter({ format: prettyLine })
      : getTextFormatter({ format: prettyLine });
  configureSync({
    sinks: { stderr: (record: LogRecord) => errorLines.push(formatter(record)) },
    loggers: [
      { category: "sidesocket", sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
}

/** Prints the report of the exit, whatever the level: alone on a terminal, in JSON with the fields of a log line. */
export function printReport(report: ExitReport): void {
  const message = `exit ${report.forced ? "forced" : "done"} after ${report.ms} ms: ${report.cause}`;
  const line = inJson ? { ...head(Date.now(), report.exit_code === 0 ? "info" : "error", message), ...report } : report;
  errorLines.push(`${JSON.stringify(line)}\n`);
}

/** The fields of the Elastic Common Schema (ECS) for what we call by a shorter name; all else is `sidesocket.…`. */
const FIELDS: Readonly<Record<string, string>> = {
  requestId: "http.request.id",
  method: "http.request.method",
  status: "http.response.status_code",
  address: "client.address",
  caller: "user.name",
  code: "error.code",
  detail: "error.message",
  traceId: "trace.id",
  spanId: "span.id",
};

function head(timestamp: number, level: string, message: string) {
  return {
    "@timestamp": new Date(timestamp).toISOString(),
    "log.level": level === "warning" ? "warn" : level,
    message,
    "ecs.version": "8.11.0",
    "service.name": "sidesocket",
  };
}

function jsonLine({ timestamp, level, rawMessage, properties }: LogRecord): string {
  const fields = Object.entries(properties).flatMap(([name, value]): [string, unknown][] => {
    if (value instanceof Error) {
      const { message, stack } = value;
      return [
        ["error.message", message],
        ["error.stack_trace", stack],
      ];
    }
    return [[FIELDS[name] ?? `sidesocket.${snakeCase(name)}`, value]];
  });
  return `${JSON.stringify({ ...head(timestamp, level, String(rawMessage)), ...Object.fromEntries(fields) })}\n`;
}

/**
 * Formats a record for people: with its properties, except those that the message has, and braces as they are: none of
 * our messages is a template.
 */
function prettyLine({ timestamp, level, record }: FormattedValues): string {
  const message = sanitizeControlSequences(String(record.rawMessage));
  const shown = Object.entries(record.properties)
    .filter(
      ([, value]) => value !== undefined && value !== 0 && !(typeof value === "string" && message.includes(value)),
    )
    .map(([name, value]) =>
      value instanceof Error ? `\n${value.stack}` : `${snakeCase(name)}=${JSON.stringify(value)}`,
    );
  return [timestamp, `[${level}]`, message, ...shown.map((property) => sanitizeControlSequences(property))].join(" ");
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
