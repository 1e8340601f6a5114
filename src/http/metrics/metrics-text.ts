/** The text of a scrape, which prom-client's registry writes: a package that only the first scrape loads. */

import prometheus, { type Gauge, type RegistryContentType } from "prom-client";
import { FAMILIES, type Scrape } from "./families.ts";

const { Registry } = prometheus;

/** @returns the text and its media type: OpenMetrics, or the older format that every scraper understands */
export async function metricsText(
  scrape: Scrape,
  isOpenMetrics: boolean,
): Promise<{ readonly type: string; readonly text: string }> {
  const type = isOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(type);
  for (const family of FAMILIES) {
    const metric = {
      name: family.name,
      help: family.help,
      type: family.type,
      aggregator: "sum",
      get: () => ({ ...metric, values: family.samples(scrape) }),
    };
    // The registry needs no more than this of a metric; its types name the package's own classes.
    registry.registerMetric(metric as unknown as Gauge);
  }
  return { type, text: await registry.metrics() };
}
