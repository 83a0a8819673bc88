"use strict";
// What sounds are made of, and the way from them to the ears.

const RATE = 44100;

/** Random numbers that are the same every time (mulberry32), -1 to 1. */
function noiseFrom(seed) {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 31 - 1;
  };
}

/** A filter of second order (R. Bristow-Johnson's cookbook): low, high or band. */
function filter(kind, hertz, q, samples) {
  const w = 2 * Math.PI * Math.min(hertz, RATE * 0.45) / RATE, cos = Math.cos(w), alpha = Math.sin(w) / (2 * q);
  const b = { low: [(1 - cos) / 2, 1 - cos, (1 - cos) / 2], high: [(1 + cos) / 2, -1 - cos, (1 + cos) / 2], band: [alpha, 0, -alpha] }[kind];
  const a0 = 1 + alpha, a1 = -2 * cos / a0, a2 = (1 - alpha) / a0, [b0, b1, b2] = b.map((v) => v / a0);
  let x1 = 0, x2 = 0, y1 = 0, y2 = 0;
  return samples.map((x) => {
    const y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
    x2 = x1; x1 = x; y2 = y1; y1 = y;
    return y;
  });
}

const render = (seconds, sample) => Float32Array.from({ length: Math.round(seconds * RATE) }, (_, i) => sample(i / RATE));
const decay = (t, seconds) => Math.exp(-t / seconds);
const attack = (t, seconds) => Math.min(1, t / seconds);
const add = (...parts) => parts[0].map((v, i) => parts.reduce((sum, part) => sum + (part[i] || 0), 0));

/** Curve of the last stage: straight where it is quiet, never over 0.97. */
const CEILING = Float32Array.from({ length: 2049 }, (_, i) => {
  const x = (i / 1024 - 1) * 2, sign = Math.sign(x), size = Math.abs(x);
  return size < 0.6 ? x : sign * (0.6 + 0.37 * Math.tanh((size - 0.6) / 0.37));
});

/**
 * The way of all sounds: a compressor, a ceiling, the volume. In any kind of audio context, so
 * that tests can render it. Whatever sounds is connected to `into`.
 */
function makeOutput(context) {
  const compressor = context.createDynamicsCompressor(), ceiling = context.createWaveShaper();
  compressor.threshold.value = -16; compressor.knee.value = 12; compressor.ratio.value = 3;
  compressor.attack.value = 0.004; compressor.release.value = 0.14;
  const into = context.createGain(), half = context.createGain(), volume = context.createGain(), analyser = context.createAnalyser();
  into.gain.value = 0.62;
  half.gain.value = 0.5; // the curve spans -2 to 2, so that it bends what is over 1, too
  ceiling.curve = CEILING;
  into.connect(compressor); compressor.connect(half); half.connect(ceiling); ceiling.connect(volume);
  volume.connect(analyser); analyser.connect(context.destination);
  return { into, volume, analyser };
}

/** A buffer of samples at RATE. */
function bufferOf(context, samples) {
  const buffer = context.createBuffer(1, samples.length, RATE);
  buffer.copyToChannel(samples, 0);
  return buffer;
}

/** Compute things one by one while nothing else is to do, so that the first click sounds at once. */
function warm(makes, number = 0) {
  if (number >= makes.length) return;
  const later = window.requestIdleCallback || ((work) => setTimeout(work, 50));
  later(() => { makes[number](); warm(makes, number + 1); });
}
