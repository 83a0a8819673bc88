"use strict";
// Where the points are, and which are near to a place.

/** One for each layout: positions x, y, x, y, ... and a grid of cells over [-1, 1]. */
const layouts = [];
let count = 0;

function makeLayout(key) {
  const xy = Float64Array.from(arrays[key].values, (v) => v / 32767), n = xy.length / 2;
  const side = Math.max(1, Math.ceil(Math.sqrt(n / 3)));
  const cellOf = (v) => Math.max(0, Math.min(side - 1, Math.floor((v + 1) / 2 * side)));
  // Points sorted by cell; those of cell c are items[start[c]] ... items[start[c + 1] - 1].
  const start = new Int32Array(side * side + 1), items = new Int32Array(n);
  const cells = Int32Array.from({ length: n }, (_, i) => cellOf(xy[2 * i + 1]) * side + cellOf(xy[2 * i]));
  for (const cell of cells) start[cell + 1]++;
  for (let c = 0; c < side * side; c++) start[c + 1] += start[c];
  const free = start.slice();
  cells.forEach((cell, i) => { items[free[cell]++] = i; });
  const layout = { key, xy, side, cellOf, start, items, far: 0 };
  layouts.push(layout);
  layout.far = farFrom(layouts.length - 1);
  return layout;
}

/** Up to k points by distance: {index, squared}. `keep` tells which points count. */
function nearest(number, x, y, k = 1, keep = null) {
  const { xy, side, cellOf, start, items } = layouts[number], found = [];
  const look = (index) => {
    if (keep && !keep(index)) return;
    const squared = (xy[2 * index] - x) ** 2 + (xy[2 * index + 1] - y) ** 2;
    if (found.length === k && squared >= found[k - 1].squared) return;
    let at = found.length;
    while (at > 0 && found[at - 1].squared > squared) at--;
    found.splice(at, 0, { index, squared });
    if (found.length > k) found.pop();
  };
  if (Math.abs(x) > 1 || Math.abs(y) > 1) { // off the grid, cells say little about distances
    for (let i = 0; i < count; i++) look(i);
    return found;
  }
  const column = cellOf(x), row = cellOf(y), size = 2 / side;
  for (let ring = 0; ring < side; ring++) {
    for (let r = Math.max(0, row - ring); r <= Math.min(side - 1, row + ring); r++) {
      const edge = Math.abs(r - row) === ring ? 1 : 2 * ring;
      for (let c = column - ring; c <= column + ring; c += edge || 1) {
        if (c < 0 || c >= side) continue;
        for (let i = start[r * side + c]; i < start[r * side + c + 1]; i++) look(items[i]);
      }
    }
    // What has not been looked at is at least so many whole cells away.
    if (found.length === k && found[k - 1].squared <= (ring * size) ** 2) break;
  }
  return found;
}

/** The distance from which a place counts as outside: where hardly a point is alone so far. */
function farFrom(number) {
  const { xy } = layouts[number], step = Math.max(1, Math.floor(count / 400)), distances = [];
  for (let i = 0; i < count; i += step) {
    const two = nearest(number, xy[2 * i], xy[2 * i + 1], 2);
    if (two.length > 1) distances.push(Math.sqrt(two[1].squared));
  }
  distances.sort((a, b) => a - b);
  return Math.max(0.04, 3 * (distances[Math.floor(0.95 * distances.length)] || 0));
}

/** The point whose code is nearest to a code: where something belongs that has no place. */
function nearestByCode(code) {
  const codes = arrays.codes.values, size = code.length;
  let best = 0, least = Infinity;
  for (let i = 0; i < count; i++) {
    let squared = 0;
    for (let k = 0; k < size; k++) squared += (codes[i * size + k] - code[k]) ** 2;
    if (squared < least) { least = squared; best = i; }
  }
  return best;
}
