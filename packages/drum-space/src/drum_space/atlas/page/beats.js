"use strict";
// Beats: what is heard, shown and saved. Points of the map, and what is decoded between them.

const STEPS = 32;
let newBeats = 0;

const yoursFrom = () => count - (facts.yours_count || 0);
const isYours = (i) => i >= yoursFrom();
/** The user's own beats count as one more genre. */
const genreOf = (i) => (isYours(i) ? facts.genres.length : arrays.genre.values[i]);
const genreName = (genre) => (genre < facts.genres.length ? facts.genres[genre] : "yours");
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function hitsOf(i) {
  const bytes = arrays.bits.values, size = STEPS * facts.drums.length, row = i * Math.ceil(size / 8);
  return Uint8Array.from({ length: size }, (_, k) => bytes[row + (k >> 3)] >> (7 - (k & 7)) & 1);
}

const silent = (hits) => !hits.includes(1);

function barOf(i) {
  const half = arrays.half_bar.values[i];
  return `bar ${(half >> 1) + 1}${half & 1 ? " and a half" : ""}`;
}

function sourceOf(i) {
  if (isYours(i)) {
    const label = (facts.yours || [])[i - yoursFrom()];
    return String(label && label.name !== undefined ? label.name : label || "your beat");
  }
  return facts.sources[arrays.source.values[i]] || "";
}

const fileName = (word, number) =>
  `${word.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase() || "beat"}-${String(number).padStart(4, "0")}`;

function pointBeat(i) {
  const genre = genreOf(i);
  return {
    kind: "point", index: i, genre, hits: hitsOf(i), code: codeOf(i),
    title: genreName(genre), source: sourceOf(i), where: barOf(i), file: fileName(genreName(genre), i),
  };
}

/** A beat that is in no collection: decoded at a place of the map. */
function newBeat(layout, x, y) {
  const code = codeAt(layout, x, y), hits = decode(code);
  newBeats++;
  return {
    kind: "new", layout, x, y, code, hits, title: "new beat", source: "decoded here",
    where: codeText(code), file: fileName("new", newBeats),
  };
}

/** What the model makes of a point when it has only the code of it. */
function remembered(beat) {
  if (!beat.memory) beat.memory = decode(beat.code);
  return beat.memory;
}

const codeText = (code) => `code ${code.map((v) => (v < 0 ? "−" : "") + Math.abs(v).toFixed(2)).join(", ")}`;

/** Where a beat is on a layout. What was decoded on the other one sits at the most alike point. */
function placeOf(beat, layout) {
  if (beat.kind === "new" && beat.layout === layout) return [beat.x, beat.y];
  if (beat.index === undefined) beat.index = nearestByCode(beat.code);
  const { xy } = layouts[layout];
  return [xy[2 * beat.index], xy[2 * beat.index + 1]];
}

/** Hits of each drum that plays, in words. */
function hitsText(hits) {
  const drums = facts.drums.length;
  const parts = facts.drums.map((drum, d) => {
    let n = 0;
    for (let k = d; k < hits.length; k += drums) n += hits[k];
    return n ? `${drum.name} ${n}` : "";
  }).filter(Boolean);
  return parts.length ? `${parts.join(", ")} ${parts.length === 1 && / 1$/.test(parts[0]) ? "hit" : "hits"}` : "silence";
}

const beatText = (beat, hits = beat.hits) =>
  `${beat.title}, ${beat.kind === "point" ? `from ${beat.source}, ${beat.where}` : `${beat.source}, ${beat.where}`}; ${hitsText(hits)}`;
