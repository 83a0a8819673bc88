"use strict";
// Networks in double precision: the same numbers as on the Python side.

const SLOPE = 0.2, EPSILON = 1e-5;
const networks = {};

/** Collect the layers of a network; how many there are is told by the names of the arrays. */
function makeNetwork(name) {
  const layers = [];
  for (let i = 0; arrays[`${name}.${i}.weight`]; i++) {
    const part = (key) => (arrays[`${name}.${i}.${key}`] || {}).values;
    const [outputs, inputs] = arrays[`${name}.${i}.weight`].shape;
    layers.push({
      inputs, outputs, weight: part("weight"), bias: part("bias"),
      gain: part("norm.weight"), shift: part("norm.bias"),
    });
  }
  return layers;
}

function linear(layer, x) {
  const { inputs, outputs, weight, bias } = layer, y = new Float64Array(outputs);
  for (let row = 0, at = 0; row < outputs; row++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += weight[at++] * x[k];
    y[row] = sum + bias[row];
  }
  return y;
}

function normalise(layer, y) {
  const n = y.length;
  let mean = 0, variance = 0;
  for (let i = 0; i < n; i++) mean += y[i];
  mean /= n;
  for (let i = 0; i < n; i++) variance += (y[i] - mean) ** 2;
  const scale = 1 / Math.sqrt(variance / n + EPSILON);
  for (let i = 0; i < n; i++) y[i] = (y[i] - mean) * scale * layer.gain[i] + layer.shift[i];
}

function runNetwork(layers, input) {
  let x = Float64Array.from(input);
  layers.forEach((layer, i) => {
    x = linear(layer, x);
    if (i === layers.length - 1) return;
    if (layer.gain) normalise(layer, x);
    for (let k = 0; k < x.length; k++) if (x[k] < 0) x[k] *= SLOPE;
  });
  return x;
}

/** Codes are single floats, wherever they come from. */
const single = (code) => Array.from(code, Math.fround);

/** The pattern at a code: 448 zeros and ones, step by step. */
function decode(code) {
  const logits = runNetwork(networks.decoder, single(code));
  const thresholds = arrays.thresholds.values, drums = thresholds.length;
  return Uint8Array.from(logits, (logit, i) => (logit > thresholds[i % drums] ? 1 : 0));
}

/** The code of point number i. */
function codeOf(i) {
  const size = facts.latent;
  return Array.from(arrays.codes.values.subarray(i * size, (i + 1) * size));
}

/** The code at a place of the plane, x and y from -1 to 1. */
function codeAt(layout, x, y) {
  if (LAYOUT_KEYS[layout] === "parametric") {
    const scale = arrays["inverse.scale"].values, shift = arrays["inverse.shift"].values;
    return single(runNetwork(networks.inverse, [x, y]).map((v, i) => v * scale[i] + shift[i]));
  }
  // t-SNE knows no way back: between points, their codes are mixed.
  const sums = new Float64Array(facts.latent);
  let total = 0;
  for (const { index, squared } of nearest(layout, x, y, facts.neighbours)) {
    const weight = 1 / (squared + 1e-9), code = codeOf(index);
    total += weight;
    for (let k = 0; k < sums.length; k++) sums[k] += weight * code[k];
  }
  return single(sums.map((sum) => sum / total));
}

const lerp = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
