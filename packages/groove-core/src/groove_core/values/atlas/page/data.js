"use strict";
// From the text of the page to arrays of numbers.

/** What the page was built from; see build in page.py. */
let facts = null;
/** Name of a section -> {values, shape}. */
const arrays = {};

/** The value of each of the 65,536 half floats: the weights are stored as such. */
function halfFloats() {
  const table = new Float64Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else table[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return table;
}

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Undo gzip. Rejects when bytes are missing or were changed: gzip has a checksum. */
function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const VIEWS = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
  float16: Uint16Array,
};

/** Fill `arrays` from the blob at the end of the page. */
async function unpack() {
  const buffer = await inflate(bytesOf(document.getElementById("blob").textContent));
  const halves = halfFloats();
  for (const [name, { offset, length, dtype, shape }] of Object.entries(facts.sections)) {
    const View = VIEWS[dtype];
    const values = new View(buffer, offset, length / View.BYTES_PER_ELEMENT);
    // Numbers in JavaScript are doubles: what is computed with is kept as such.
    arrays[name] = {
      shape, values: dtype === "float16" ? Float64Array.from(values, (bits) => halves[bits]) : values,
    };
  }
}
