"use strict";
// How a group is told: a colour and a shape, for eyes that see no difference in one of them.

/** Okabe and Ito's colours; the last is the colour of ink. */
const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"];
const INK_ON_DARK = "#F2F4F8";
const YOURS_COLORS = { light: "#B3005E", dark: "#FF8AC4" };

const turn = (points, angle) => points.map(([x, y]) =>
  [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)]);
const ring = (n, radius, inner = radius) => Array.from({ length: n }, (_, i) => {
  const a = Math.PI * (0.5 + 2 * i / n), r = i % 2 ? inner : radius;
  return [r * Math.cos(a), r * Math.sin(a)];
});
const ARM = 0.3;
const PLUS = [
  [ARM, ARM], [ARM, 0.9], [-ARM, 0.9], [-ARM, ARM], [-0.9, ARM], [-0.9, -ARM],
  [-ARM, -ARM], [-ARM, -0.9], [ARM, -0.9], [ARM, -ARM], [0.9, -ARM], [0.9, ARM],
];
/** Corners, y up; the shaders of view.js draw the same eight, in this order. */
const SHAPES = [
  ["circle", ring(24, 0.86)],
  ["square", [[0.76, 0.76], [-0.76, 0.76], [-0.76, -0.76], [0.76, -0.76]]],
  ["triangle", [[0, 0.95], [-0.95, -0.72], [0.95, -0.72]]],
  ["diamond", ring(4, 0.98)],
  ["plus", PLUS],
  ["cross", turn(PLUS, Math.PI / 4)],
  ["wedge", [[0, -0.95], [0.95, 0.72], [-0.95, 0.72]]],
  ["star", ring(10, 1, 0.45)],
];

/** The mark of a group by its rank. Eight of a kind, then hollow ones, paired anew. */
function markOf(group) {
  if (group >= facts.groups.length) return { color: 8, shape: 0, hollow: true };
  const round = Math.floor(group / 8);
  return { color: group % 8, shape: (group + 3 * round) % 8, hollow: round % 2 === 1 };
}

function colorOf(group) {
  const { color } = markOf(group);
  if (color === 8) return YOURS_COLORS[theme()];
  return color === 7 && theme() === "dark" ? INK_ON_DARK : PALETTE[color];
}

const theme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const channels = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));

/** A darker one for rims on light ground, where yellow alone would not be seen. */
function rimOf(group) {
  const share = theme() === "dark" ? 0.75 : 0.6;
  return `rgb(${channels(colorOf(group)).map((v) => Math.round(v * share)).join(",")})`;
}

/** The mark as a small picture for legends and lists. */
function markPicture(group, size = 16) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const { shape, hollow } = markOf(group), path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "-1.25 -1.25 2.5 2.5");
  svg.setAttribute("width", size); svg.setAttribute("height", size);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", `M${SHAPES[shape][1].map(([x, y]) => `${x.toFixed(3)} ${(-y).toFixed(3)}`).join("L")}Z`);
  path.setAttribute("fill", hollow ? "none" : colorOf(group));
  path.setAttribute("stroke", hollow ? colorOf(group) : rimOf(group));
  path.setAttribute("stroke-width", hollow ? 0.42 : 0.18);
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

/** Draw a mark on a 2-D canvas around (0, 0). */
function drawMark(g, group, radius) {
  const { shape, hollow } = markOf(group);
  g.beginPath();
  for (const [x, y] of SHAPES[shape][1]) g.lineTo(x * radius, -y * radius);
  g.closePath();
  if (hollow) { g.strokeStyle = colorOf(group); g.lineWidth = Math.max(1, radius * 0.42); g.stroke(); return; }
  g.fillStyle = colorOf(group); g.fill();
  if (radius > 3) { g.strokeStyle = rimOf(group); g.lineWidth = 1; g.stroke(); }
}
