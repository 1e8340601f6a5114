import {
  configureSync,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogRecord,
} from "@logtape/logtape";
import type { LogSettings } from "./config/schema.ts";
import { Lines } from "./runtime/lines.ts";
import { runtime } from "./runtime/pick.ts";

/** Logs go to stderr, one line each; nothing else of ours does. Stdout has the one line that says where we listen. */

export const log = getLogger("sidesocket");

/** Standard error, for whatever is not a log record. */
export const errorLines = new Lines((bytes) => runtime.write("stderr", bytes));
/** Standard output, while serving. */
export const outputLines = new Lines((bytes) => runtime.write("stdout", bytes));

export function startLog({ level, format }: LogSettings): void {
  const pretty = (format ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty";
  const color = pretty && process.stderr.isTTY && !process.env.NO_COLOR;
  const formatter = !pretty ? getJsonLinesFormatter() : color ? getAnsiColorFormatter() : getTextFormatter();
  configureSync({
    sinks: { stderr: (record: LogRecord) => errorLines.push(formatter(record)) },
    loggers: [
      { category: "sidesocket", sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
}
