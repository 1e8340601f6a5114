/** The log: one line for each record, on stderr. */

import {
  configureSync,
  type FormattedValues,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogRecord,
  sanitizeControlSequences,
} from "@logtape/logtape";
import type { LogSettings } from "./config/schema.ts";
import { Lines } from "./runtime/lines.ts";
import { runtime } from "./runtime/pick-runtime.ts";

export const log = getLogger("sidesocket");

/** Standard error, for lines that are no log records. */
export const errorLines = new Lines((bytes) => runtime.write("stderr", bytes));
/** Standard output, while serving: only the line `listening on …`. */
export const outputLines = new Lines((bytes) => runtime.write("stdout", bytes));

export function startLog({ level, format }: LogSettings): void {
  const pretty = (format ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty";
  const color = pretty && process.stderr.isTTY && !process.env.NO_COLOR;
  const formatter = !pretty
    ? getJsonLinesFormatter({ message: "template" })
    : color
      ? getAnsiColorFormatter({ format: line })
      : getTextFormatter({ format: line });
  configureSync({
    sinks: { stderr: (record: LogRecord) => errorLines.push(formatter(record)) },
    loggers: [
      { category: "sidesocket", sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
}

/**
 * Formats a record for people, properties included: the library's own formatter leaves them out, and with them the
 * reasons. Braces are printed as they are: none of our messages is a template.
 */
function line({ timestamp, level, category, record }: FormattedValues): string {
  const message = sanitizeControlSequences(String(record.rawMessage));
  const properties = Object.entries(record.properties).filter(([, value]) => value !== undefined);
  const shown = properties.map(([name, value]) =>
    value instanceof Error ? `\n${value.stack}` : `${name}=${JSON.stringify(value)}`,
  );
  return [
    timestamp,
    `[${level}]`,
    `${category}:`,
    message,
    ...shown.map((property) => sanitizeControlSequences(property)),
  ].join(" ");
}
