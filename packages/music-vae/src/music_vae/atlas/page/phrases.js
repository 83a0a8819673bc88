"use strict";
// Phrases as the matter of a map: see pieces.js of the core for what a map asks of its subject.

const plays = { decoder: null };

/** The parts of a code, each of which the network writes some bars of. */
function partsOf(code) {
  const size = facts.latent / facts.parts;
  return Array.from({ length: facts.parts }, (_, part) => code.slice(part * size, (part + 1) * size));
}

/** The events at a code: so many bars for each part of it. */
function decode(code) {
  const bars = facts.bars / facts.parts, events = new Uint8Array(facts.bars * STEPS_PER_BAR);
  partsOf(single(code)).forEach((part, number) => events.set(write(plays.decoder, part, bars), number * bars * STEPS_PER_BAR));
  return events;
}

const lengthOf = (vector) => Math.hypot(...vector);

/**
 * The code of a place: the mean of those of its neighbours, part by part, as long as they are in
 * the mean. Codes that have little to do with each other would else nearly cancel out.
 */
function codeAt(layout, x, y) {
  const near = weighed(layout, x, y), codes = near.map(({ index }) => partsOf(codeOf(index)));
  const mixed = partsOf(Array.from(meanCode(near))).map((mean, part) => {
    const wanted = near.reduce((sum, { weight }, k) => sum + weight * lengthOf(codes[k][part]), 0), is = lengthOf(mean);
    return is > 0 ? mean.map((v) => v * wanted / is) : mean;
  });
  return single(mixed.flat());
}

/** The code on the way between two, part by part along an arc, as prior.py has it. */
function slerp(a, b, t) {
  const lengths = lengthOf(a) * lengthOf(b), dot = a.reduce((sum, v, k) => sum + v * b[k], 0);
  const angle = lengths > 0 ? Math.acos(clamp(dot / lengths, -1, 1)) : 0, sine = Math.sin(angle);
  if (sine < 1e-6) return lerp(a, b, t);
  const from = Math.sin((1 - t) * angle) / sine, to = Math.sin(t * angle) / sine;
  return a.map((v, k) => from * v + to * b[k]);
}

function between(a, b, t) {
  const ends = partsOf(b);
  return single(partsOf(a).flatMap((part, number) => slerp(part, ends[number], t)));
}

function eventsOf(i) {
  const size = facts.bars * STEPS_PER_BAR, at = i * size;
  return arrays.events.values.slice(at, at + arrays.bars.values[i] * STEPS_PER_BAR);
}

function whereOf(i) {
  const key = facts.keys[arrays.key.values[i]], first = arrays.first.values[i], bars = arrays.bars.values[i];
  return `bars ${first} to ${first + bars - 1}${key ? `, originally in ${key}` : ""}`;
}

/** How many bars and notes, from where to where, and how it begins. */
function melodyText(events) {
  const notes = notesOf(events);
  if (!notes.length) return "silence";
  const pitches = notes.map(({ note }) => note), name = (note) => noteName(note).replace("♯", " sharp").replace("♭", " flat");
  return `${plural(events.length / STEPS_PER_BAR, "bar")}, ${plural(notes.length, "note")} between ${name(Math.min(...pitches))} and ` +
    `${name(Math.max(...pitches))}, beginning ${pitches.slice(0, 4).map(name).join(", ")}`;
}

function memoryText(events, memory) {
  const real = notesOf(events), made = notesOf(memory), key = ({ step, note }) => `${step} ${note}`;
  const there = new Set(made.map(key)), was = new Set(real.map(key));
  const lost = real.filter((one) => !there.has(key(one))).length, added = made.filter((one) => !was.has(key(one))).length;
  return lost || added ? `${lost} of ${real.length} notes lost (outlined), ${added} made up (dotted)` : "remembered without a fault";
}

/** How long notes sound at the present tempo. */
const secondsOf = ({ steps, share }) => steps * share * stepSeconds();

const subject = {
  store: "groove.music-vae.favourites/1",
  get layouts() { return facts.layout_keys; },
  midi: { name: "melody", channel: 0, marker: (steps) => `groove:melody=4,0,${steps}` },
  start() { plays.decoder = makeDecoder(); },
  lead: (n) => `${plural(n, "phrase")}, moved to C major or A minor. Choose one to hear it, or a place between them for a new one.`,
  music: eventsOf,
  memory: (i) => decode(codeOf(i)).slice(0, arrays.bars.values[i] * STEPS_PER_BAR),
  decode, codeAt, between,
  tempo: (i) => arrays.tempo.values[i],
  where: whereOf,
  place: (code, index) => (index === undefined ? plural(facts.bars, "bar") : `near: ${groupName(groupOf(index))}, ${sourceOf(index)}`),
  silent: (events) => !events.some((event) => event >= NOTE),
  steps: (events) => events.length,
  text: melodyText,
  compare: memoryText,
  draw: (canvas, events, { step, other, small } = {}) => drawRoll(canvas, events, { step, other, labels: small ? 0 : 30 }),
  voices: () => 1,
  sound: (events, step, when) => played(events).filter((one) => one.step === step)
    .map((one) => [0, strike(audio.context, audio.mixer, one, when, secondsOf(one))]),
  stresses: (events, step) => events[step] >= NOTE,
  makeMixer: (context) => makeMixer(context),
  /** The octaves in which most melodies lie. */
  warm: () => warm(Array.from({ length: 25 }, (_, k) => () => samplesAt(55 + k))),
  /** As long as they are written, so that the file is read back note for note. */
  notes: played,
  pack: toBase64,
  unpack(text) {
    const events = bytesOf(text), bars = events.length / STEPS_PER_BAR;
    if (!Number.isInteger(bars) || bars > facts.bars || events.some((event) => event >= plays.decoder.core.out.outputs)) throw new RangeError("no melody");
    return events;
  },
};
