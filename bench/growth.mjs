/** Growth curves: the cost of a request as something grows. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { put } from "./loads.mjs";
import { readersAt } from "./readers-at.mjs";
import { row, startRow, startUpstream } from "./rows.mjs";

const MESSAGES_PER_SECOND = 100;
/** The most deliveries per second: the cost is wanted, not the collapse. */
const DELIVERIES_PER_SECOND = 100_000;

/** Limits beyond the defaults, which the curves would exceed. */
const LIMITS = { in_flight: 20_000, request_bytes: "32MiB", reply_bytes: "32MiB", buffered_bytes: "128MiB" };

const perConnections = (connections) => ({ connections, warmAnswers: 5_000 });

/**
 * Curves by name: `load` makes the load of a point; `upstreams` is the number of upstream connections that it needs.
 */
export const curves = {
  "in-flight": {
    title: "requests in flight",
    points: [1, 10, 100, 1_000, 10_000],
    rows: ["hand-written", "sidesocket"],
    load: perConnections,
  },
  body: {
    title: "bytes of the body",
    points: [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    rows: ["hand-written", "sidesocket"],
    load: (bytes) => ({ connections: bytes > 1_000_000 ? 1 : 8, bytes, warmAnswers: Math.min(5_000, 1e8 / bytes) }),
  },
  upstreams: {
    title: "upstreams",
    points: [1, 3, 10, 30, 100],
    rows: ["sidesocket"],
    load: () => perConnections(100),
    upstreams: (count) => count,
  },
  readers: { title: "readers of the journal (SSE)", points: [1, 10, 100, 1_000, 5_000], rows: ["sidesocket"] },
};

/** Spreads messages out, since combined writes would hide their cost. */
const singly = (readers) => Math.min(MESSAGES_PER_SECOND, DELIVERIES_PER_SECOND / readers);

/** Measures one curve of one row. A point that cannot be measured is a point with the reason. */
export async function grow(name, rowName, runtime, { seconds, warmSeconds, short }) {
  const { points, load, upstreams = () => 1 } = curves[name];
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-bench-"));
  const upstream = await startUpstream();
  const measured = [];
  try {
    for (const x of short ? points.slice(0, 4) : points) {
      const names = Array.from({ length: upstreams(x) }, (_, index) => `u${index}`);
      const file = join(folder, "config.json");
      const each = { url: upstream.url, limits: LIMITS };
      writeFileSync(file, JSON.stringify({ upstreams: Object.fromEntries(names.map((one) => [one, each])) }));
      const service = await startRow(row(rowName, runtime), upstream.url, ["--config", file]);
      const paths = service.name === "sidesocket" ? names.map((one) => `/v1/upstreams/${one}/request`) : [service.path];
      try {
        const window = { seconds, warmSeconds };
        const job = { paths, ...load?.(x) };
        const figures = load
          ? await put(service, upstream, job, window)
          : await readersAt(service, x, seconds, singly(x));
        measured.push({ x, ...figures });
      } catch (error) {
        measured.push({ x, failed: error.message });
      } finally {
        await service.stop();
      }
    }
  } finally {
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { curve: name, row: rowName, runtime, points: measured };
}
