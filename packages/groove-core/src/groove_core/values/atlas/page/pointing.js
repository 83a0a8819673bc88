"use strict";
// Mouse, pen and fingers on the map.

const fingers = new Map();
/** What the pointer does: pan, pinch, line or handle; and whether it has moved. */
let gesture = null;
const SLOP = { mouse: 4, pen: 6, touch: 10 };

const inMap = (event) => {
  const box = $("points").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

/** The point that is meant by a place of the screen, or -1. */
function pointAt(px, py, kind = "mouse") {
  const reach = Math.max(pointSize() / 2 + 3, kind === "touch" ? 14 : 6) / view.scale;
  const [found] = nearest(view.layout, ...toMap(px, py), 1, view.only < 0 ? null : shown);
  return found && found.squared <= reach * reach ? found.index : -1;
}

/** A new piece at a place of the screen, with a word on how much to expect of it. */
function decodeAt(px, py) {
  const [x, y] = toMap(px, py), piece = newPiece(view.layout, x, y);
  const [{ squared }] = nearest(view.layout, x, y);
  if (subject.silent(piece.music)) piece.note = "silence here";
  else if (Math.sqrt(squared) > layouts[view.layout].far) piece.note = `outside the map: the nearest ${facts.words.pieces} are far away`;
  return piece;
}

function pieceAt(px, py, kind, exact) {
  const i = exact ? -1 : pointAt(px, py, kind);
  return i >= 0 ? pointPiece(i) : decodeAt(px, py);
}

function clickAt(px, py, kind, exact = false) {
  const piece = pieceAt(px, py, kind, exact);
  if (morph.drawing) { setEnd(piece); return; }
  const same = piece.kind === "point" && player.playing && shownPiece.kind === "point" && shownPiece.index === piece.index;
  if (same) { stopPlaying(); announce("stopped"); return; }
  // The keyboard goes on from here; the card says all that the tooltip would.
  cursor.key = piece.kind === "point" ? piece.index : -1; cursor.tip = false;
  placeTip();
  choose(piece, { sound: true });
}

function onHandle(px, py, kind) {
  if (!morph.b) return false;
  const [x, y] = handleAt();
  return Math.hypot(px - x, py - y) < (kind === "touch" ? 26 : 15);
}

function hover(px, py) {
  const i = pointAt(px, py);
  $("map").classList.toggle("over", i >= 0);
  if (i === cursor.hover) return;
  cursor.hover = i;
  placeTip(); redrawOverlay();
}

function pinch() {
  const [[ax, ay], [bx, by]] = [...fingers.values()];
  return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.max(10, Math.hypot(ax - bx, ay - by)) };
}

function pointerDown(event) {
  if (event.pointerType === "mouse" && event.button !== 0) return;
  const [px, py] = inMap(event), kind = event.pointerType;
  // A pointer that is not of a hand, in a test for one, cannot be captured.
  try { $("points").setPointerCapture(event.pointerId); } catch { /* it then ends at the edge */ }
  fingers.set(event.pointerId, [px, py]);
  if (fingers.size === 2) { gesture = { kind: "pinch", last: pinch(), moved: true }; return; }
  if (fingers.size > 2) return;
  const does = onHandle(px, py, kind) ? "handle" : event.shiftKey || morph.drawing ? "line" : "pan";
  gesture = { kind: does, start: [px, py], last: [px, py], moved: false };
  if (kind === "touch") { cursor.hover = -1; cursor.tip = false; placeTip(); }
}

function pointerMove(event) {
  const [px, py] = inMap(event), kind = event.pointerType;
  if (!fingers.has(event.pointerId)) {
    if (kind !== "touch") hover(px, py);
    if (morph.drawing && morph.a) { morph.loose = [px, py]; redrawOverlay(); }
    return;
  }
  fingers.set(event.pointerId, [px, py]);
  if (!gesture) return;
  if (gesture.kind === "pinch") {
    if (fingers.size < 2) return;
    const now = pinch();
    panBy(now.x - gesture.last.x, now.y - gesture.last.y);
    zoomAt(now.apart / gesture.last.apart, now.x, now.y);
    gesture.last = now;
    return;
  }
  const far = Math.hypot(px - gesture.start[0], py - gesture.start[1]) > (SLOP[kind] || 6);
  if (!gesture.moved && !far) return;
  if (gesture.kind === "pan") {
    $("map").classList.add("panning");
    panBy(px - gesture.last[0], py - gesture.last[1]);
  } else if (gesture.kind === "handle") {
    walkOn(false); goTo(alongLine(px, py));
  } else {
    if (!gesture.moved && (!morph.a || morph.b)) setEnd(pieceAt(...gesture.start, kind));
    morph.loose = [px, py]; redrawOverlay();
  }
  gesture.moved = true; gesture.last = [px, py];
}

function pointerUp(event) {
  if (!fingers.delete(event.pointerId)) return;
  $("map").classList.remove("panning");
  const done = gesture, [px, py] = inMap(event);
  if (fingers.size === 0) gesture = null;
  if (!done || done.kind === "pinch") {
    // The finger that is left does not pan from where the other was.
    if (fingers.size === 1) gesture = { kind: "rest", start: [px, py], last: [px, py], moved: true };
    return;
  }
  if (event.type === "pointercancel") return;
  if (done.kind === "line" && done.moved) setEnd(pieceAt(px, py, event.pointerType));
  else if (!done.moved && done.kind !== "handle") {
    if (event.shiftKey && !morph.drawing) setDrawing(true);
    clickAt(px, py, event.pointerType, event.altKey);
  }
}

function wheel(event) {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
  // Fingers on a trackpad that pinch come as a wheel with Ctrl, in small numbers.
  zoomAt(Math.exp(-clamp(event.deltaY * lines, -240, 240) * (event.ctrlKey ? 0.01 : 0.0022)), ...inMap(event));
  hover(...inMap(event));
}

function startPointing() {
  const canvas = $("points");
  canvas.addEventListener("pointerdown", pointerDown);
  canvas.addEventListener("pointermove", pointerMove);
  canvas.addEventListener("pointerup", pointerUp);
  canvas.addEventListener("pointercancel", pointerUp);
  canvas.addEventListener("pointerleave", () => { cursor.hover = -1; placeTip(); redrawOverlay(); });
  canvas.addEventListener("wheel", wheel, { passive: false });
}
