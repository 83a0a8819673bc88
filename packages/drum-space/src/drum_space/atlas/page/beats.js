"use strict";
// Beats as the matter of a map: see pieces.js of the core for what a map asks of its subject.

const STEPS = 32;
/** MIDI notes of drums have no length that matters: half a step. */
const HIT_STEPS = 0.5;

function hitsOf(i) {
  const bytes = arrays.bits.values, size = STEPS * facts.drums.length, row = i * Math.ceil(size / 8);
  return unpackHits(bytes.subarray(row, row + Math.ceil(size / 8)));
}

const unpackHits = (bytes) =>
  Uint8Array.from({ length: STEPS * facts.drums.length }, (_, k) => bytes[k >> 3] >> (7 - (k & 7)) & 1);

function packHits(hits) {
  const bytes = new Uint8Array(Math.ceil(hits.length / 8));
  hits.forEach((hit, k) => { bytes[k >> 3] |= hit << (7 - (k & 7)); });
  return bytes;
}

/** The hits of each step: [[step, drum], ...]. */
const listHits = (hits) => Array.from(hits.keys()).filter((k) => hits[k])
  .map((k) => [Math.floor(k / facts.drums.length), k % facts.drums.length]);

/** What is written to a MIDI file; a hit ends before the next of its drum begins. */
function notesOf(hits) {
  const { velocity, late } = feelOf(hits), drums = facts.drums.length, next = {};
  return listHits(hits).reverse().map(([step, drum]) => {
    const k = step * drums + drum, at = step + late[k] / STEP_TICKS;
    const steps = Math.min(HIT_STEPS, drum in next ? next[drum] - at : HIT_STEPS);
    next[drum] = at;
    return { step, late: late[k], steps, note: facts.drums[drum].note, velocity: velocity[k] };
  }).reverse();
}

const networks = {};

/** The pattern at a code: 448 zeros and ones, step by step. */
function decode(code) {
  const logits = runNetwork(networks.decoder, single(code));
  const thresholds = arrays.thresholds.values, drums = thresholds.length;
  return Uint8Array.from(logits, (logit, i) => (logit > thresholds[i % drums] ? 1 : 0));
}

/** The code at a place of the plane, x and y from -1 to 1. */
function codeAt(layout, x, y) {
  if (subject.layouts[layout] === "parametric") {
    const scale = arrays["inverse.scale"].values, shift = arrays["inverse.shift"].values;
    return single(runNetwork(networks.inverse, [x, y]).map((v, i) => v * scale[i] + shift[i]));
  }
  // t-SNE knows no way back: between points, their codes are mixed.
  return single(meanCode(weighed(layout, x, y)));
}

function barOf(i) {
  const half = arrays.half_bar.values[i];
  return `bar ${(half >> 1) + 1}${half & 1 ? " and a half" : ""}`;
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

function memoryText(hits, memory) {
  let lost = 0, added = 0;
  hits.forEach((hit, k) => { lost += hit && !memory[k]; added += !hit && memory[k]; });
  return lost || added ? `${lost} of ${hits.reduce((a, b) => a + b, 0)} lost (outlined), ${added} made up (dotted)` : "remembered without a fault";
}

const subject = {
  store: "groove.drum-space.favourites/1",
  layouts: ["tsne", "parametric"],
  midi: { name: "drums", channel: 9, marker: (steps) => `groove:steps=${steps}` },
  start() { networks.decoder = makeNetwork("decoder"); networks.inverse = makeNetwork("inverse"); },
  lead: (n) => `${plural(n, "two-bar beat")}: what is near sounds alike. Choose one to hear it, or a place between them for a new one.`,
  music: (i) => playedBy(hitsOf(i), i),
  memory: (i) => playedBy(decode(codeOf(i)), i),
  decode, codeAt,
  between: (a, b, t) => single(lerp(a, b, t)),
  tempo: () => 0,
  where: barOf,
  place: (code) => `code ${code.map((v) => (v < 0 ? "−" : "") + Math.abs(v).toFixed(2)).join(", ")}`,
  silent: (hits) => !hits.includes(1),
  steps: () => STEPS,
  text: hitsText,
  compare: memoryText,
  draw: (canvas, hits, { step, other, small } = {}) => drawGrid(canvas, hits, { step, other, labels: small ? 76 : 92 }),
  voices: () => facts.drums.length,
  sound: (hits, step, when) => facts.drums.map((_, drum) => drum).filter((drum) => hits[step * facts.drums.length + drum])
    .map((drum) => {
      const k = step * facts.drums.length + drum, { velocity, late } = feelOf(hits);
      return [drum, strike(audio.context, audio.mixer, drum, when + late[k] / STEP_TICKS * stepSeconds(), velocity[k])];
    }),
  /** Kick and snare. */
  stresses: (hits, step) => hits[step * facts.drums.length] || hits[step * facts.drums.length + 1],
  makeMixer: (context) => makeMixer(context),
  warm: () => warm(facts.drums.map((_, number) => () => samplesOf(number))),
  notes: notesOf,
  /** With the number of the player, where one is known. */
  pack: (hits) => toBase64(packHits(hits)) + (playersOf.has(hits) ? `:${playersOf.get(hits)}` : ""),
  unpack(text) {
    const [bits, player] = text.split(":"), hits = unpackHits(bytesOf(bits));
    if (hasFeel() && Number(player) < arrays["feel.rest"].values.length) playersOf.set(hits, Number(player));
    return hits;
  },
};
