"use strict";
// The decoder in double precision, as decoders.py has it: the likeliest event at each step.

const OFF_CLASS = 1, NOTE = 2, LOWEST = 21, STEPS_PER_BAR = 16;
const sigmoid = (x) => 1 / (1 + Math.exp(-x)), silu = (x) => x * sigmoid(x);

/** The weights of one layer of an LSTM or GRU: what it makes of its input and of its state. */
const makeRecurrent = (name, layer) =>
  Object.fromEntries(["ih", "hh"].map((part) => [part, makeLinear(name, `weight_${part}_l${layer}`, `bias_${part}_l${layer}`)]));

/** Rows of what each class adds to the gates, of the first columns of a matrix; the start of a piece adds nothing. */
function tableOf({ inputs, outputs, weight }, classes) {
  return Array.from({ length: classes + 1 }, (_, one) =>
    Float64Array.from({ length: outputs }, (_, row) => (one < classes ? weight[row * inputs + one] : 0)));
}

/** The columns of a matrix from one on, as a layer of their own. */
function columnsFrom({ inputs, outputs, weight, bias }, first) {
  const width = inputs - first, part = new Float64Array(outputs * width);
  for (let row = 0; row < outputs; row++) part.set(weight.subarray(row * inputs + first, (row + 1) * inputs), row * width);
  return { inputs: width, outputs, weight: part, bias };
}

/** One step of an LSTM: gates without those of the state, which changes in place. */
function lstmStep(gates, hh, state) {
  const size = state.h.length, all = linear(hh, state.h), { h, c } = state;
  for (let k = 0; k < all.length; k++) all[k] += gates[k];
  for (let k = 0; k < size; k++) {
    c[k] = sigmoid(all[size + k]) * c[k] + sigmoid(all[k]) * Math.tanh(all[2 * size + k]);
    h[k] = sigmoid(all[3 * size + k]) * Math.tanh(c[k]);
  }
}

/** The first states of so many layers: tanh of a layer, h of all layers and then c of all. */
function firstStates(start, context, layers) {
  const values = linear(start, context).map(Math.tanh), size = values.length / 2 / layers;
  return Array.from({ length: layers }, (_, layer) => ({
    h: values.slice(layer * size, (layer + 1) * size), c: values.slice((layers + layer) * size, (layers + layer + 1) * size),
  }));
}

function makeCore(name) {
  const layers = [];
  while (arrays[`${name}.lstm.weight_ih_l${layers.length}`]) layers.push(makeRecurrent(`${name}.lstm`, layers.length));
  const out = makeLinear(`${name}.out`), [{ ih }] = layers;
  const plan = arrays[`${name}.plan.0.weight`] && [makeLinear(`${name}.plan.0`), makeLinear(`${name}.plan.2`)];
  return { start: makeLinear(`${name}.start`), layers, out, plan, table: tableOf(ih, out.outputs), told: columnsFrom(ih, out.outputs) };
}

/** What the steps of a bar are told: by a plan each its own, else all the same. */
function toldOf({ plan, told }, context) {
  if (!plan) { const same = linear(told, context); return () => same; }
  const all = linear(plan[1], linear(plan[0], context).map(silu)), size = all.length / STEPS_PER_BAR;
  return (step) => linear(told, all.subarray(step * size, (step + 1) * size));
}

/** Write so many steps of a voice, beginning behind an event. */
function unroll(core, context, first, steps) {
  const { start, layers, out, table } = core, told = toldOf(core, context);
  const states = firstStates(start, context, layers.length), events = new Uint8Array(steps);
  for (let step = 0, before = first; step < steps; step++) {
    let gates = told(step).map((v, k) => v + table[before][k]);
    layers.forEach(({ ih, hh }, layer) => {
      if (layer) gates = linear(ih, states[layer - 1].h);
      lstmStep(gates, hh, states[layer]);
    });
    const scores = linear(out, states[layers.length - 1].h);
    let best = 0;
    for (let k = 1; k < scores.length; k++) if (scores[k] > scores[best]) best = k;
    events[step] = before = best;
  }
  return events;
}

/** What a bar leaves behind for the next one: the last state of a GRU. */
function summaryOf({ ih, hh, table }, events) {
  const size = hh.outputs / 3, h = new Float64Array(size);
  for (const event of events) {
    const more = linear(hh, h), x = (k) => table[event][k] + ih.bias[k];
    for (let k = 0; k < size; k++) {
      const reset = sigmoid(x(k) + more[k]), keep = sigmoid(x(size + k) + more[size + k]);
      h[k] = (1 - keep) * Math.tanh(x(2 * size + k) + reset * more[2 * size + k]) + keep * h[k];
    }
  }
  return h;
}

function makeDecoder() {
  const core = makeCore("decoder.cores.melody"), decoder = { core };
  if (arrays["decoder.conductor.weight_ih_l0"])
    Object.assign(decoder, { start: makeLinear("decoder.start"), conductor: makeRecurrent("decoder.conductor", 0) });
  if (arrays["decoder.listener.weight_ih_l0"]) {
    const listener = makeRecurrent("decoder.listener", 0);
    decoder.listener = { ...listener, table: tableOf(listener.ih, core.out.outputs) };
  }
  return decoder;
}

/** Events of so many bars from a code. */
function write({ core, start, conductor, listener }, numbers, bars) {
  // Typed arrays throughout: of two kinds of arrays, a browser would compile a loop that is far slower.
  const silence = core.out.outputs, code = Float64Array.from(numbers);
  if (!conductor) return unroll(core, code, silence, bars * STEPS_PER_BAR);
  // Each bar hears all of the code, or has its own share of it, which then belongs to its context.
  const [state] = firstStates(start, code, 1), share = conductor.ih.inputs, isShared = share < code.length;
  const own = state.h.length, behind = own + (isShared ? share : 0);
  const context = new Float64Array(behind + (listener ? listener.hh.outputs / 3 : 0));
  const events = new Uint8Array(bars * STEPS_PER_BAR);
  for (let bar = 0, before = silence; bar < bars; bar++) {
    const mine = isShared ? code.subarray(bar * share, (bar + 1) * share) : code;
    lstmStep(linear(conductor.ih, mine), conductor.hh, state);
    context.set(state.h);
    if (isShared) context.set(mine, own);
    const written = unroll(core, context, before, STEPS_PER_BAR);
    events.set(written, bar * STEPS_PER_BAR);
    before = written[STEPS_PER_BAR - 1];
    if (listener) context.set(summaryOf(listener, written), behind);
  }
  return events;
}
