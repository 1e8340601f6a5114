/** Key figures of the rounds: the median of each row under each load, and the ratios of the budget. */

/** An even number gives the mean of the middle two: the upper one would always show the worse of two rounds. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const MEASURED = ["perSecond", "p50", "p99", "cpu", "mainCpu", "upstreamCpu", "loadCpu", "loadShare"];

/** Summarizes the rounds in one line for each row and load, by medians. */
export function summarize(results) {
  const key = ({ row, runtime, load }) => `${row} ${runtime} ${load}`;
  return [...new Set(results.map(key))].map((wanted) => {
    const rounds = results.filter((result) => key(result) === wanted);
    const [{ row, runtime, load }] = rounds;
    const good = rounds.filter(({ failed }) => failed === undefined);
    const failed = rounds.find((round) => round.failed !== undefined)?.failed;
    if (good.length === 0) return { row, runtime, load, failed };
    const figures = MEASURED.map((name) => [name, median(good.map((round) => round[name]))]);
    const memoryMb = Math.max(...good.map(({ memory }) => memory?.peak ?? Number.NaN));
    const errors = good.reduce((sum, round) => sum + round.errors, 0);
    return { row, runtime, load, failed, rounds: good.length, errors, memoryMb, ...Object.fromEntries(figures) };
  });
}

/** Computes every figure that the budget may bound, by name; those not measured are missing. */
export function keyFigures({ loads = [], isolation = [] }, runtime) {
  const figures = {
    "cpu against bare": ratio(loads, runtime, "c64", "cpu", "bare"),
    "cpu against hand-written": ratio(loads, runtime, "c64", "cpu", "hand-written"),
    "throughput against hand-written": ratio(loads, runtime, "c64", "perSecond", "hand-written"),
    "throughput against connect-per-request": ratio(loads, runtime, "c64", "perSecond", "connect-per-request"),
    "one request at a time, added µs": of(isolation, runtime, "single", "sidesocket")?.addedUs,
    "10 MB reply against raw and bare": of(isolation, runtime, "reply", "sidesocket")?.ratio,
    "10 MB reply, longest pause ms": of(isolation, runtime, "reply", "library")?.pauseMs,
    "flood, p99 against quiet": of(isolation, runtime, "flood", "sidesocket")?.ratio,
    "stall, disconnects": of(isolation, runtime, "stall", "library")?.disconnects,
    "stall, messages lost": of(isolation, runtime, "stall", "library")?.lost,
    "unread, MB over the configured": of(isolation, runtime, "unread", "sidesocket")?.overMb,
    "unread, messages a second": of(isolation, runtime, "unread", "sidesocket")?.perSecond,
    "start to ready, ms": of(isolation, runtime, "start", "sidesocket")?.readyMs,
    "idle MB": of(isolation, runtime, "start", "sidesocket")?.idleMb,
    "1,000 SSE readers, µs a delivery": of(isolation, runtime, "readers", "sidesocket")?.togetherUs,
    "1,000 SSE readers, µs a delivery where each is written by itself": of(isolation, runtime, "readers", "sidesocket")
      ?.singlyUs,
  };
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}

/** Takes the ratio within each round, whose rows ran within minutes of each other, then the median. */
function ratio(loads, runtime, load, figure, other) {
  const find = (row, round) =>
    loads.find((one) => one.row === row && one.runtime === runtime && one.load === load && one.round === round)?.[
      figure
    ];
  const rounds = [...new Set(loads.map(({ round }) => round))];
  const ratios = rounds.map((round) => find("sidesocket", round) / find(other, round)).filter(Number.isFinite);
  return ratios.length === 0 ? undefined : median(ratios);
}

function of(isolation, runtime, benchmark, row) {
  return isolation.find((one) => one.benchmark === benchmark && one.row === row && one.runtime === runtime);
}

/** Compares each bounded figure with its bound. A missing figure does not hold. */
export function judge(figures, budget) {
  return Object.entries(budget).map(([name, { atMost, atLeast, aim }]) => {
    const value = figures[name];
    const holds = value !== undefined && !(value > atMost) && !(value < atLeast);
    const bound = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
    return { name, value, bound, aim: `${atMost === undefined ? "≥" : "≤"} ${aim}`, holds };
  });
}
