/** Reading the text of a scrape. */
import assert from "node:assert/strict";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metrics {
  readonly text: string;
  /** The families by name, each with its type and help. */
  readonly families: ReadonlyMap<string, { readonly type: string; readonly help: string }>;
  readonly samples: readonly Sample[];
  /** The sum of the samples of this name that have these labels; undefined if there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

const LINE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

export function readMetrics(text: string): Metrics {
  const families = new Map<string, { type: string; help: string }>();
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    const known = families.get(name) ?? { type: "", help: "" };
    if (kind === "HELP") families.set(name, { ...known, help: rest });
    else if (kind === "TYPE") families.set(name, { ...known, type: rest });
    else if (line !== "" && line !== "# EOF") samples.push(sampleIn(line));
  }
  return {
    text,
    families,
    samples,
    sum(name, labels = {}) {
      const isMeant = (sample: Sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
      const meant = samples.filter(isMeant);
      return meant.length === 0 ? undefined : meant.reduce((total, { value }) => total + value, 0);
    },
  };
}

function sampleIn(line: string): Sample {
  const [, name, labels = "", value] = LINE.exec(line) ?? [];
  assert.ok(name !== undefined, `no sample: ${line}`);
  const found = [...labels.matchAll(LABEL)].map(([, label = "", text = ""]) => [label, text]);
  return { name, labels: Object.fromEntries(found), value: Number(value) };
}

/** Scrapes, and fails unless the response is that of metrics. */
export async function scrape(url: string, init: RequestInit = {}): Promise<Metrics> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return readMetrics(text);
}
