// MIDI in and out through the browser. Nothing is asked for before it is switched on.
import { button, on, say, tell } from "./core.js";
import { heardAt, nowPlaying } from "./player.js";

export const DRUMS = 9;
const AHEAD_MS = 250, EVERY_MS = 50, HIDDEN_MS = 1500; // browsers run a hidden page once a second
let access = null, isOn = false, timer = null, round = null;

const outputs = () => (isOn ? [...access.outputs.values()] : []);
const channelOf = (event) => (event.drum ? DRUMS : event.track % 15 < DRUMS ? event.track % 15 : (event.track % 15) + 1);

export function sendNote({ pitch, velocity, program = 0, drum = false, track = 0 }, at_ms, length_ms) {
  const channel = channelOf({ drum, track });
  for (const output of outputs()) {
    if (!drum && !round?.programs.has(channel)) output.send([0xc0 | channel, program], at_ms);
    output.send([0x90 | channel, pitch, velocity], at_ms);
    output.send([0x80 | channel, pitch, 0], at_ms + length_ms);
  }
  if (!drum) round?.programs.add(channel);
}

// What is played goes to the instruments a little ahead, loop after loop, as it is shown.
function ahead() {
  const playing = nowPlaying();
  if (!playing?.events || !outputs().length) return;
  const until = performance.now() + (document.hidden ? HIDDEN_MS : AHEAD_MS);
  if (round?.playing !== playing) round = { playing, from: playing.offset, begin: heardAt(playing.started), programs: new Set(), sent: 0 };
  for (;;) {
    const loops = playing.sources[0].loop, total = loops ? playing.loopS : playing.duration;
    round.list ??= playing.events().filter((one) => one.at >= round.from - 1e-6 && one.at < total).sort((a, b) => a.at - b.at);
    while (round.sent < round.list.length) {
      const event = round.list[round.sent];
      const at = round.begin + 1000 * (event.at - round.from);
      if (at > until) return;
      sendNote(event, at, 1000 * event.seconds);
      round.sent++;
    }
    const end = round.begin + 1000 * (total - round.from);
    if (end > until || !loops) return;
    Object.assign(round, { begin: end, from: 0, list: null, sent: 0 });
  }
}

function silence() {
  round = null;
  for (const output of outputs()) {
    output.clear?.();
    // What has been sent ahead sounds once more at most.
    for (const at of [performance.now(), performance.now() + AHEAD_MS]) for (let channel = 0; channel < 16; channel++) output.send([0xb0 | channel, 123, 0], at);
  }
}

function listen() {
  for (const input of access.inputs.values())
    input.onmidimessage = isOn ? ({ data: [status, pitch, velocity], timeStamp }) => {
      const what = status & 0xf0;
      if (what === 0x90 && velocity) tell("key", { pitch, velocity, down: true, at: timeStamp });
      else if (what === 0x80 || what === 0x90) tell("key", { pitch, velocity: 0, down: false, at: timeStamp });
    } : null;
}

export function midiButton() {
  const made = button("MIDI", () => switchMidi(), { title: "Play with a keyboard, and let other instruments play", "aria-pressed": "false" });
  on("midi", () => made.setAttribute("aria-pressed", String(isOn)));
  return made;
}

export async function switchMidi(wanted = !isOn) {
  if (wanted === isOn) return isOn;
  if (!wanted) {
    silence();
    isOn = false;
    clearInterval(timer);
    listen();
    tell("midi");
    return false;
  }
  if (!navigator.requestMIDIAccess) {
    say("This browser has no MIDI.", "Chromium, Edge and Firefox have.");
    return false;
  }
  try {
    access ??= await navigator.requestMIDIAccess();
  } catch {
    say("MIDI was not allowed.", "Allow it in the settings of this page.");
    return false;
  }
  isOn = true;
  access.onstatechange = listen; // an instrument that is plugged in later
  listen();
  timer = setInterval(ahead, EVERY_MS);
  say(`MIDI is on: ${access.inputs.size} in, ${access.outputs.size} out.`);
  tell("midi");
  return true;
}

on("playing", (item) => (item ? ahead() : silence()));
