"use strict";
// Pieces: what is heard, shown and saved. Points of the map, and what is decoded between them.

/*
What they are is the matter of the package whose map it is. Its scripts define `subject`:

  store            key of the favourites in the browser's storage
  layouts          names of the arrays with the positions, in the order of facts.layouts
  start()          called once everything is unpacked
  lead(n)          the sentence under the title, of a map of n points
  music(i)         what sounds at point i, in a typed array
  memory(i)        what the model makes of it
  decode(code)     what sounds at a code
  codeAt(layout, x, y)   the code of a place
  between(a, b, t) the code on the way from one code to another
  tempo(i)         its tempo in beats per minute; 0: that of the slider
  where(i), place(code, i)   where point i comes from, and where a decoded piece lies, in words; i: the nearest point
  silent(music), steps(music), text(music), compare(music, memory)   whether, how long, and in words
  draw(canvas, music, {step, other, small})   the music, and what is other in `other`
  voices(), sound(music, step, when)   how many kinds of notes are counted; let a step sound: [[kind, source], ...]
  stresses(music, step)   whether the ring around the point moves
  makeMixer(context), warm()   with `volume` and `analyser`; and what can be computed before the first sound
  notes(music), midi      see midi.js
  pack(music), unpack(text)   for the browser's storage
*/

let newPieces = 0;

const yoursFrom = () => count - (facts.yours_count || 0);
const isYours = (i) => i >= yoursFrom();
/** The user's own pieces count as one more group. */
const groupOf = (i) => (isYours(i) ? facts.groups.length : arrays.group.values[i]);
const groupName = (group) => (group < facts.groups.length ? facts.groups[group] : "yours");
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function sourceOf(i) {
  if (isYours(i)) {
    const label = (facts.yours || [])[i - yoursFrom()];
    return String(label && label.name !== undefined ? label.name : label || `your ${facts.words.piece}`);
  }
  return facts.sources[arrays.source.values[i]] || "";
}

const fileName = (word, number) =>
  `${word.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase() || facts.words.piece}-${String(number).padStart(4, "0")}`;

function pointPiece(i) {
  const group = groupOf(i);
  return {
    kind: "point", index: i, group, music: subject.music(i), code: codeOf(i), tempo: subject.tempo(i),
    title: groupName(group), source: sourceOf(i), where: subject.where(i), file: fileName(groupName(group), i),
  };
}

/** A piece that is in no collection: decoded at a place of the map. */
function newPiece(layout, x, y) {
  const code = subject.codeAt(layout, x, y), [{ index }] = nearest(layout, x, y);
  newPieces++;
  return {
    kind: "new", layout, x, y, code, music: subject.decode(code), tempo: subject.tempo(index),
    title: `new ${facts.words.piece}`, source: "decoded here", where: subject.place(code, index), file: fileName("new", newPieces),
  };
}

/** What the model makes of a point when it has only the code of it. */
function remembered(piece) {
  if (!piece.memory) piece.memory = subject.memory(piece.index);
  return piece.memory;
}

/** Where a piece is on a layout. What was decoded on another one sits at the most alike point. */
function placeOf(piece, layout) {
  if (piece.kind === "new" && piece.layout === layout) return [piece.x, piece.y];
  if (piece.index === undefined) piece.index = nearestByCode(piece.code);
  const { xy } = layouts[layout];
  return [xy[2 * piece.index], xy[2 * piece.index + 1]];
}

const pieceText = (piece, music = piece.music) =>
  `${piece.title}, ${piece.kind === "point" ? `from ${piece.source}, ${piece.where}` : `${piece.source}, ${piece.where}`}; ${subject.text(music)}`;
