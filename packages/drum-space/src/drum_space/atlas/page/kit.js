"use strict";
// The kit: 14 drums, computed from sines, squares and noise when sound is first asked for.

/** A tone that falls from one pitch to another. */
function falling(seconds, from, to, fall, fade) {
  let phase = 0;
  return render(seconds, (t) => {
    phase += 2 * Math.PI * (to + (from - to) * decay(t, fall)) / RATE;
    return Math.sin(phase) * attack(t, 0.001) * decay(t, fade);
  });
}

const hiss = (seconds, fade, seed) => {
  const random = noiseFrom(seed);
  return render(seconds, (t) => random() * attack(t, 0.0006) * decay(t, fade));
};

/** Square waves out of tune with each other: what metal sounds like to a circuit. */
const CLUSTER = [205.3, 304.4, 369.6, 522.7, 540, 800];
const metal = (seconds, fade, pitch) => render(seconds, (t) =>
  CLUSTER.reduce((sum, f) => sum + ((f * pitch * t) % 1 < 0.5 ? 1 : -1), 0) / 6 * attack(t, 0.0006) * decay(t, fade));

function hat(fade, seconds, seed) {
  const shimmer = filter("high", 5600, 0.8, filter("band", 8400, 0.6, metal(seconds, fade, 1.9)));
  const air = filter("low", 12500, 0.7, filter("high", 6600, 0.8, hiss(seconds, fade * 0.8, seed)));
  return add(shimmer.map((v) => 1.4 * v), air.map((v) => 0.55 * v));
}

function tom(pitch, fade, seed) {
  const skin = falling(fade * 4, pitch * 1.75, pitch, 0.045, fade), over = falling(fade * 4, pitch * 2.6, pitch * 1.59, 0.03, fade * 0.35);
  const stick = filter("band", 1900, 0.7, hiss(0.06, 0.009, seed));
  return add(skin, over.map((v) => 0.28 * v), stick.map((v) => 0.5 * v));
}

function hand(pitch, fade, slap, seed) {
  const skin = falling(fade * 5, pitch * 1.12, pitch, 0.02, fade), over = falling(fade * 5, pitch * 1.53, pitch * 1.5, 0.02, fade * 0.3);
  const palm = filter("band", pitch * 5, 0.9, hiss(0.05, 0.006, seed));
  return add(skin, over.map((v) => 0.35 * v), palm.map((v) => slap * v));
}

function crash(seed) {
  const wash = filter("high", 2400, 0.7, hiss(2.4, 0.55, seed)), burst = filter("band", 6000, 0.5, hiss(2.4, 0.09, seed + 1));
  const shimmer = filter("high", 4200, 0.8, metal(2.4, 0.6, 2.63));
  return filter("low", 10500, 0.7, add(wash.map((v) => 0.6 * v), burst.map((v) => 1.6 * v), shimmer.map((v) => 0.5 * v)));
}

function ride(seed) {
  const partials = [2490, 3170, 3905, 4710, 5530, 6870, 8240];
  const ping = render(1.6, (t) => attack(t, 0.0005) * partials.reduce((sum, f, i) =>
    sum + Math.sin(2 * Math.PI * f * t + i) * decay(t, 0.5 / (1 + 0.35 * i)), 0) / 7);
  const wash = filter("high", 5200, 0.7, hiss(1.6, 0.42, seed)), tip = filter("band", 4300, 1.2, hiss(0.05, 0.006, seed + 1));
  return add(ping, wash.map((v) => 0.22 * v), tip.map((v) => 0.9 * v));
}

function snare(seed) {
  const shell = falling(0.32, 255, 186, 0.02, 0.075), upper = falling(0.32, 420, 331, 0.015, 0.05);
  const wires = filter("low", 9500, 0.7, filter("high", 1500, 0.7, hiss(0.32, 0.085, seed)));
  return add(shell.map((v) => 0.75 * v), upper.map((v) => 0.4 * v), wires.map((v) => 0.95 * v)).map((v) => Math.tanh(1.5 * v));
}

function kick(seed) {
  const body = falling(0.45, 190, 49, 0.028, 0.115), click = filter("band", 3400, 0.7, hiss(0.03, 0.0035, seed));
  return add(body, click.map((v) => 0.9 * v)).map((v) => Math.tanh(1.7 * v));
}

const cowbell = () => filter("band", 880, 0.9, render(0.5, (t) =>
  ([540, 800].reduce((sum, f) => sum + ((f * t) % 1 < 0.5 ? 1 : -1), 0)) / 2 * attack(t, 0.0008) * (0.7 * decay(t, 0.025) + 0.3 * decay(t, 0.13))));

/** By the name of the drum: how it is made (from a seed), how loud at its peak, where left to right. */
const KIT = {
  "kick": [kick, 0.95, 0],
  "snare": [snare, 0.72, -0.05],
  "closed hi-hat": [(seed) => hat(0.032, 0.2, seed), 0.34, 0.28],
  "floor tom": [(seed) => tom(78, 0.2, seed), 0.72, -0.4],
  "low tom": [(seed) => tom(112, 0.165, seed), 0.68, -0.15],
  "open hi-hat": [(seed) => hat(0.24, 1.1, seed), 0.34, 0.28],
  "high tom": [(seed) => tom(164, 0.135, seed), 0.66, 0.15],
  "crash": [crash, 0.5, -0.35],
  "ride": [ride, 0.34, -0.3],
  "cowbell": [cowbell, 0.4, 0.2],
  "high bongo": [(seed) => hand(415, 0.055, 0.9, seed), 0.5, 0.4],
  "low bongo": [(seed) => hand(296, 0.075, 0.7, seed), 0.52, 0.32],
  "mute conga": [(seed) => hand(335, 0.026, 1.3, seed), 0.5, -0.3],
  "low conga": [(seed) => hand(196, 0.15, 0.5, seed), 0.58, -0.3],
};
/** Each drum is made more than once, of other noise: a repeated one would sound like a machine gun. */
const TAKES = 2;

/** The takes of a drum, at its loudness, without a click at the end. */
function takesOf(name, number) {
  const [make, peak] = KIT[name] || KIT.cowbell;
  return Array.from({ length: TAKES }, (_, take) => {
    const samples = make(1000 * (number + 1) + take);
    const top = samples.reduce((most, v) => Math.max(most, Math.abs(v)), 0), n = samples.length;
    return samples.map((v, i) => v / top * peak * Math.min(1, (n - i) / 400));
  });
}

const kitSamples = [];
/** Samples of a drum, computed when first asked for. */
function samplesOf(number) {
  kitSamples[number] = kitSamples[number] || takesOf(facts.drums[number].name, number);
  return kitSamples[number];
}

/** The drums, each at its place from left to right, on their way to the ears. */
function makeMixer(context) {
  const output = makeOutput(context);
  const drums = facts.drums.map((drum, number) => {
    const place = context.createStereoPanner ? context.createStereoPanner() : context.createGain();
    if (place.pan) place.pan.value = (KIT[drum.name] || KIT.cowbell)[2];
    place.connect(output.into);
    return { place, takes: samplesOf(number).map((samples) => bufferOf(context, samples)), next: 0 };
  });
  return { ...output, drums, open: null };
}

const CHOKED_BY = { "closed hi-hat": true, "open hi-hat": true };

/** Let a drum sound at a time of the context's clock. Returns the source, which can be stopped. */
function strike(context, mixer, number, when, velocity = 127) {
  const drum = mixer.drums[number], name = facts.drums[number].name;
  const source = context.createBufferSource(), gain = context.createGain();
  gain.gain.value = (velocity / 127) ** 2; // as General MIDI
  source.buffer = drum.takes[drum.next];
  drum.next = (drum.next + 1) % drum.takes.length;
  source.connect(gain); gain.connect(drum.place);
  if (CHOKED_BY[name] && mixer.open) { // feet close what was open
    mixer.open.gain.setTargetAtTime(0, when, 0.012);
    mixer.open = null;
  }
  if (name === "open hi-hat") mixer.open = gain;
  source.start(Math.max(when, 0));
  return source;
}
