"use strict";
// A line between two pieces, and the walk along it: one loop for each step of the way.

const morph = {
  /** Ends, and the loose end while the line is being drawn. */
  a: null, b: null, loose: null,
  /** Place on the line, how it is drawn while it moves there, and direction of the walk. */
  t: 0, at: 0, direction: 1, walking: true, loops: 8,
  /** Whether clicks set ends. */
  drawing: false,
  /** The piece of the next stop, once it is decoded. */
  ready: null,
};

function setDrawing(flag) {
  morph.drawing = flag;
  if (!flag && !morph.b) { morph.a = null; morph.loose = null; }
  $("line").setAttribute("aria-pressed", String(flag));
  $("map").classList.toggle("drawing", flag);
  if (flag) { unsay("line"); say("line", `Line: drag from one ${facts.words.piece} to another, or choose one end, then the other.`); } else unsay("line");
  redrawOverlay();
}

/** Set the next end: the first, then the second, which starts the walk. */
function setEnd(piece) {
  if (!morph.a || morph.b) {
    removeLine();
    morph.a = piece;
    announce(`line from ${pieceText(piece)}; choose its other end`);
    setDrawing(true);
    return;
  }
  morph.b = piece; morph.loose = null;
  Object.assign(morph, { t: 0, at: 0, direction: 1, walking: true });
  setDrawing(false);
  showWalk();
  announce(`line to ${pieceText(piece)}`);
  player.onLoop = nextStop;
  goTo(0, { sound: true });
}

/** The piece at a place of the line: the real one at an end, decoded between. */
function morphed(t) {
  const { a, b } = morph, end = t <= 0 ? a : t >= 1 ? b : null;
  const code = end ? end.code : subject.between(a.code, b.code, t);
  const between = `${a.title} and ${b.title}`;
  return {
    kind: "morph", t, code, music: end ? end.music : subject.decode(code), end,
    tempo: a.tempo && b.tempo && Math.round(lerp([a.tempo], [b.tempo], t)[0]),
    title: end ? end.title : `between ${between}`, group: end ? end.group : undefined,
    source: end ? end.source : `${Math.round(100 * t)} % of the way, decoded`,
    where: end ? end.where : subject.place(code), file: fileName("morph", Math.round(1000 * t)),
  };
}

/** Go to a place of the line by hand, or begin there. */
function goTo(t, { sound = player.playing } = {}) {
  morph.t = clamp(t, 0, 1);
  const piece = morphed(morph.t);
  showMorphed(piece);
  if (piece.tempo) setTempo(piece.tempo);
  if (!sound) return;
  // Silence on the way is heard as such: the walk goes on behind it.
  playPiece(piece); showPlaying(); ask();
}

function showMorphed(piece) {
  showPiece(piece);
  morph.at = still() ? piece.t : morph.at;
  $("t").value = piece.t; $("t-text").textContent = `${Math.round(100 * piece.t)} %`;
  redrawOverlay();
}

/** The next stop of the walk, there and back. */
function nextStop() {
  if (!morph.b || !morph.walking || !player.piece || player.piece.kind !== "morph") return;
  const stop = Math.round(morph.t * morph.loops);
  if (stop >= morph.loops) morph.direction = -1;
  if (stop <= 0) morph.direction = 1;
  morph.t = clamp((stop + morph.direction) / morph.loops, 0, 1);
  const piece = morph.ready && morph.ready.t === morph.t ? morph.ready : morphed(morph.t);
  player.piece = piece; player.music = piece.music;
  if (piece.tempo) setTempo(piece.tempo);
  // What comes after it, while there is time: a decoder may take longer than sound can wait.
  const next = stop + 2 * morph.direction, after = next > morph.loops || next < 0 ? stop : next;
  warm([() => { if (morph.b) morph.ready = morphed(clamp(after / morph.loops, 0, 1)); }]);
}

/** Where the handle is on the screen; it glides between stops. */
function handleAt() {
  const aim = shownPiece && shownPiece.kind === "morph" ? shownPiece.t : morph.t;
  if (still() || Math.abs(aim - morph.at) < 0.002) morph.at = aim;
  else { morph.at += (aim - morph.at) * 0.15; redrawOverlay(); }
  const a = toScreen(...placeOf(morph.a, view.layout)), b = toScreen(...placeOf(morph.b, view.layout));
  return lerp(a, b, morph.at);
}

/** How far along the line a place of the screen is. */
function alongLine(px, py) {
  const a = toScreen(...placeOf(morph.a, view.layout)), b = toScreen(...placeOf(morph.b, view.layout));
  const dx = b[0] - a[0], dy = b[1] - a[1];
  return clamp(((px - a[0]) * dx + (py - a[1]) * dy) / Math.max(1e-9, dx * dx + dy * dy), 0, 1);
}

function removeLine() {
  const morphing = shownPiece && shownPiece.kind === "morph";
  const last = morphing ? shownPiece : null;
  Object.assign(morph, { a: null, b: null, loose: null, ready: null });
  player.onLoop = null;
  setDrawing(false);
  showWalk();
  // The piece that is heard stays, as one that is on no line any more.
  if (last) {
    const piece = last.end || { ...last, kind: "new", layout: -1, title: `new ${facts.words.piece}` };
    const playing = player.playing;
    showPiece(piece);
    if (playing) playPiece(piece);
  }
}

function walkOn(flag) {
  morph.walking = flag;
  showWalk();
}

function showWalk() {
  const on = Boolean(morph.b);
  for (const id of ["t", "walk", "unline"]) $(id).disabled = !on;
  $("walk").setAttribute("aria-pressed", String(on && morph.walking));
  if (!on) { $("t").value = 0; $("t-text").textContent = ""; }
}

function startMorph() {
  $("line").onclick = () => { if (morph.drawing) setDrawing(false); else { setDrawing(true); $("points").focus({ preventScroll: true }); } };
  $("walk").onclick = () => { walkOn(!morph.walking); if (morph.walking && !player.playing) goTo(morph.t, { sound: true }); };
  $("unline").onclick = removeLine;
  $("t").oninput = () => { walkOn(false); goTo(Number($("t").value)); };
  $("loops").onchange = () => { morph.loops = Number($("loops").value); };
  showWalk();
}
