"use strict";
// The plane as numbers: what holds at any point of it, which point plays, and where names have room.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const n = data.critic.length, genres = data.genres, colors = data.colors, played = data.played;
const PIXELS = 480, STEPS = 101;
const best = (p) => p.indexOf(Math.max(...p));
const entropy = (p) => -p.reduce((s, q) => s + (q > 0 ? q * Math.log(q) : 0), 0) / Math.log(p.length);
const percent = (share) => `${Math.round(100 * share)} %`;
const clamp = (v, low = -1, high = 1) => Math.max(low, Math.min(high, v));
const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
const keeps = played.at.map((_, i) => best(played.pictured[i]) === best(played.heard[i]));

/** Where a coordinate, -1 to 1, lies between cells: the lower one, and the part of the way to the next. */
function between(v) {
  const at = (v + 1) / 2 * (n - 1), low = clamp(Math.floor(at), 0, n - 2);
  return [low, at - low];
}
/** The probabilities at a point, bilinear between the cells. */
function probabilities([x, y]) {
  const [c, u] = between(x), [r, v] = between(y), P = data.probabilities;
  const a = P[r][c], b = P[r][c + 1], d = P[r + 1][c], e = P[r + 1][c + 1];
  return genres.map((_, k) => (1 - v) * ((1 - u) * a[k] + u * b[k]) + v * ((1 - u) * d[k] + u * e[k]));
}
function critic([x, y]) {
  const [c, u] = between(x), [r, v] = between(y), S = data.critic;
  return (1 - v) * ((1 - u) * S[r][c] + u * S[r][c + 1]) + v * ((1 - u) * S[r + 1][c] + u * S[r + 1][c + 1]);
}
/** The point that plays for a place of the plane: the nearest one. */
function nearest([x, y]) {
  let found = 0, least = Infinity;
  played.at.forEach(([u, v], i) => {
    const d = (u - x) ** 2 + (v - y) ** 2;
    if (d < least) { least = d; found = i; }
  });
  return found;
}
/** A path leads between the cells where its two genres are most probable. */
function path(from, to) {
  const [a, b] = [from, to].map((name) => {
    const k = genres.indexOf(name);
    let found = [0, 0], most = -1;
    data.probabilities.forEach((row, r) => row.forEach((p, c) => { if (p[k] > most) { most = p[k]; found = [c, r]; } }));
    return found.map((i) => 2 * i / (n - 1) - 1);
  });
  return Array.from({ length: STEPS }, (_, i) => a.map((start, j) => start + (b[j] - start) * i / (STEPS - 1)));
}
const flat = data.critic.flat(), low = Math.min(...flat), high = Math.max(...flat);
const pale = (color, share) => color.map((v) => Math.round(v * share + 255 * (1 - share)));
const DEEP = rgb("#0b3954"), COLORS = colors.map(rgb);
const VIEWS = {
  genre: (at) => { const p = probabilities(at), k = best(p); return pale(COLORS[k], p[k] ** 0.7); },
  entropy: (at) => pale(DEEP, clamp(entropy(probabilities(at)), 0, 1)),
  critic: (at) => pale(DEEP, (critic(at) - low) / Math.max(1e-9, high - low)),
};
const painted = {};
/** The plane in the colours of a view, as fine as it is shown; made once. */
function paint(view) {
  if (painted[view]) return painted[view];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PIXELS;
  const g = canvas.getContext("2d"), image = g.createImageData(PIXELS, PIXELS);
  for (let i = 0; i < PIXELS * PIXELS; i++) {
    const at = [2 * (i % PIXELS) / (PIXELS - 1) - 1, 1 - 2 * Math.floor(i / PIXELS) / (PIXELS - 1)];
    image.data.set([...VIEWS[view](at), 255], 4 * i);
  }
  g.putImageData(image, 0, 0);
  return painted[view] = canvas;
}
/** Room for a name beside its point: the middle of the first free place, or null. Boxes are [x, y, half width, half height]. */
function room([x, y], width, height, boxes, size) {
  const meet = (a, b) => Math.abs(a[0] - b[0]) < a[2] + b[2] && Math.abs(a[1] - b[1]) < a[3] + b[3];
  for (let row = 0; row < 25; row++) for (const up of [1, -1]) for (const across of [1, -1, 0]) {
    const box = [
      clamp(x + across * (width + height) / 2, width / 2, size - width / 2),
      clamp(y - up * row * height, height / 2, size - height / 2), width / 2, height / 2,
    ];
    if (width <= size && !boxes.some((other) => meet(box, other))) { boxes.push(box); return box; }
  }
  return null;
}
