"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const n = data.critic.length, genres = data.genres, colors = data.colors;
// Letters on the colours of the map, which are pale in the dark, too; elsewhere they follow the look.
const INK = "#1d2433", STEPS = 101;
const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink");
let cell = [n >> 1, n >> 1], view = "genre", walking = null, sheet = null;
const player = new Audio();
const at = (row, column) => data.probabilities[row][column];
const best = (p) => p.indexOf(Math.max(...p));
const entropy = (p) => -p.reduce((s, q) => s + (q > 0 ? q * Math.log(q) : 0), 0) / Math.log(p.length);
const tick = (i) => -1 + 2 * i / (n - 1);
const mix = (color, share) => {
  const rgb = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  return `rgb(${rgb.map((v) => Math.round(v * share + 255 * (1 - share))).join(",")})`;
};
const flat = data.critic.flat(), low = Math.min(...flat), high = Math.max(...flat);
const gray = (share) => mix("#0b3954", Math.max(0, Math.min(1, share)));
function cellColor(row, column) {
  const p = at(row, column);
  if (view === "entropy") return gray(entropy(p));
  if (view === "critic") return gray((data.critic[row][column] - low) / Math.max(1e-9, high - low));
  return mix(colors[best(p)], Math.max(...p) ** 0.7);
}
function ends() {
  // A path leads between the cells where its two genres are most probable.
  return [$("from").value, $("to").value].map((name) => {
    const k = genres.indexOf(name);
    let found = [0, 0];
    for (let r = 0; r < n; r++) for (let c = 0; c < n; c++)
      if (at(r, c)[k] > at(...found)[k]) found = [r, c];
    return found;
  });
}
function between([row, column]) {
  // Bilinear: the probabilities of a point between cells.
  const r = Math.min(n - 2, Math.floor(row)), c = Math.min(n - 2, Math.floor(column));
  const v = row - r, u = column - c;
  return genres.map((_, k) => (1 - v) * ((1 - u) * at(r, c)[k] + u * at(r, c + 1)[k])
    + v * ((1 - u) * at(r + 1, c)[k] + u * at(r + 1, c + 1)[k]));
}
function path() {
  const [a, b] = ends();
  return Array.from({ length: STEPS }, (_, i) => {
    const t = i / (STEPS - 1);
    return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
  });
}
function drawMap() {
  const canvas = $("map"), scale = devicePixelRatio || 1;
  const size = Math.round(canvas.clientWidth * scale);
  canvas.width = canvas.height = size;
  const g = canvas.getContext("2d"), side = size / n;
  const x = (v) => (v + 1) / 2 * (size - side) + side / 2, y = (v) => size - x(v);
  for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) {
    g.fillStyle = cellColor(r, c);
    g.fillRect(Math.floor(c * side), Math.floor(size - (r + 1) * side), Math.ceil(side) + 1, Math.ceil(side) + 1);
  }
  g.lineWidth = 1.5 * scale; g.strokeStyle = INK;
  for (const lines of Object.values(data.borders)) for (const line of lines) {
    g.beginPath(); line.forEach(([u, v], i) => i ? g.lineTo(x(u), y(v)) : g.moveTo(x(u), y(v))); g.stroke();
  }
  if (view === "genre") {
    g.font = `600 ${13 * scale}px system-ui, sans-serif`; g.textAlign = "center"; g.textBaseline = "middle";
    genres.forEach((name, k) => {
      const mine = [];
      for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) if (best(at(r, c)) === k) mine.push([r, c]);
      if (mine.length < 0.015 * n * n) return;
      const mean = [0, 1].map((i) => mine.reduce((s, m) => s + m[i], 0) / mine.length);
      const near = mine.reduce((m, o) => Math.hypot(o[0] - mean[0], o[1] - mean[1]) < Math.hypot(m[0] - mean[0], m[1] - mean[1]) ? o : m);
      g.lineWidth = 3 * scale; g.strokeStyle = "#fffc"; g.fillStyle = INK;
      const half = g.measureText(name).width / 2 + 4 * scale;
      const middle = Math.min(size - half, Math.max(half, x(tick(near[1]))));
      g.strokeText(name, middle, y(tick(near[0]))); g.fillText(name, middle, y(tick(near[0])));
    });
  }
  const way = path();
  g.setLineDash([6 * scale, 5 * scale]); g.lineWidth = 2 * scale; g.strokeStyle = INK; g.beginPath();
  way.forEach(([r, c], i) => { const p = [x(-1 + 2 * c / (n - 1)), y(-1 + 2 * r / (n - 1))]; i ? g.lineTo(...p) : g.moveTo(...p); });
  g.stroke(); g.setLineDash([]);
  g.font = `${12 * scale}px system-ui, sans-serif`; g.textAlign = "left";
  for (const p of data.places) {
    g.beginPath(); g.arc(x(p.x), y(p.y), 5 * scale, 0, 7); g.fillStyle = INK; g.fill();
    g.lineWidth = 3 * scale; g.strokeStyle = "#fffc";
    g.strokeText(p.name, x(p.x) + 8 * scale, y(p.y)); g.fillText(p.name, x(p.x) + 8 * scale, y(p.y));
  }
  g.lineWidth = 3 * scale; g.strokeStyle = "white";
  g.strokeRect(cell[1] * side, size - (cell[0] + 1) * side, side, side);
  g.lineWidth = 1.5 * scale; g.strokeStyle = INK;
  g.strokeRect(cell[1] * side, size - (cell[0] + 1) * side, side, side);
}
function drawCell() {
  const p = at(...cell), k = best(p);
  $("where").innerHTML = "<b></b> <span class=soft></span>";
  $("where").firstChild.textContent = `${genres[k]} ${Math.round(100 * p[k])} %`;
  $("where").lastChild.textContent = `c${data.axes[0]} ${tick(cell[1]).toFixed(2)}, c${data.axes[1]} ${tick(cell[0]).toFixed(2)}; `
    + `entropy ${entropy(p).toFixed(2)}, critic ${data.critic[cell[0]][cell[1]].toFixed(2)}`;
  const rows = genres.map((name, i) => [p[i], name, colors[i]]).sort((a, b) => b[0] - a[0]);
  $("chances").replaceChildren(...rows.map(([q, name, color]) => {
    const row = document.createElement("tr");
    row.innerHTML = "<td></td><td><div></div></td><td></td>";
    row.cells[0].textContent = name; row.cells[2].textContent = `${Math.round(100 * q)} %`;
    Object.assign(row.cells[1].firstChild.style, { background: color, width: `${Math.max(1, 100 * q)}%` });
    return row;
  }));
  if (!sheet) return;
  const [parts, bands, frames] = data.shape;
  ["harmonic", "percussive"].forEach((name, i) => {
    const canvas = $(name), g = canvas.getContext("2d");
    if (i >= parts) { canvas.parentElement.hidden = true; return; }
    g.imageSmoothingEnabled = false;
    g.drawImage(sheet, cell[1] * frames, (cell[0] * parts + i) * bands, frames, bands, 0, 0, canvas.width, canvas.height);
  });
}
function drawCurves() {
  const canvas = $("curves"), g = canvas.getContext("2d"), w = canvas.width, h = canvas.height;
  const ps = path().map(between), a = genres.indexOf($("from").value), b = genres.indexOf($("to").value);
  g.clearRect(0, 0, w, h); g.font = "12px system-ui, sans-serif"; g.textAlign = "center";
  genres.forEach((name, k) => {
    const top = Math.max(...ps.map((p) => p[k]));
    if (top < 0.05) return;
    g.strokeStyle = colors[k]; g.lineWidth = k === a || k === b ? 4 : 1.5; g.beginPath();
    ps.forEach((p, i) => { const q = [8 + (w - 16) * i / (STEPS - 1), h - 6 - (h - 26) * p[k]]; i ? g.lineTo(...q) : g.moveTo(...q); });
    g.stroke();
    const i = ps.findIndex((p) => p[k] === top);
    g.fillStyle = ink();
    g.fillText(name, Math.min(w - 30, Math.max(30, 8 + (w - 16) * i / (STEPS - 1))), h - 10 - (h - 26) * top);
  });
  const cross = [];
  for (let i = 1; i < STEPS; i++) {
    const d = ps[i - 1][a] - ps[i - 1][b], e = ps[i][a] - ps[i][b];
    if ((d >= 0) !== (e >= 0)) cross.push((i - 1 + d / (d - e)) / (STEPS - 1));
  }
  g.strokeStyle = ink(); g.lineWidth = 1; g.setLineDash([3, 3]);
  for (const t of cross) { g.beginPath(); g.moveTo(8 + (w - 16) * t, 0); g.lineTo(8 + (w - 16) * t, h); g.stroke(); }
  g.setLineDash([]);
  $("way").textContent = `${$("from").value} to ${$("to").value}: `
    + (cross.length ? `equally probable at ${cross.map((t) => Math.round(100 * t) + " %").join(" and ")} of the way` : "they never are equally probable");
}
function draw() { drawMap(); drawCell(); drawCurves(); }
function play() {
  player.src = data.sounds[cell[0] * n + cell[1]];
  return player.play().catch((error) => { $("where").append(` (no sound: ${error.message})`); });
}
function choose(row, column, sound = true) {
  cell = [Math.max(0, Math.min(n - 1, row)), Math.max(0, Math.min(n - 1, column))];
  drawMap(); drawCell();
  if (sound) play();
}
function stop() { clearTimeout(walking); walking = null; $("walk").textContent = "Play the path"; player.pause(); }
function walk() {
  if (walking !== null) return stop();
  const way = path(), stops = 7;
  $("walk").textContent = "Stop";
  const next = (i) => {
    if (i === stops) return stop();
    const [r, c] = way[Math.round(i * (STEPS - 1) / (stops - 1))];
    choose(Math.round(r), Math.round(c));
    walking = setTimeout(next, 3100, i + 1);
  };
  next(0);
}
$("axes").textContent = `over c${data.axes[0]} and c${data.axes[1]}`;
$("map").addEventListener("click", (event) => {
  stop();
  const box = $("map").getBoundingClientRect();
  choose(n - 1 - Math.floor((event.clientY - box.top) / box.height * n), Math.floor((event.clientX - box.left) / box.width * n));
});
$("map").addEventListener("keydown", (event) => {
  const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (step) choose(cell[0] + step[0], cell[1] + step[1], false);
  else if (event.key === "Enter" || event.key === " ") play();
  else return;
  event.preventDefault();
});
$("view").addEventListener("change", () => { view = $("view").value; drawMap(); });
const shown = genres.filter((_, k) => data.probabilities.flat().some((p) => best(p) === k));
for (const id of ["from", "to"]) {
  $(id).append(...genres.map((name) => new Option(name)));
  $(id).addEventListener("change", () => { stop(); draw(); });
}
$("from").value = shown[0]; $("to").value = shown[shown.length - 1];
$("walk").addEventListener("click", walk);
$("legend").append(...genres.map((name, k) => {
  const item = document.createElement("span"), dot = document.createElement("i");
  dot.style.background = colors[k]; item.append(dot, name); return item;
}));
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
const image = new Image();
image.onload = () => { sheet = image; drawCell(); };
image.src = data.sprite;
draw();
