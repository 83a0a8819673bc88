"use strict";
// Everything by keyboard.

/** Arrow keys go at least so far on the screen, else they would creep; zooming in, every point is reached. */
const STRIDE_PX = 12;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** The nearest shown point in a direction, from the cursor or the middle of the view; -1: none. */
function pointTowards(dx, dy) {
  const { xy } = layouts[view.layout], at = cursor.key;
  const x = at >= 0 ? xy[2 * at] : view.x, y = at >= 0 ? xy[2 * at + 1] : view.y;
  if (at < 0) { // nothing is under the cursor yet: begin in the middle
    const [found] = nearest(view.layout, x, y, 1, view.only < 0 ? null : shown);
    return found ? found.index : -1;
  }
  const stride = STRIDE_PX / view.scale;
  let best = -1, least = Infinity;
  for (let i = 0; i < count; i++) {
    if (i === at || !shown(i)) continue;
    const u = xy[2 * i] - x, v = xy[2 * i + 1] - y, along = u * dx + v * dy, across = Math.abs(u * dy - v * dx);
    if (along <= 0 || across > along) continue;
    // Too near counts as far behind all others.
    const cost = along + 1.5 * across + (along * along + across * across < stride * stride ? 100 : 0);
    if (cost < least) { least = cost; best = i; }
  }
  return best;
}

function moveCursor(dx, dy) {
  const i = pointTowards(dx, dy);
  if (i < 0) { announce(`no more ${facts.words.pieces} that way`); return; }
  setCursor(i);
}

function setCursor(i) {
  cursor.key = i; cursor.hover = -1; cursor.tip = true;
  keepInView(i);
  placeTip(); redrawOverlay();
  const piece = pointPiece(i);
  announce(pieceText(piece));
}

function keepInView(i) {
  const { xy } = layouts[view.layout], [px, py] = toScreen(xy[2 * i], xy[2 * i + 1]);
  const inside = px > 0.12 * view.width && px < 0.88 * view.width && py > 0.12 * view.height && py < 0.88 * view.height;
  if (!inside) lookSlowly({ x: xy[2 * i], y: xy[2 * i + 1] });
}

/** Enter: play the point under the cursor, or stop it; in line mode, make it an end. */
function enter() {
  const i = cursor.key;
  if (morph.drawing) { setEnd(i >= 0 ? pointPiece(i) : decodeAt(view.width / 2, view.height / 2)); return; }
  if (i < 0 || player.playing && shownPiece.kind === "point" && shownPiece.index === i) { togglePlaying(); return; }
  choose(pointPiece(i), { sound: true });
}

function decodeMiddle() {
  const piece = decodeAt(view.width / 2, view.height / 2);
  cursor.key = -1; placeTip();
  if (morph.drawing) setEnd(piece); else choose(piece, { sound: true });
}

function escape() {
  if (morph.a || morph.drawing) removeLine();
  else { cursor.key = -1; placeTip(); redrawOverlay(); }
}

const zoomSlowly = (factor) => lookSlowly({ zoom: (glide ? glide.to.zoom : view.zoom) * factor }, 160);
const showAll = () => lookSlowly({ x: 0, y: 0, zoom: 1 });
const otherLayout = () => chooseLayout((view.layout + 1) % layouts.length);

const LETTERS = {
  n: decodeMiddle, m: () => $("line").click(), l: otherLayout, f: favour, d: () => chooseRelief(!view.relief),
  "0": showAll, "+": () => zoomSlowly(1.5), "=": () => zoomSlowly(1.5), "-": () => zoomSlowly(1 / 1.5), "?": () => $("help").showModal(),
};

function keyDown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const onMap = event.target === $("points"), onNothing = event.target === document.body;
  let action = null;
  if (event.key === "Escape") action = escape;
  else if (onMap && ARROWS[event.key]) action = () => moveCursor(...ARROWS[event.key]);
  else if (onMap && (event.key === "Enter" || event.key === " ")) action = enter;
  // Elsewhere letters belong to whoever types or speaks to a control.
  else if (onMap || onNothing) action = LETTERS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function startKeys() {
  document.addEventListener("keydown", keyDown);
  $("points").addEventListener("blur", () => { if (cursor.hover < 0) { $("tip").hidden = true; } });
  $("points").addEventListener("focus", placeTip);
}
