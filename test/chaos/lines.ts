/** The product with an upstream of every dialect, each with its own process, ledger and, where it has them, ticks. */
import { assertQuiet, type Scene, scenes } from "../faults/scene.ts";
import type { Config, Product } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { type Dialect, type DialectName, dialectNames, dialects } from "./dialects.ts";
import { Ledger, type Verdict } from "./ledger.ts";
import { TickReader } from "./ticks.ts";
import { startUpstreamProcess, type UpstreamProcess } from "./upstream-process.ts";

export interface Line {
  readonly name: DialectName;
  readonly dialect: Dialect;
  readonly upstream: UpstreamProcess;
  readonly here: Scene;
  readonly ledger: Ledger;
  readonly ticks: TickReader | undefined;
}

export interface LinesOptions {
  readonly t: Cleanup;
  readonly seed: number;
  /** The settings of each upstream besides those of its dialect. */
  readonly settings: (name: DialectName) => Config;
  /** The address that the product connects to instead of the upstream itself. */
  readonly via?: (name: DialectName, upstream: UpstreamProcess) => Promise<{ readonly url: string }>;
  readonly graceMs: () => number;
  /** True if no connection is broken. */
  readonly lossless: boolean;
}

export interface Lines {
  readonly product: Product;
  readonly all: readonly Line[];
}

export async function startLines({ t, seed, settings, via, graceMs, lossless }: LinesOptions): Promise<Lines> {
  const started = await Promise.all(
    dialectNames.map(async (name) => {
      const upstream = await startUpstreamProcess({ seed, dialect: name, t });
      return { name, dialect: dialects[name], upstream, target: (await via?.(name, upstream)) ?? upstream };
    }),
  );
  const targets = started.map(({ name, dialect, target }) => {
    return [name, [target, { ...settings(name), ...dialect.settings }]] as const;
  });
  const sceneOf = await scenes(t, Object.fromEntries(targets));
  const { product } = sceneOf("rpc");
  await product.ready();
  const all = started.map(({ name, dialect, upstream }): Line => {
    const ledger = new Ledger(graceMs, dialect, name);
    const problem = (text: string): void => ledger.problem(text);
    const subscribes = "subscriptions" in dialect.settings;
    const ticks = subscribes ? new TickReader(product, { upstream: name, lossless, problem }) : undefined;
    return { name, dialect, upstream, here: sceneOf(name), ledger, ticks };
  });
  for (const { upstream } of all) await upstream.mood({ answer: "mixed" });
  return { product, all };
}

export function requestedOn(lines: Lines): number {
  return lines.all.reduce((sum, { ledger }) => sum + ledger.requested, 0);
}

/**
 * Asserts what must hold after every fault: each line serves a fresh request, nothing is pending, every tick was read,
 * no rejection went unhandled, no secret was printed, and SIGTERM ends the product with code 0.
 */
export async function assertIntact({ product, all }: Lines): Promise<void> {
  for (const { upstream } of all) await upstream.mood({ answer: "echo" });
  await product.ready(30_000).catch((error: unknown) => all[0]?.ledger.problem(`not ready again: ${error}`));
  for (const { name, ledger, here, upstream, ticks } of all) {
    const problem = (text: unknown): void => ledger.problem(`${name}: ${text}`);
    const before = ledger.replies;
    await ledger.request(product, { timeoutMs: 20_000 });
    if (ledger.replies === before) problem("a fresh request got no reply");
    await until(async () => (await here.state()).in_flight === 0, { what: "nothing to be in flight" }).catch(problem);
    await ticks?.finish((await upstream.stats()).ticks);
  }
}

export async function assertStops({ product, all }: Lines): Promise<void> {
  const problem = (text: string): void => all[0]?.ledger.problem(text);
  const { code } = await product.stop();
  if (code !== 0) problem(`SIGTERM ended the service with ${code}`);
  try {
    assertQuiet(product);
  } catch (error) {
    problem((error as Error).message);
  }
}

/** The verdict over all lines; a problem names its line. */
export async function judge({ all }: Lines): Promise<Omit<Verdict, "ends"> & { ends: Record<string, number> }> {
  const ends: Record<string, number> = {};
  const codes: Record<string, number> = {};
  const problems: string[] = [];
  const add = (to: Record<string, number>, from: Readonly<Record<string, number>>): void => {
    for (const [key, count] of Object.entries(from)) to[key] = (to[key] ?? 0) + count;
  };
  for (const { name, ledger, upstream } of all) {
    const verdict = ledger.judge(await upstream.received());
    add(ends, verdict.ends);
    add(codes, verdict.codes);
    problems.push(...verdict.problems.map((problem) => `${name}: ${problem}`));
    if (verdict.ends.reply === 0) problems.push(`${name}: nothing was answered`);
  }
  return { ends, codes, problems };
}

/** Figures of each line, under its name. */
export async function figuresOf({ all }: Lines): Promise<Record<string, string>> {
  const figures = all.map(async ({ name, ledger, upstream, here, ticks }) => {
    const { connections, configured, ticks: sent, ended } = await upstream.stats();
    const { counters } = await here.state();
    const read = ticks && { sent, read: ticks.last, ended, gaps: ticks.gaps };
    return [name, JSON.stringify({ asked: ledger.requested, connections, configured, ticks: read, ...counters })];
  });
  return Object.fromEntries(await Promise.all(figures)) as Record<string, string>;
}
