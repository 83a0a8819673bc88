"use strict";
// What lies over the points: names of groups and axes, the chosen piece, the cursor, the line of a morph.

let overlayDirty = true, pulse = 0;
/** Point under the mouse, and point of the keyboard, -1: none; and whether the latter has its tooltip. */
const cursor = { hover: -1, key: -1, tip: false };

/** Colours of the style sheet; asking for them anew in each frame would be slow. */
let styles = {};
function style(name) {
  styles[name] = styles[name] || getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return styles[name];
}
const redrawOverlay = () => { overlayDirty = true; ask(); };

/** A text that is readable on anything. */
function haloText(g, text, x, y) {
  g.strokeText(text, x, y); g.fillText(text, x, y);
}

function drawNames(g) {
  if (!view.relief || view.mix < 1 || view.only >= 0) return;
  const taken = [], fade = clamp(1.8 - view.zoom / 10, 0, 1) * (1 - 0.75 * view.fade);
  if (fade <= 0) return;
  g.globalAlpha = fade; g.lineJoin = "round"; g.lineWidth = 4;
  g.strokeStyle = style("--halo"); g.fillStyle = style("--ink"); g.textAlign = "center"; g.textBaseline = "middle";
  for (const { group, x, y, size } of [...homesOf(view.layout)].sort((a, b) => b.size - a.size)) {
    const [px, py] = toScreen(x, y), share = Math.sqrt(size / count);
    g.font = `600 ${Math.round(clamp(10.5 + 12 * share, 11, 17))}px system-ui, sans-serif`;
    const text = groupName(group), half = g.measureText(text).width / 2 + 5;
    const box = [px - half, py - 11, px + half, py + 11];
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
    taken.push(box);
    g.globalAlpha = group === view.focus ? clamp(fade + view.fade, 0, 1) : fade;
    haloText(g, text, px, py);
  }
  g.globalAlpha = 1;
}

/** How far up, or down, a word in the middle may stand: where title and buttons leave room. */
function edges(x, up) {
  const map = $("map").getBoundingClientRect(), half = 90;
  const boxes = [document.querySelector("#map header"), $("views"), $("tools"), $("zooms")].map((one) => one.getBoundingClientRect());
  const over = boxes.filter((box) => box.left - map.left < x + half && box.right - map.left > x - half);
  const isUp = (box) => box.top - map.top < view.height / 2;
  return [up ? 14 : view.height - 14, ...over.filter((box) => isUp(box) === up).map((box) => (up ? box.bottom - map.top + 14 : box.top - map.top - 14))];
}

/** What lies to the left, to the right, below and above, where the axes of a layout have names. */
function drawAxes(g) {
  const words = (facts.axes || [])[view.layout] || [];
  if (view.mix < 1 || !words.some(Boolean)) return;
  g.font = "600 12px system-ui, sans-serif"; g.lineJoin = "round"; g.lineWidth = 4; g.textBaseline = "middle";
  g.strokeStyle = style("--halo"); g.fillStyle = style("--soft");
  // At the rim of the map, or of what one sees of it between title and buttons.
  const [left, top] = toScreen(-1, 1), [right, bottom] = toScreen(1, -1), edge = 14;
  const [mx, my] = toScreen(0, 0), x = clamp(mx, 80, view.width - 80), y = clamp(my, 80, view.height - 80);
  const places = [[`← ${words[0]}`, "left", Math.max(left, edge), y], [`${words[1]} →`, "right", Math.min(right, view.width - edge), y],
    [`↓ ${words[2]}`, "center", x, Math.min(bottom, ...edges(x, false))], [`↑ ${words[3]}`, "center", x, Math.max(top, ...edges(x, true))]];
  places.forEach(([text, align, px, py], k) => {
    g.textAlign = align;
    if (words[k]) haloText(g, text, px, py);
  });
}

function drawRing(g, x, y, radius, color, width) {
  g.beginPath(); g.arc(x, y, radius, 0, 7);
  g.strokeStyle = style("--halo"); g.lineWidth = width + 3; g.stroke();
  g.strokeStyle = color; g.lineWidth = width; g.stroke();
}

function drawLine(g, from, to, dashed) {
  g.beginPath(); g.moveTo(...from); g.lineTo(...to); g.lineCap = "round";
  g.strokeStyle = style("--halo"); g.lineWidth = 7; g.stroke();
  g.strokeStyle = style("--accent"); g.lineWidth = 3; g.setLineDash(dashed ? [2, 8] : []); g.stroke(); g.setLineDash([]);
}

function drawEnd(g, [x, y], letter) {
  g.beginPath(); g.arc(x, y, 11, 0, 7); g.fillStyle = style("--accent"); g.fill();
  g.strokeStyle = style("--halo"); g.lineWidth = 2; g.stroke();
  g.fillStyle = style("--on-accent"); g.font = "700 12px system-ui, sans-serif"; g.textAlign = "center"; g.textBaseline = "middle";
  g.fillText(letter, x, y + 0.5);
}

function drawOverlay() {
  overlayDirty = false;
  const canvas = $("overlay"), g = canvas.getContext("2d"), size = pointSize() / 2;
  g.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
  g.clearRect(0, 0, view.width, view.height);
  drawNames(g);
  drawAxes(g);
  if (morph.a) {
    const a = toScreen(...placeOf(morph.a, view.layout));
    if (morph.b) {
      const b = toScreen(...placeOf(morph.b, view.layout)), h = handleAt();
      drawLine(g, a, b, false); drawEnd(g, a, "A"); drawEnd(g, b, "B");
      g.beginPath(); g.arc(...h, 9, 0, 7); g.fillStyle = style("--panel"); g.fill();
      drawRing(g, ...h, 9, style("--accent"), 3.5);
    } else {
      if (morph.loose) drawLine(g, a, morph.loose, true);
      drawEnd(g, a, "A");
    }
  }
  if (shownPiece && shownPiece.kind !== "morph") {
    const [x, y] = toScreen(...placeOf(shownPiece, view.layout)), color = style("--ink");
    if (player.playing && pulse > 0.02 && !still()) {
      g.globalAlpha = pulse * 0.5;
      drawRing(g, x, y, size + 8 + 16 * (1 - pulse), style("--accent"), 3);
      g.globalAlpha = 1;
    }
    drawRing(g, x, y, size + 5, color, 2.5);
    if (shownPiece.kind === "new") { // no point is there: a small cross marks the place
      g.beginPath(); g.moveTo(x - 4, y); g.lineTo(x + 4, y); g.moveTo(x, y - 4); g.lineTo(x, y + 4);
      g.lineWidth = 2; g.strokeStyle = color; g.stroke();
    }
  }
  for (const i of new Set([cursor.hover, cursor.tip ? cursor.key : -1])) {
    if (i < 0) continue;
    const { xy } = layouts[view.layout], [x, y] = toScreen(xy[2 * i], xy[2 * i + 1]);
    g.save(); g.translate(x, y); drawMark(g, groupOf(i), Math.max(size * 1.3, 5)); g.restore();
    drawRing(g, x, y, Math.max(size * 1.3, 5) + 4, i === cursor.key ? style("--accent") : style("--ink"), i === cursor.key ? 3 : 1.5);
  }
}
