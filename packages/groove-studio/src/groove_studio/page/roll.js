// Notes on a piano roll: select, move, lengthen, add and remove; velocity as colour.
import { button, documentOf, el, on, post, say, state, trying } from "./core.js";
import { isPlaying, play, position, setGain } from "./player.js";
import { changed, editor } from "./edit.js";
import { hear } from "./live.js";
import { switchMidi } from "./midi.js";

const NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
export const pitchName = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const ROW = 7, MARGIN = 34;

// Scores have tracks in ticks, melodies one line in steps: both become rows of notes.
export function notesOf(document) {
  if (document.tracks) return document.tracks.flatMap((track, index) => track.notes.map(([at, length, pitch, velocity]) => ({ track: index, at, length, pitch, velocity })));
  return document.notes.map(([at, length, pitch, velocity]) => ({ track: 0, at, length, pitch, velocity: velocity ?? 90 }));
}
export function withNotes(document, notes) {
  const rows = (index) => notes.filter((one) => one.track === index).sort((a, b) => a.at - b.at || a.pitch - b.pitch).map((one) => [one.at, one.length, one.pitch, one.velocity]);
  const made = { ...document };
  delete made.midi; // what the file had beyond its notes belongs to the notes of then
  if (made.tracks) made.tracks = made.tracks.map((track, index) => ({ ...track, notes: rows(index) }));
  else made.notes = rows(0);
  return made;
}
const unitsOf = (document) => document.ticks_per_quarter ?? document.steps_per_quarter;
function endOf(document, notes) {
  return Math.max(document.end_tick ?? document.length ?? 0, ...notes.map((one) => one.at + one.length), 1);
}
function barOf(document) { // in quarter notes
  const [top, bottom] = document.metre ?? document.time_signatures?.[0]?.slice(1) ?? [4, 4];
  return (4 * top) / bottom;
}
function secondsAt(document) {
  const unit = unitsOf(document);
  if (!document.tempos?.length) {
    // A pickup sounds at the end of a bar.
    const per = 60 / ((document.tempo_bpm ?? 120) * unit), lead = document.pickup ? barOf(document) * unit - document.pickup : 0;
    return { toUnit: (s) => s / per - lead, toSeconds: (at) => (at + lead) * per, tempo: document.tempo_bpm ?? 120 };
  }
  const changes = document.tempos.map(([tick, us]) => [tick, us / 1e6 / unit]);
  if (changes[0][0] > 0) changes.unshift([0, 0.5 / unit]);
  return {
    tempo: 60 / (changes[0][1] * unit),
    toUnit(seconds) {
      let left = seconds;
      for (let i = 0; i < changes.length; i++) {
        const [tick, per] = changes[i];
        const until = (changes[i + 1]?.[0] ?? Infinity) - tick;
        if (left <= until * per) return tick + left / per;
        left -= until * per;
      }
      return 0;
    },
    toSeconds(at) {
      let seconds = 0;
      for (let i = 0; i < changes.length && changes[i][0] < at; i++) seconds += (Math.min(at, changes[i + 1]?.[0] ?? Infinity) - changes[i][0]) * changes[i][1];
      return seconds;
    },
  };
}
// A line has one note at a time: the next one ends it.
function oneVoice(notes) {
  const kept = [];
  for (const note of [...notes].sort((a, b) => a.at - b.at)) {
    const before = kept.at(-1);
    if (before && before.at === note.at) kept.pop();
    else if (before) before.length = Math.min(before.length, note.at - before.at);
    kept.push(note);
  }
  return kept;
}

export async function show(place, item) {
  const original = await documentOf(item);
  const unit = unitsOf(original), grid = original.tracks ? unit / 4 : 1;
  const clock = secondsAt(original);
  let notes = notesOf(original), chosen = -1, zoom = 1;
  const edit = editor(item, () => withNotes(original, notes), (kept) => { notes = kept; chosen = -1; draw(); }, () => notes.map((one) => ({ ...one })));
  const editable = item.kind !== "take";
  const canvas = el("canvas", { tabIndex: 0, role: "application", "aria-label": `Piano roll of ${item.name}. Tab selects the next note, arrows move it, shift and arrows change its length, plus and minus its velocity, Delete removes it, Enter adds one behind it.` });
  const said = el("p", { className: "soft", "aria-live": "polite" });
  const box = el("div", { className: "scroll" }, canvas);
  let low = 0, high = 0, scale = 1;

  function measure() {
    const pitches = notes.map((one) => one.pitch);
    low = Math.min(...pitches, 72) - 3;
    high = Math.max(...pitches, 60) + 3;
    const width = Math.max(300, (box.clientWidth || 640) * zoom);
    scale = (width - MARGIN) / endOf(original, notes);
    const ratio = window.devicePixelRatio || 1;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${(high - low + 1) * ROW}px`;
    canvas.width = width * ratio;
    canvas.height = (high - low + 1) * ROW * ratio;
    const draw2d = canvas.getContext("2d");
    draw2d.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { draw2d, width };
  }
  const yOf = (pitch) => (high - pitch) * ROW;
  function draw() {
    const { draw2d, width } = measure();
    const look = getComputedStyle(document.documentElement);
    const ink = (name) => look.getPropertyValue(name).trim();
    draw2d.fillStyle = ink("--stripe");
    draw2d.fillRect(0, 0, width, 1e4);
    draw2d.font = "10px system-ui";
    for (let pitch = low; pitch <= high; pitch++) {
      if (NAMES[pitch % 12].length > 1) {
        draw2d.fillStyle = ink("--hover");
        draw2d.fillRect(MARGIN, yOf(pitch), width, ROW);
      }
      if (pitch % 12 === 0) {
        draw2d.fillStyle = ink("--soft");
        draw2d.fillText(pitchName(pitch), 2, yOf(pitch) + ROW);
      }
    }
    draw2d.strokeStyle = ink("--line");
    const last = endOf(original, notes), pickup = original.pickup ?? 0;
    const line = (at, thick) => {
      draw2d.lineWidth = thick;
      draw2d.beginPath();
      draw2d.moveTo(MARGIN + at * scale, 0);
      draw2d.lineTo(MARGIN + at * scale, 1e4);
      draw2d.stroke();
    };
    if (scale * unit >= 6) for (let at = pickup % unit; at <= last; at += unit) line(at, 0.5);
    for (let at = pickup; at <= last; at += barOf(original) * unit) line(at, 1.5);
    const colours = state.facts.palette;
    notes.forEach((note, index) => {
      draw2d.globalAlpha = 0.35 + (0.65 * note.velocity) / 127;
      draw2d.fillStyle = colours[note.track % (colours.length - 1)] ?? ink("--accent");
      const x = MARGIN + note.at * scale, w = Math.max(2, note.length * scale - 1);
      draw2d.fillRect(x, yOf(note.pitch) + 0.5, w, ROW - 1);
      draw2d.globalAlpha = 1;
      if (index === chosen) {
        draw2d.strokeStyle = ink("--ink");
        draw2d.lineWidth = 2;
        draw2d.strokeRect(x, yOf(note.pitch), w, ROW);
      }
    });
    for (const [at, name] of original.chords ?? []) {
      draw2d.fillStyle = ink("--soft");
      draw2d.fillText(name, MARGIN + at * scale + 2, 10);
    }
    const at = isPlaying(item) ? position() : null;
    if (at !== null) {
      draw2d.fillStyle = ink("--added");
      draw2d.fillRect(MARGIN + clock.toUnit(at) * scale, 0, 2, 1e4);
    }
  }
  const describe = () => {
    const note = notes[chosen];
    said.textContent = note ? `${pitchName(note.pitch)}, beat ${(note.at / unit + 1).toFixed(2)}, ${(note.length / unit).toFixed(2)} beats, velocity ${note.velocity}` : `${notes.length} notes`;
  };
  const sound = (note) => {
    const track = original.tracks?.[note.track];
    hear({ ...note, program: track?.program ?? 0, drum: Boolean(track?.is_drum) });
  };
  function change(run) {
    if (!editable) return;
    edit.before();
    run(notes[chosen]);
    edit.after();
    sound(notes[chosen]);
    describe();
    draw();
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { unit: (event.clientX - box.left - MARGIN) / scale, pitch: high - Math.floor((event.clientY - box.top) / ROW) };
  };
  const under = ({ unit, pitch }) => notes.findIndex((one) => one.pitch === pitch && one.at <= unit && unit <= one.at + one.length);
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    const where = at(event);
    chosen = under(where);
    describe();
    draw();
    if (chosen < 0 || !editable) return;
    const note = notes[chosen];
    sound(note);
    drag = { where, note: { ...note }, stretch: (note.at + note.length - where.unit) * scale < 6, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const where = at(event);
    const by = Math.round((where.unit - drag.where.unit) / grid) * grid;
    if (!drag.moved && (by || where.pitch !== drag.where.pitch)) {
      edit.before();
      drag.moved = true;
    }
    if (!drag.moved) return;
    const note = notes[chosen];
    if (drag.stretch) note.length = Math.max(grid, drag.note.length + by);
    else {
      note.at = Math.max(0, drag.note.at + by);
      note.pitch = Math.max(0, Math.min(127, drag.note.pitch + where.pitch - drag.where.pitch));
    }
    draw();
  });
  canvas.addEventListener("pointerup", () => {
    if (drag?.moved) {
      edit.after();
      sound(notes[chosen]);
    }
    drag = null;
    describe();
  });
  canvas.addEventListener("dblclick", (event) => {
    if (!editable) return;
    const where = at(event);
    if (under(where) >= 0 || where.unit < 0) return;
    edit.before();
    notes.push({ track: 0, at: Math.floor(where.unit / grid) * grid, length: lengthOf(), pitch: where.pitch, velocity: 90 });
    chosen = notes.length - 1;
    edit.after();
    describe();
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const order = notes.map((_, index) => index).sort((a, b) => notes[a].at - notes[b].at || notes[a].pitch - notes[b].pitch);
    const keys = {
      ArrowLeft: (note) => { if (event.shiftKey) note.length = Math.max(grid, note.length - grid); else note.at = Math.max(0, note.at - grid); },
      ArrowRight: (note) => { if (event.shiftKey) note.length += grid; else note.at += grid; },
      ArrowUp: (note) => { note.pitch = Math.min(127, note.pitch + 1); },
      ArrowDown: (note) => { note.pitch = Math.max(0, note.pitch - 1); },
      "+": (note) => { note.velocity = Math.min(127, note.velocity + 8); },
      "-": (note) => { note.velocity = Math.max(1, note.velocity - 8); },
    };
    if (event.key === "Tab") {
      const next = order.indexOf(chosen) + (event.shiftKey ? -1 : 1);
      if (next < 0 || next >= order.length) return; // leave the roll
      chosen = order[next];
      describe();
      draw();
    } else if (event.ctrlKey && event.key === "z") edit.undo();
    else if (event.ctrlKey && event.key === "y") edit.redo();
    else if (event.key === "Escape") {
      chosen = -1;
      canvas.blur();
    } else if (chosen >= 0 && editable && ["Delete", "Backspace"].includes(event.key)) {
      edit.before();
      notes.splice(chosen, 1);
      chosen = -1;
      edit.after();
      describe();
      draw();
    } else if (editable && event.key === "Enter") {
      follow();
      sound(notes[chosen]);
    } else if (chosen >= 0 && keys[event.key]) change(keys[event.key]);
    else return;
    event.preventDefault();
  });
  // While it records, a keyboard's notes come where the sound is, or where the first one began the clock.
  // Otherwise it writes one note after the other behind the chosen one, into the roll that has the focus.
  let take = null;
  const lengthOf = () => unit / (original.tracks ? 2 : 1);
  function put(note) {
    notes.push(note);
    if (!original.tracks) notes = oneVoice(notes);
    chosen = notes.indexOf(note);
    describe();
    draw();
  }
  function follow({ pitch, velocity } = {}) {
    const before = notes[chosen];
    edit.before();
    put({ track: before?.track ?? 0, at: before ? before.at + before.length : 0, length: before?.length ?? lengthOf(), pitch: pitch ?? before?.pitch ?? 60, velocity: velocity ?? before?.velocity ?? 90 });
    edit.after();
  }
  const record = editable ? button("Record", async () => {
    if (!take && !(await switchMidi(true))) return;
    if (take) edit.after();
    else edit.before();
    take = take ? null : { began: null, open: new Map() };
    record.setAttribute("aria-pressed", Boolean(take));
    if (take) say("Recording: play on your keyboard.");
    else say("Recorded.");
  }, { "aria-pressed": "false", title: "Write what your MIDI keyboard plays" }) : null;
  function recorded({ pitch, velocity, down, at }) {
    const late = (performance.now() - at) / 1000;
    const playing = isPlaying(item) ? position() : null;
    if (playing === null) take.began ??= at;
    const where = Math.max(0, Math.round(clock.toUnit(playing === null ? clock.toSeconds(0) + (at - take.began) / 1000 : playing - late)));
    const open = take.open.get(pitch);
    take.open.delete(pitch);
    if (open) put({ ...open, length: Math.max(1, (where < open.at ? endOf(original, notes) : where) - open.at) });
    if (down) take.open.set(pitch, { track: notes[chosen]?.track ?? 0, at: where, pitch, velocity });
  }
  const offKey = on("key", (key) => {
    if (!place.isConnected) return offKey();
    if (take) return recorded(key);
    if (document.activeElement !== canvas || !editable || !key.down) return;
    follow(key);
  });
  const closer = (by) => { zoom = Math.max(1, Math.min(32, zoom * by)); draw(); };
  place.append(box, said, el("div", { className: "bar" }, button("-", () => closer(0.5), { "aria-label": "Zoom out" }), button("+", () => closer(2), { "aria-label": "Zoom in" }), record, editable ? edit.bar : null));
  if ((original.tracks?.length ?? 0) > 1) place.append(tracks(item, original));
  describe();
  draw();
  new ResizeObserver(draw).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let was = null;
  const off = on("frame", () => {
    if (!place.isConnected) return off();
    const now = isPlaying(item) ? position() : null;
    if (now !== was) draw();
    was = now;
  });
  return {
    tempo: clock.tempo,
    perBar: barOf(original),
    loopS: () => {
      const bar = barOf(original) * unit, pickup = original.pickup ?? 0;
      return clock.toSeconds(pickup + Math.ceil((endOf(original, notes) - pickup) / bar - 1e-9) * bar);
    },
    events: () => notes.map((note) => {
      const track = original.tracks?.[note.track], at = clock.toSeconds(note.at);
      return { at, seconds: clock.toSeconds(note.at + note.length) - at, pitch: note.pitch, velocity: note.velocity, track: note.track, program: track?.program ?? 0, drum: Boolean(track?.is_drum) };
    }),
  };
}

// Solo and mute play a sound file for each track.
function tracks(item, original) {
  const rows = original.tracks.map((track) => ({ track, mute: false, solo: false }));
  const level = () => {
    const solo = rows.some((row) => row.solo);
    rows.forEach((row, index) => setGain(index, row.mute || (solo && !row.solo) ? 0 : 1));
  };
  const list = el("div", { className: "tracks" }, rows.map((row, index) => {
    const flip = (name, text) => {
      const made = button(text, () => { row[name] = !row[name]; made.setAttribute("aria-pressed", row[name]); level(); }, { "aria-pressed": "false", "aria-label": `${text} ${row.track.name || `track ${index + 1}`}` });
      return made;
    };
    return el("div", {}, flip("solo", "Solo"), flip("mute", "Mute"), row.track.name || (row.track.is_drum ? "drums" : `track ${index + 1}`));
  }));
  const start = button("Play the tracks", async () => {
    if (changed(item)) return say("The tracks are not those that you see.", "Keep the change, and play its tracks.");
    const found = await trying(() => post("write", { item: item.id, ending: "stems" }));
    if (!found) return;
    await play(item, { endings: found.endings });
    level();
  });
  return el("details", {}, el("summary", {}, `${rows.length} tracks`), start, list);
}
