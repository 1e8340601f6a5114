/**
 * A picture of the results in SVG, without scripts: bars of a request's cost, and a curve for everything that grows.
 */
import { summarize } from "./figures.mjs";
import { curves } from "./growth.mjs";
import { number } from "./report.mjs";

const WIDTH = 880;
const MARGIN = 16;
const BAR = 18;
const LABEL = 210;
const COLORS = { bare: "#9aa5b1", "hand-written": "#3e4c59", sidesocket: "#0f8a6d" };
const OTHER = "#c3b091";

export function chart(results) {
  const pictures = [...bars(results), ...lines(results)];
  let y = MARGIN;
  const placed = pictures.map(({ height, svg }) => {
    const moved = `<g transform="translate(${MARGIN} ${y})">${svg}</g>`;
    y += height + 2 * MARGIN;
    return moved;
  });
  const style =
    "text{font:12px system-ui,sans-serif;fill:#1f2933}.title{font-weight:600;font-size:14px}.small{font-size:10px}";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="sidesocket benchmark">`,
    `<style>${style}</style><rect width="100%" height="100%" fill="#fff"/>`,
    ...placed,
    "</svg>\n",
  ].join("\n");
}

function bars({ loads = [] }) {
  const at64 = summarize(loads).filter(({ load, rounds }) => load === "c64" && rounds > 0);
  const wanted = [
    ["perSecond", "Requests a second, 64 connections (longer is better)"],
    ["cpu", "CPU µs of the service for each request, 64 connections (shorter is better)"],
  ];
  return wanted.flatMap(([figure, title]) => {
    const rows = at64.filter((line) => Number.isFinite(line[figure]));
    if (rows.length === 0) return [];
    const most = Math.max(...rows.map((line) => line[figure]));
    const room = WIDTH - 2 * MARGIN - LABEL - 70;
    const each = rows.map((line, index) => {
      const y = 24 + index * (BAR + 6);
      const width = Math.max(1, (line[figure] / most) * room);
      return [
        text(LABEL - 8, y + 13, `${line.row} (${line.runtime})`, 'text-anchor="end"'),
        `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="${COLORS[line.row] ?? OTHER}"/>`,
        text(LABEL + width + 6, y + 13, number(line[figure])),
      ].join("");
    });
    return [{ height: 24 + rows.length * (BAR + 6), svg: text(0, 12, title, 'class="title"') + each.join("") }];
  });
}

function lines({ growth = [] }) {
  return Object.entries(curves).flatMap(([name, { title }]) => {
    const drawn = growth
      .filter(({ curve }) => curve === name)
      .map((curve) => ({ ...curve, points: curve.points.filter(({ cpu }) => cpu > 0) }))
      .filter(({ points }) => points.length > 0);
    return drawn.length === 0 ? [] : [curveOf(`CPU µs against ${title} (both logarithmic)`, drawn)];
  });
}

function curveOf(title, drawn) {
  const height = 220;
  const box = { left: 60, right: WIDTH - 2 * MARGIN - 170, top: 28, bottom: height - 24 };
  const all = drawn.flatMap(({ points }) => points);
  const x = scale(
    all.map((point) => point.x),
    box.left,
    box.right,
  );
  const y = scale(
    all.map((point) => point.cpu),
    box.bottom,
    box.top,
  );
  const grid = [
    ...x.ticks.map((tick) =>
      text(x.at(tick), height - 8, tick.toLocaleString("en"), 'class="small" text-anchor="middle"'),
    ),
    ...y.ticks.map((tick) => {
      const rule = `<path d="M${box.left} ${y.at(tick).toFixed(1)}H${box.right}" stroke="#e4e7eb"/>`;
      return rule + text(box.left - 6, y.at(tick) + 4, tick.toLocaleString("en"), 'class="small" text-anchor="end"');
    }),
  ];
  const paths = drawn.map(({ row, runtime, points }) => {
    const color = COLORS[row] ?? OTHER;
    const dash = runtime === "deno" ? ' stroke-dasharray="5 4"' : "";
    const path = points
      .map((point, i) => `${i ? "L" : "M"}${x.at(point.x).toFixed(1)} ${y.at(point.cpu).toFixed(1)}`)
      .join("");
    const last = points.at(-1);
    const label = text(x.at(last.x) + 8, y.at(last.cpu) + 4, `${row} (${runtime})`, 'class="small"');
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2"${dash}/>${label}`;
  });
  return { height, svg: text(0, 12, title, 'class="title"') + grid.join("") + paths.join("") };
}

/** Maps values logarithmically, from power of ten to power of ten. */
function scale(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { ticks, at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) };
}

function text(x, y, content, more = "") {
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${safe}</text>`;
}
