"use strict";
// Layers of networks in double precision: the same numbers as on the Python side.

const SLOPE = 0.2, EPSILON = 1e-5;

/** Collect the layers of a network; how many there are is told by the names of the arrays. */
function makeNetwork(name) {
  const layers = [];
  for (let i = 0; arrays[`${name}.${i}.weight`]; i++) {
    const part = (key) => (arrays[`${name}.${i}.${key}`] || {}).values;
    layers.push({ ...makeLinear(`${name}.${i}`), gain: part("norm.weight"), shift: part("norm.bias") });
  }
  return layers;
}

function makeLinear(name, weight = "weight", bias = "bias") {
  const { shape: [outputs, inputs], values } = arrays[`${name}.${weight}`];
  return { inputs, outputs, weight: values, bias: arrays[`${name}.${bias}`].values };
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

/** The code of point number i. */
function codeOf(i) {
  const size = facts.latent;
  return Array.from(arrays.codes.values.subarray(i * size, (i + 1) * size));
}

/** The nearest points to a place of a layout with their weights, the inverse of the squared distance: {index, weight}, of sum 1. */
function weighed(layout, x, y) {
  const some = nearest(layout, x, y, facts.neighbours).map(({ index, squared }) => ({ index, weight: 1 / (squared + 1e-9) }));
  const total = some.reduce((sum, { weight }) => sum + weight, 0);
  return some.map(({ index, weight }) => ({ index, weight: weight / total }));
}

/** The mean of the codes of points, by their weights. */
function meanCode(points) {
  const sums = new Float64Array(facts.latent);
  for (const { index, weight } of points) codeOf(index).forEach((v, k) => { sums[k] += weight * v; });
  return sums;
}

const lerp = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
