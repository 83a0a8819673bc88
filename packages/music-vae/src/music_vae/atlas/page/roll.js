"use strict";
// A melody as a picture: pitches from low to high, beats and bars as lines.

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B"];
const noteName = (note) => `${NAMES[note % 12]}${Math.floor(note / 12) - 1}`;
const LEAST_SPAN = 14;

function roundRect(g, x, y, width, height) {
  g.beginPath();
  if (g.roundRect) g.roundRect(x, y, width, height, 2); else g.rect(x, y, width, height);
}

/**
 * Draw a melody. With `other`, notes that only it has are outlined, and those it lacks filled in
 * another colour, with a dot.
 */
function drawRoll(canvas, events, { step = -1, other = null, labels = 30 } = {}) {
  const { g, width, height } = sharp(canvas), notes = notesOf(events), others = other ? notesOf(other) : [];
  const pitches = [...notes, ...others].map(({ note }) => note), steps = Math.max(events.length, other ? other.length : 0);
  const middle = pitches.length ? (Math.min(...pitches) + Math.max(...pitches)) / 2 : 66;
  const span = Math.max(LEAST_SPAN, pitches.length ? Math.max(...pitches) - Math.min(...pitches) + 3 : 0);
  const row = height / span, top = Math.floor(middle + span / 2), cell = (width - labels) / steps;
  const xOf = (at) => labels + at * cell, yOf = (note) => (top - note) * row;
  g.fillStyle = style("--stripe"); // every other bar
  for (let at = STEPS_PER_BAR; at < steps; at += 2 * STEPS_PER_BAR) g.fillRect(xOf(at), 0, STEPS_PER_BAR * cell, height);
  g.fillStyle = style("--line");
  for (let at = 0; at <= steps; at += STEPS_PER_BAR) g.fillRect(Math.min(xOf(at), width - 1), 0, 1, height);
  g.font = "11px system-ui, sans-serif"; g.textBaseline = "middle"; g.textAlign = "left";
  for (let note = top; note > top - span; note--) if (note % 12 === 0) {
    g.fillStyle = style("--line"); g.fillRect(labels, yOf(note) + row - 1, width - labels, 1);
    if (labels) { g.fillStyle = style("--soft"); g.fillText(noteName(note), 0, clamp(yOf(note) + row / 2, 6, height - 6)); }
  }
  if (step >= 0) { g.fillStyle = style("--playhead"); g.fillRect(xOf(step), 0, Math.max(cell, 2), height); }
  const has = (some, { step: at, note }) => some.some((one) => one.step === at && one.note === note);
  for (const one of others) if (!has(notes, one)) {
    g.strokeStyle = style("--soft"); g.lineWidth = 1;
    roundRect(g, xOf(one.step) + 0.5, yOf(one.note) + 0.5, Math.max(2, one.steps * cell - 1), Math.max(2, row - 1)); g.stroke();
  }
  for (const one of notes) {
    const made = other && !has(others, one), sounds = step >= one.step && step < one.step + one.steps;
    const x = xOf(one.step) + 0.5, y = yOf(one.note) + row * 0.06, wide = Math.max(2, one.steps * cell - 1), tall = Math.max(3, row * 0.88);
    g.fillStyle = sounds ? style("--ink") : made ? style("--added") : style("--accent");
    roundRect(g, x, y, wide, tall); g.fill();
    if (made) { // told by more than a colour
      g.fillStyle = style("--panel"); g.beginPath(); g.arc(x + Math.min(wide, 8) / 2, y + tall / 2, Math.min(wide, tall) / 4, 0, 7); g.fill();
    }
  }
}
