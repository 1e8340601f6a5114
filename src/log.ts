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

/** Logs go to stderr, one line each; nothing else of ours does. Stdout has the one line that says where we listen. */

export const log = getLogger("sidesocket");

/** Standard error, for whatever is not a log record. */
export const errorLines = new Lines((bytes) => runtime.write("stderr", bytes));
/** Standard output, while serving. */
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
 * What a person reads: the library's own way would leave out the facts, and with them why something is so. No message of
 * ours is a template: braces in it are somebody's words.
 */
function line({ timestamp, level, category, record }: FormattedValues): string {
  const message = sanitizeControlSequences(String(record.rawMessage));
  const facts = Object.entries(record.properties).filter(([, value]) => value !== undefined);
  const told = facts.map(([name, value]) =>
    value instanceof Error ? `\n${value.stack}` : `${name}=${JSON.stringify(value)}`,
  );
  return [timestamp, `[${level}]`, `${category}:`, message, ...told.map((fact) => sanitizeControlSequences(fact))].join(
    " ",
  );
}
