"use strict";
// How a beat is played: like the drummer whose own beat is most like it; see drum_space.playing.

const KIT_SIZE = 9, BAR_STEPS = 16, HAT = 2, FLAT_VELOCITY = 100;
const STEP_TICKS = 120, LATEST = 59, EARLIEST = -60;
/** Where a normal distribution has the quantiles of `feel.noise`, and means from which it has others. */
const NORMAL_FROM = -2.5, NORMAL_STEP = 0.5, NORMALS = 11, LEVELS = [50, 90];
/** How much two bars at 120 beats a minute drift, and for how many steps. */
const DRIFT_MEMORY = Math.exp(-1 / 13), FEEL_BPM = 120;

const feels = new WeakMap();
/** Who has played a beat that is of a performance: the number of the player. */
const playersOf = new WeakMap();

const hasFeel = () => Boolean(arrays["feel.velocity"]);
/** Percussion, which the players do not have, is played as a closed hi-hat. */
const asKit = (drum) => (drum < KIT_SIZE ? drum : HAT);

function playedBy(hits, i) {
  const own = arrays["feel.player"], player = own && !isYours(i) ? own.values[arrays.source.values[i]] : -1;
  if (player >= 0) playersOf.set(hits, player);
  return hits;
}

/** The player whose own beat is most like some hits. */
function playerFor(hits) {
  const odds = arrays["feel.odds"].values, rest = arrays["feel.rest"].values, cells = BAR_STEPS * KIT_SIZE;
  const drums = facts.drums.length, own = [];
  hits.forEach((hit, k) => {
    const drum = k % drums, step = Math.floor(k / drums) % BAR_STEPS;
    if (hit && drum < KIT_SIZE) own.push(step * KIT_SIZE + drum);
  });
  let best = 0, most = -Infinity;
  rest.forEach((base, n) => {
    let likely = base * STEPS / BAR_STEPS;
    for (const cell of own) likely += odds[n * cells + cell];
    if (likely > most) { most = likely; best = n; }
  });
  return best;
}

/** Velocity and lateness in ticks of each hit; the same for the same hits. */
function feelOf(hits) {
  let feel = feels.get(hits);
  if (feel) return feel;
  feel = { velocity: new Uint8Array(hits.length).fill(FLAT_VELOCITY), late: new Int8Array(hits.length) };
  feels.set(hits, feel);
  if (!hasFeel()) return feel;
  const player = playersOf.has(hits) ? playersOf.get(hits) : playerFor(hits), drums = facts.drums.length;
  const of = (name) => arrays[`feel.${name}`].values;
  const random = noiseFrom(hits.reduce((hash, hit, k) => (hit ? Math.imul(hash ^ k, 0x01000193) : hash), 0x811c9dc5));
  const normal = () => Math.sqrt(-2 * Math.log((random() + 1) / 2 || 1e-9)) * Math.cos(Math.PI * random());
  const drift = [];
  let level = normal();
  for (let s = 0; s < STEPS; s++) drift.push(level = DRIFT_MEMORY * level + Math.sqrt(1 - DRIFT_MEMORY ** 2) * normal());
  const mean = drift.reduce((sum, v) => sum + v, 0) / STEPS;
  hits.forEach((hit, k) => {
    const drum = asKit(k % drums), step = Math.floor(k / drums);
    const cell = (player * BAR_STEPS + step % BAR_STEPS) * KIT_SIZE + drum, own = player * KIT_SIZE + drum;
    if (!hit) return;
    const loud = of("velocity")[cell], band = LEVELS.filter((from) => loud >= from).length;
    const z = clamp((normal() - NORMAL_FROM) / NORMAL_STEP, 0, NORMALS - 1.001), at = Math.floor(z);
    const table = (drum * (LEVELS.length + 1) + band) * NORMALS + at, noise = of("noise");
    const above = noise[table] + (z - at) * (noise[table + 1] - noise[table]);
    feel.velocity[k] = clamp(Math.round(loud + of("loose")[own] * above), 1, 127);
    const shared = of("shared")[drum], moved = Math.sqrt(shared) * (drift[step] - mean) + Math.sqrt(1 - shared) * normal();
    const ticks = of("late")[cell] + of("late_loose")[own] * moved * FEEL_BPM / 125;
    // A file begins with the first beat, not before it.
    feel.late[k] = clamp(Math.round(ticks), step ? EARLIEST : 0, LATEST);
  });
  return feel;
}
