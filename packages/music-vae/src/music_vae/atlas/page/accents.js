"use strict";
// Melodies are played, not typed: the rules of groove_core.tunes.performing.

const BASE_VELOCITY = 100, ARCH_LOUDER = 8;

/** Rounded as numpy does: halves to the even neighbour. */
function rint(x) {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + down % 2 : Math.round(x);
}

/** The notes of events: {step, steps, note}, each up to the next event. */
function notesOf(events) {
  const notes = [];
  events.forEach((event, step) => {
    const last = notes[notes.length - 1];
    if (event && last && !last.steps) last.steps = step - last.step;
    if (event >= NOTE) notes.push({ step, steps: 0, note: event - NOTE + LOWEST });
  });
  const last = notes[notes.length - 1];
  if (last && !last.steps) last.steps = events.length - last.step;
  return notes;
}

/** The number of the phrase of each note: it ends before a rest of an eighth, or behind a long note. */
function phrasesOf(notes) {
  let phrase = 0;
  return notes.map((one, k) => {
    if (k) {
      const last = notes[k - 1], before = notes[Math.max(0, k - 2)];
      const rests = 2 * (one.step - last.step - last.steps) >= 4, long = last.steps >= 8 && last.steps >= 2 * before.steps;
      phrase += rests || long;
    }
    return phrase;
  });
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** Velocities of notes, and the share of its length that each sounds: {..., velocity, share}. */
function accented(notes) {
  if (notes.length < 2) return notes.map((one) => ({ ...one, velocity: BASE_VELOCITY, share: 1 }));
  const phrase = phrasesOf(notes), pitch = mean(notes.map((one) => one.note)), length = mean(notes.map((one) => one.steps));
  const sizes = [], places = phrase.map((number) => (sizes[number] = (sizes[number] || 0) + 1) - 1);
  return notes.map((one, k) => {
    const arch = Math.sin(Math.PI * (places[k] + 0.5) / sizes[phrase[k]]), place = one.step % STEPS_PER_BAR;
    const high = 3 * (one.note - pitch) / 5, short = -5 * clamp(1 - one.steps / length, 0, 1);
    const metre = place === 0 ? 6 : place % 4 === 0 ? 2 : -2;
    const next = notes[k + 1], last = next && phrase[k + 1] !== phrase[k] || !next;
    const share = last ? 7 / 8 : next.note === one.note ? 11 / 12 : 1;
    const velocity = clamp(BASE_VELOCITY + high + short + metre + ARCH_LOUDER * (arch - 0.5), 1, 127);
    return { ...one, velocity: rint(velocity), share };
  });
}

const playedNotes = new WeakMap();
/** The notes of events as they are played; computed once. */
function played(events) {
  if (!playedNotes.has(events)) playedNotes.set(events, accented(notesOf(events)));
  return playedNotes.get(events);
}
