/** Stops as a user makes them, with assertions on what every stop owes: one report, its steps in order, in time. */
import assert from "node:assert/strict";
import type { Product } from "../support/product.ts";
import type { ExitReport, Step } from "../support/report.ts";

export type Cause = "SIGTERM" | "SIGINT" | "/shutdown";

/** The sum of the default bounds. */
export const DEFAULT_BOUND_MS = 9_000;

/** The extra time that the last lines of stderr and the end of the process take on a busy machine. */
const LEAVING_MS = 1_500;

export const ORDER: readonly Step["step"][] = ["drain", "stop", "close", "cancel", "join"];
export const ALL_DONE: readonly string[] = ORDER.map((step) => `${step} done`);

export interface Stopping {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the request to stop until the end of the process. */
  readonly ms: number;
  readonly report: ExitReport;
}

export const outcomes = (report: ExitReport): string[] => report.steps.map(({ step, outcome }) => `${step} ${outcome}`);

export function stepOf(report: ExitReport, name: Step["step"]): Step {
  const found = report.steps.find(({ step }) => step === name);
  assert.ok(found, `no step ${name} in ${JSON.stringify(report)}`);
  return found;
}

/** Calls `/shutdown` and resolves with its report. */
export async function shutDown(product: Product, query = ""): Promise<ExitReport> {
  const response = await product.fetch(`/shutdown${query}`, { method: "POST" });
  assert.equal(response.status, 200);
  return (await response.json()) as ExitReport;
}

/**
 * Stops the product and waits for the end. The response of `/shutdown` and the line on stderr must be the same report.
 */
export async function stopBy(product: Product, cause: Cause, boundMs = DEFAULT_BOUND_MS): Promise<Stopping> {
  const began = performance.now();
  const answered = cause === "/shutdown" ? shutDown(product) : undefined;
  if (cause !== "/shutdown") product.child.signal(cause);
  const stopped = await endOf(product, began, boundMs);
  assert.equal(stopped.report.cause, cause);
  if (answered) assert.deepEqual(await answered, stopped.report);
  return stopped;
}

/** Waits for the end of a stop that was requested at `began`. */
export async function endOf(product: Product, began: number, boundMs = DEFAULT_BOUND_MS): Promise<Stopping> {
  const { code, signal } = await product.ended(boundMs + LEAVING_MS);
  const ms = performance.now() - began;
  const report = assertReport(product);
  assert.ok(report.ms <= boundMs + 250, `the report says ${report.ms} ms, the bound is ${boundMs} ms`);
  return { code, signal, ms, report };
}

/** Asserts one report on stderr, with every step in its place and none longer than the whole. */
export function assertReport(product: Product): ExitReport {
  assert.equal(product.reports().length, 1, product.child.output());
  const report = product.report();
  assert.deepEqual(
    report.steps.map(({ step }) => step),
    ORDER,
  );
  const sum = report.steps.reduce((total, { ms }) => total + ms, 0);
  assert.ok(report.steps.every(({ ms }) => ms >= 0) && sum <= report.ms + ORDER.length, JSON.stringify(report));
  return report;
}
