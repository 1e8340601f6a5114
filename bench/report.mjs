/** The results as Markdown tables, which are readable in a terminal too. */

import { judge, keyFigures, summarize } from "./figures.mjs";
import { curves } from "./growth.mjs";
import { isolation } from "./isolation.mjs";
import { loads } from "./loads.mjs";

/** The load counts as busy from here on: more throughput could not have been seen. */
const BUSY = 0.9;

export function report(results, budget) {
  const parts = [machineLine(results), ...loadTables(results.loads), ...isolationTables(results.isolation)];
  parts.push(...growthTables(results.growth));
  for (const runtime of results.runtimes) {
    const figures = keyFigures(results, runtime);
    const bounds = Object.fromEntries(Object.entries(budget).filter(([name]) => name in figures));
    if (Object.keys(bounds).length > 0) parts.push(budgetTable(runtime, figures, bounds));
  }
  return `${parts.join("\n\n")}\n`;
}

export function budgetTable(runtime, figures, budget) {
  const lines = judge(figures, budget).map(({ name, value, bound, aim, holds }) => [
    name,
    number(value),
    bound,
    aim,
    value === undefined ? "not measured" : holds ? "yes" : "**no**",
  ]);
  return `### Against the budget, ${runtime}\n\n${table(["figure", "measured", "must", "aim", "holds"], lines)}`;
}

function machineLine({ date, machine, versions, options }) {
  const { cores, model, memoryGb, load } = machine;
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date}; ${cores} × ${model}, ${memoryGb} GB; ${software.join(", ")}.`,
    `${options.rounds} rounds, windows of ${options.seconds} s. ` +
      `Other work on the machine at the start: load average ${load}.`,
  ].join("\n");
}

function loadTables(results = []) {
  const lines = summarize(results);
  return Object.entries(loads).flatMap(([load, { title }]) => {
    const rows = lines.filter((line) => line.load === load);
    if (rows.length === 0) return [];
    const head = ["row", "runtime", "requests/s", "p50 ms", "p99 ms", "CPU µs", "of it main thread", "RSS MB", ""];
    const cells = rows.map((line) => [
      line.row,
      line.runtime,
      ...(line.failed && !line.rounds ? ["–", "–", "–", "–", "–", "–"] : figuresOf(line)),
      remark(line),
    ]);
    return [`### ${capital(title)}\n\n${table(head, cells)}`];
  });
}

function figuresOf({ perSecond, p50, p99, cpu, mainCpu, memoryMb }) {
  return [perSecond, p50, p99, cpu, mainCpu, memoryMb].map(number);
}

function remark({ failed, errors, loadShare }) {
  if (failed) return short(failed);
  if (errors > 0) return `${errors} errors`;
  return loadShare > BUSY ? "the load is the limit" : "";
}

function isolationTables(results = []) {
  return Object.entries(isolation).flatMap(([name, { title }]) => {
    const rows = results.filter(({ benchmark }) => benchmark === name);
    if (rows.length === 0) return [];
    const known = ["benchmark", "row", "runtime", "failed"];
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((column) => !known.includes(column));
    const cells = rows.map((row) => [
      row.row,
      row.runtime,
      ...columns.map((column) => number(row[column])),
      short(row.failed ?? ""),
    ]);
    return [`### ${capital(title)}\n\n${table(["row", "runtime", ...columns, ""], cells)}`];
  });
}

function growthTables(results = []) {
  return results.map(({ curve, row, runtime, points }) => {
    const cells = points.map(({ x, failed, cpu, mainCpu, perSecond, p50, memory }) => [
      x.toLocaleString("en"),
      ...[cpu, mainCpu, perSecond, p50, memory?.peak ?? memory?.now].map(number),
      short(failed ?? ""),
    ]);
    const head = [curves[curve].title, "CPU µs", "of it main thread", "a second", "p50 ms", "RSS MB", ""];
    return `### ${capital(curves[curve].title)}: ${row}, ${runtime}\n\n${table(head, cells)}`;
  });
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function number(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value
    .toPrecision(3)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function short(text) {
  return text.replaceAll(/[\n|]+/g, " ").slice(0, 120);
}
