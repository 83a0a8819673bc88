// Reports as tables that sort, and codes as points.
import { button, documentOf, el, state } from "./core.js";

const value = (cell) => (cell !== null && typeof cell === "object" ? cell.value : cell);
const number = (x) => (Number.isInteger(x) ? String(x) : Math.abs(x) < 10 ? x.toFixed(3) : x.toFixed(1));
const text = (cell) => {
  if (cell === null) return "-";
  if (typeof cell === "object") return `${number(cell.value)} ±${number(Math.max(cell.high - cell.value, cell.value - cell.low))}`;
  return typeof cell === "number" ? number(cell) : String(cell);
};

export async function report(place, item) {
  const { title, columns, rows, notes } = await documentOf(item);
  const body = el("tbody");
  let sorted = -1, down = false;
  const draw = (order) => body.replaceChildren(...order.map((row) => el("tr", {}, row.map((cell, index) => el(index ? "td" : "th", index ? {} : { scope: "row" }, text(cell))))));
  const sort = (index) => {
    down = sorted === index && !down;
    sorted = index;
    draw([...rows].sort((a, b) => {
      const [x, y] = [value(a[index]), value(b[index])];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x ?? "").localeCompare(String(y ?? ""));
      return down ? -order : order;
    }));
  };
  draw(rows);
  place.append(el("h3", {}, title), el("div", { className: "reportbox" }, el("table", {}, el("thead", {}, el("tr", {}, columns.map((name, index) => el("th", { scope: "col" }, button(name || "-", () => sort(index), { "aria-label": `Sort by ${name || "name"}` }))))), body)), el("ul", {}, notes.map((one) => el("li", { className: "soft" }, one))));
}

export async function codes(place, item) {
  const { points, labels, model } = await documentOf(item);
  const canvas = el("canvas", { width: 600, height: 260, role: "img", "aria-label": `${points.length} codes of ${model}: ${labels.slice(0, 20).join(", ")}` });
  const drawing = canvas.getContext("2d");
  const axis = (index) => points.map((point) => point[index] ?? 0);
  const place1 = (all, size) => {
    const low = Math.min(...all), high = Math.max(...all);
    return (x) => 30 + ((x - low) / (high - low || 1)) * (size - 60);
  };
  const [xs, ys] = [axis(0), axis(1)], [px, py] = [place1(xs, 600), place1(ys, 260)];
  drawing.font = "12px system-ui";
  points.forEach((_, index) => {
    drawing.fillStyle = state.facts.palette[0] ?? "#0072b2";
    drawing.beginPath();
    drawing.arc(px(xs[index]), 260 - py(ys[index]), 4, 0, 7);
    drawing.fill();
    if (points.length < 40) {
      drawing.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
      drawing.fillText(labels[index], px(xs[index]) + 6, 260 - py(ys[index]) + 4);
    }
  });
  place.append(canvas, el("p", { className: "soft" }, `The first two of ${points[0].length} numbers of each code.`));
}
