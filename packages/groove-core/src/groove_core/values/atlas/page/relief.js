"use strict";
// How dense the points lie: a relief under them, with contour lines.

const RELIEF_CELLS = 180, RELIEF_SPAN = 1.1;
/** Width of the kernel in cells: fewer points need a wider one (D. Scott's rule, two dimensions). */
const smoothing = (points) => 2.4 * clamp(35000 / Math.max(1, points), 0.1, 100) ** (1 / 6);
/** Shares of a high density at which lines are drawn. */
const CONTOURS = [0.05, 0.12, 0.22, 0.35, 0.5, 0.68];
const reliefs = new Map();

/** Density over [-1.1, 1.1] squared of the points of a group, or of all (-1): a KDE on a grid. */
function densityOf(layout, group) {
  const n = RELIEF_CELLS, { xy } = layouts[layout];
  let grid = new Float32Array(n * n), points = 0;
  for (let i = 0; i < count; i++) {
    if (group >= 0 && groupOf(i) !== group) continue;
    const u = (xy[2 * i] / RELIEF_SPAN + 1) / 2 * n - 0.5, v = (xy[2 * i + 1] / RELIEF_SPAN + 1) / 2 * n - 0.5;
    const c = Math.floor(u), r = Math.floor(v), p = u - c, q = v - r;
    points++;
    grid[r * n + c] += (1 - p) * (1 - q); grid[r * n + c + 1] += p * (1 - q);
    grid[(r + 1) * n + c] += (1 - p) * q; grid[(r + 1) * n + c + 1] += p * q;
  }
  const wide = smoothing(points), reach = Math.ceil(3 * wide), kernel = [];
  for (let d = -reach; d <= reach; d++) kernel.push(Math.exp(-0.5 * (d / wide) ** 2));
  for (const stride of [1, n]) { // along x, then along y
    const out = new Float32Array(n * n);
    for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) {
      const along = stride === 1 ? c : r, at = r * n + c;
      let sum = 0;
      for (let d = -reach; d <= reach; d++)
        if (along + d >= 0 && along + d < n) sum += kernel[d + reach] * grid[at + d * stride];
      out[at] = sum;
    }
    grid = out;
  }
  return grid;
}

/** The line at one height as pieces x0, y0, x1, y1, by marching squares, in coordinates of the map. */
function contour(grid, height) {
  const n = RELIEF_CELLS, pieces = [];
  const place = (k) => ((k + 0.5) / n * 2 - 1) * RELIEF_SPAN;
  // Sides of a cell: two corners, where the first one is, and the way to the second.
  const sides = [[0, 1, 0, 0, 1, 0], [1, 2, 1, 0, 0, 1], [2, 3, 1, 1, -1, 0], [3, 0, 0, 1, 0, -1]];
  for (let r = 0; r < n - 1; r++) for (let c = 0; c < n - 1; c++) {
    const at = r * n + c, corners = [grid[at], grid[at + 1], grid[at + n + 1], grid[at + n]];
    const above = corners.map((v) => v > height);
    if (above[0] === above[1] && above[1] === above[2] && above[2] === above[3]) continue;
    for (const [a, b, x, y, dx, dy] of sides) {
      if (above[a] === above[b]) continue;
      const t = (height - corners[a]) / (corners[b] - corners[a]);
      pieces.push(place(c + x + dx * t), place(r + y + dy * t));
    }
  }
  return pieces;
}

/**
 * Lines as triangles, since drawing thousands of pieces on a 2-D canvas takes seconds without
 * a graphics card: for each corner x, y, the normal to the side it lies on, and the opacity.
 */
function lineTriangles(grid, top) {
  const data = [];
  CONTOURS.forEach((share, level) => {
    const pieces = contour(grid, share * top), alpha = 0.3 + 0.1 * level;
    for (let k = 0; k < pieces.length; k += 4) {
      const [ax, ay, bx, by] = pieces.slice(k, k + 4), long = Math.hypot(bx - ax, by - ay) || 1;
      const nx = (ay - by) / long, ny = (bx - ax) / long;
      for (const [x, y, side] of [[ax, ay, 1], [ax, ay, -1], [bx, by, 1], [bx, by, 1], [ax, ay, -1], [bx, by, -1]])
        data.push(x, y, nx * side, ny * side, side, alpha);
    }
  });
  return Float32Array.from(data);
}

/** A high density, but not that of the one crowded spot next to which all else would be flat. */
function summitOf(grid) {
  const most = grid.reduce((a, b) => Math.max(a, b), 1e-9), some = grid.filter((v) => v > 0.002 * most).sort();
  return some.length ? some[Math.floor(0.985 * (some.length - 1))] : most;
}

/** Density as a picture in one colour, the denser the less transparent. */
function reliefPicture(grid, top, color, strength) {
  const n = RELIEF_CELLS, canvas = document.createElement("canvas");
  canvas.width = canvas.height = n;
  const g = canvas.getContext("2d"), image = g.createImageData(n, n), [red, green, blue] = channels(color);
  for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) {
    const to = ((n - 1 - r) * n + c) * 4;
    image.data.set([red, green, blue, 255 * strength * Math.min(1, Math.sqrt(grid[r * n + c] / top))], to);
  }
  g.putImageData(image, 0, 0);
  return canvas;
}

/** Relief of a layout, of one group or of all; computed when first asked for. */
function reliefOf(layout, group) {
  const key = `${layout} ${group} ${theme()}`;
  if (!reliefs.has(key)) {
    const grid = densityOf(layout, group), top = summitOf(grid);
    const dark = theme() === "dark", color = group >= 0 ? colorOf(group) : dark ? "#6C86B8" : "#9A7B4F";
    reliefs.set(key, {
      color, picture: reliefPicture(grid, top, color, group >= 0 ? 0.4 : dark ? 0.34 : 0.26),
      lines: lineTriangles(grid, top),
    });
  }
  return reliefs.get(key);
}

/** How much of the relief shows. While points travel it would tell of places where they no longer are. */
const reliefStrength = () => (view.relief ? clamp(view.mix * 3 - 2, 0, 1) : 0);
const shownRelief = () => reliefOf(view.layout, view.only);

/** Where each group is at home: dense, and denser than elsewhere among the others. */
const homes = new Map();
function homesOf(layout) {
  if (homes.has(layout)) return homes.get(layout);
  const cells = 48, all = new Float32Array(cells * cells), { xy } = layouts[layout];
  const own = facts.groups.map(() => new Float32Array(cells * cells)), sizes = facts.groups.map(() => 0);
  for (let i = 0; i < count; i++) {
    const c = Math.min(cells - 1, Math.floor((xy[2 * i] + 1) / 2 * cells)), r = Math.min(cells - 1, Math.floor((xy[2 * i + 1] + 1) / 2 * cells));
    const group = groupOf(i);
    if (group < own.length) { own[group][r * cells + c]++; sizes[group]++; }
    all[r * cells + c]++;
  }
  const found = own.map((grid, group) => {
    let best = -1, most = 0;
    for (let r = 1; r < cells - 1; r++) for (let c = 1; c < cells - 1; c++) {
      let here = 0, total = 1;
      for (let dr = -1; dr <= 1; dr++) for (let dc = -1; dc <= 1; dc++) {
        here += grid[(r + dr) * cells + c + dc]; total += all[(r + dr) * cells + c + dc];
      }
      const worth = here * here / total;
      if (worth > most) { most = worth; best = r * cells + c; }
    }
    return best < 0 ? null : {
      group, size: sizes[group],
      x: (best % cells + 0.5) / cells * 2 - 1, y: (Math.floor(best / cells) + 0.5) / cells * 2 - 1,
    };
  }).filter(Boolean);
  homes.set(layout, found);
  return found;
}
