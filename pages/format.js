/** Numbers, times and sizes for people. */

/** A duration in at most two units: `3 h 5 min`. */
export function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = Math.floor(ms / 1_000);
  if (s < 60) return `${s} s`;
  if (s < 3_600) return two(s, 60, "min", "s");
  if (s < 86_400) return two(Math.floor(s / 60), 60, "h", "min");
  return two(Math.floor(s / 3_600), 24, "d", "h");
}

function two(small, each, large, unit) {
  const rest = small % each;
  return `${Math.floor(small / each)} ${large}${rest > 0 ? ` ${rest} ${unit}` : ""}`;
}

/** Milliseconds with as many digits as one can use. */
export function millis(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 10_000) return duration(ms);
  return `${ms >= 100 ? Math.round(ms) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

export function count(n) {
  return n === null || n === undefined ? "–" : n.toLocaleString("en");
}

export function plural(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  let size = n;
  for (; size >= 1_024 && at < units.length - 1; at++) size /= 1_024;
  return `${at === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

/** The time of day; with the date, if it is not today. */
export function clock(at) {
  const date = new Date(at);
  const time = date.toTimeString().slice(0, 8);
  return date.toDateString() === new Date().toDateString() ? time : `${date.toISOString().slice(0, 10)} ${time}`;
}
