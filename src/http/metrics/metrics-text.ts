/** The text of a scrape, which prom-client's registry writes: a package that only the first scrape loads. */

import prometheus, { type Gauge, type RegistryContentType } from "prom-client";
import { takeTurn } from "../../sidecar/turns.ts";
import { FAMILIES, type MetricFamily, type Sample, type Scrape } from "./families.ts";

const { Registry } = prometheus;

/** Samples that are written at a time: about a millisecond of work. A thousand upstreams have a hundred thousand. */
const PIECE = 500;
/** The time that pieces may take together before other work has its turn, in milliseconds. */
const TURN_MS = 4;

/** @returns the text and its media type: OpenMetrics, or the older format that every scraper understands */
export async function metricsText(
  scrape: Scrape,
  isOpenMetrics: boolean,
): Promise<{ readonly type: string; readonly text: string }> {
  const type = isOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
  const write = writerOf(type, isOpenMetrics);
  const families: string[] = [];
  let from = performance.now();
  for (const family of FAMILIES) {
    const pieces: string[] = [];
    for (const samples of inPieces(family.samples(scrape))) {
      const text = await write(family, samples);
      pieces.push(pieces.length === 0 ? text : withoutHead(text));
      if (performance.now() - from < TURN_MS) continue;
      await new Promise<void>(takeTurn);
      from = performance.now();
    }
    families.push(pieces.join("\n"));
  }
  const text = isOpenMetrics ? `${families.join("\n")}\n# EOF\n` : `${families.join("\n\n")}\n`;
  return { type, text };
}

/** Returns a function that writes some samples of a family, with its head. */
function writerOf(type: RegistryContentType, isOpenMetrics: boolean) {
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(type);
  return (family: MetricFamily, values: readonly Sample[]): Promise<string> => {
    // In OpenMetrics a counter's samples have the suffix and its family has not: the registry adds it to samples.
    const isCounter = isOpenMetrics && family.type === "counter";
    const name = isCounter ? family.name.replace(/_total$/, "") : family.name;
    const { help, type } = family;
    const metric = { name, help, type, aggregator: "sum", get: () => ({ ...metric, values }) };
    registry.clear();
    // The registry needs no more than this of a metric; its types name the package's own classes.
    registry.registerMetric(metric as unknown as Gauge);
    return registry.getSingleMetricAsString(name);
  };
}

/** At least one piece, which is empty if there are no samples. */
function* inPieces(samples: Iterable<Sample>): Generator<readonly Sample[]> {
  let piece: Sample[] = [];
  for (const sample of samples) {
    if (piece.length === PIECE) {
      yield piece;
      piece = [];
    }
    piece.push(sample);
  }
  yield piece;
}

/** The text without the lines `# HELP` and `# TYPE`. */
function withoutHead(text: string): string {
  return text.split("\n").slice(2).join("\n");
}
