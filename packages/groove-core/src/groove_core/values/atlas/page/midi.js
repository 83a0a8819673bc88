"use strict";
// Standard MIDI files, as groove_core writes them: it reads these back note for note.

const TICKS = 120, PER_QUARTER = 480;
/** Full swing puts every odd sixteenth where the last third of a beat's half is. */
const SWING_TICKS = TICKS / 3;

const swingTicks = (step, swing) => (step % 2 ? Math.round(swing * SWING_TICKS) : 0);
const latin = (text) => Array.from(new TextEncoder().encode(text));

function variable(value) {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest; rest >>= 7) bytes.unshift(rest & 127 | 128);
  return bytes;
}

function chunk(name, bytes) {
  const n = bytes.length;
  return [...latin(name), n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255, ...bytes];
}

/** Events are [tick, bytes]; of those at one tick, the order stays. */
function midiTrack(events, end) {
  const bytes = [];
  let now = 0;
  for (const [tick, data] of [...events].sort((a, b) => a[0] - b[0])) {
    bytes.push(...variable(tick - now), ...data);
    now = tick;
  }
  bytes.push(...variable(end - now), 0xff, 0x2f, 0);
  return chunk("MTrk", bytes);
}

const meta = (kind, bytes) => [0xff, kind, ...variable(bytes.length), ...bytes];

/**
 * Pieces one after the other: {music, tempo in bpm, swing from 0 to 1}.
 * Each begins with its tempo; the markers tell how long the whole is. `subject.notes(music)` lists
 * {step, steps, note, velocity} and, for hits beside the grid, `late` in ticks, and `subject.midi` has the name of the track, its channel, and the
 * marker of so many steps.
 */
function midiFile(pieces) {
  const { name, channel, marker } = subject.midi, lengths = pieces.map(({ music }) => subject.steps(music));
  const whole = lengths.reduce((sum, steps) => sum + steps, 0), end = whole * TICKS;
  const conductor = [[0, meta(0x58, [4, 2, 24, 8])], [0, meta(0x06, latin(marker(whole)))]];
  const offs = [], ons = [];
  let begin = 0;
  pieces.forEach(({ music, tempo, swing }, number) => {
    const us = Math.round(6e7 / tempo);
    if (!number || us !== Math.round(6e7 / pieces[number - 1].tempo))
      conductor.push([begin, meta(0x51, [us >> 16 & 255, us >> 8 & 255, us & 255])]);
    const tickOf = (step) => begin + step * TICKS + swingTicks(step, swing);
    for (const { step, steps, note, velocity, late = 0 } of subject.notes(music)) {
      // Within half a step of its own, so that it is read back there.
      const on = begin + step * TICKS + clamp(swingTicks(step, swing) + late, -TICKS / 2, TICKS / 2 - 1), off = Number.isInteger(steps) ? tickOf(step + steps) : on + steps * TICKS;
      ons.push([on, [0x90 | channel, note, velocity]]);
      offs.push([off, [0x80 | channel, note, 0]]);
    }
    begin += lengths[number] * TICKS;
  });
  conductor.push([end - 1, meta(0x06, latin("groove:end"))]);
  return Uint8Array.from([
    ...chunk("MThd", [0, 1, 0, 2, PER_QUARTER >> 8, PER_QUARTER & 255]),
    ...midiTrack(conductor, end),
    ...midiTrack([[0, meta(0x03, latin(name))], ...offs, ...ons], end),
  ]);
}

function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "audio/midi" }));
  const link = document.createElement("a");
  link.href = url; link.download = name;
  document.body.append(link); link.click(); link.remove();
  // Not at once: some browsers begin to read a moment later.
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
