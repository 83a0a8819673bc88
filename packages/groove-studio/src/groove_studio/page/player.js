// One player: the server's sound, looped without a gap, with a metronome and a meter.
import { button, bytes, el, fileOf, say, soundOf, state, tell, trying } from "./core.js";
import { changed } from "./edit.js";

let context = null, analyser = null, mix = null;
let playing = null; // { item, sources, gains, started, offset, duration, loopS, events }
const buffers = new Map();
export const settings = { loop: true, metronome: false };
const pair = [null, null]; // A and B

const Kind = window.AudioContext ?? window.webkitAudioContext;
export const canSound = () => Boolean(Kind);
function ready() {
  if (context) return true;
  if (!Kind) {
    say("This browser cannot play sound.", "Export a WAV file and play that.");
    return false;
  }
  context = new Kind();
  analyser = new AnalyserNode(context, { fftSize: 2048 });
  mix = new GainNode(context);
  mix.connect(analyser).connect(context.destination);
  return true;
}

export async function speaker() {
  if (!ready()) throw new Error("no sound");
  await context.resume();
  return { context, target: mix };
}

export async function bufferOf(item, ending = "wav") {
  if (!ready()) return null;
  const key = `${item.id}/${ending}`;
  if (!buffers.has(key)) {
    const made = bytes(fileOf(item, ending)).then((data) => context.decodeAudioData(data));
    made.catch(() => buffers.delete(key));
    buffers.set(key, made);
    if (buffers.size > 24) buffers.delete(buffers.keys().next().value);
  }
  return buffers.get(key);
}

export const nowPlaying = () => playing;
// When a time of the sound reaches the ear, on the clock of MIDI.
export const heardAt = (seconds) => performance.now() + 1000 * (seconds - context.currentTime + (context.outputLatency || 0));
export const isPlaying = (item) => playing?.item.id === item.id;
export function position() {
  if (!playing) return null;
  const at = playing.offset + context.currentTime - playing.started;
  if (!settings.loop && at > playing.duration) return null;
  return Math.max(0, settings.loop ? at % playing.loopS : at);
}
export function peak() {
  if (!analyser) return 0;
  const wave = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(wave);
  return wave.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
}

export function stop() {
  const was = playing;
  playing = null;
  for (const source of was?.sources ?? []) {
    source.onended = null;
    source.stop();
  }
  if (was) tell("playing", null);
}

export async function play(item, { from = 0, endings = ["wav"], beats = null } = {}) {
  const edited = changed(item); // is heard as it is shown
  const sounds = async () => {
    if (edited === null || endings[0] !== "wav") return Promise.all(endings.map((one) => bufferOf(item, one)));
    return [ready() ? await context.decodeAudioData(await soundOf(edited)) : null];
  };
  const found = await trying(sounds);
  if (!found || found.some((one) => !one)) return;
  await context.resume();
  stop();
  const duration = Math.max(...found.map((one) => one.duration));
  // The sound of a score rings on behind its last bar, where the loop goes back.
  const loopS = Math.min(duration, beats?.loopS?.() ?? duration);
  const start = context.currentTime + 0.02;
  const gains = [];
  const sources = found.map((buffer) => {
    const source = new AudioBufferSourceNode(context, { buffer, loop: settings.loop, loopEnd: loopS });
    const gain = new GainNode(context);
    source.connect(gain).connect(mix);
    gains.push(gain);
    source.start(start, from);
    return source;
  });
  if (settings.metronome && beats) sources.push(clicks(beats, settings.loop ? loopS : duration, start, from));
  playing = { item, sources, gains, started: start, offset: from, duration, loopS, events: beats?.events };
  const mine = playing;
  sources[0].onended = () => {
    if (playing === mine) stop();
  };
  tell("playing", item);
}

function clicks({ tempo, perBar }, duration, start, from) {
  const rate = context.sampleRate;
  const buffer = new AudioBuffer({ length: Math.round(duration * rate), sampleRate: rate });
  const wave = buffer.getChannelData(0);
  for (let beat = 0; (beat * 60) / tempo < duration - 0.01; beat++) {
    const at = Math.round(((beat * 60) / tempo) * rate), pitch = beat % perBar ? 1000 : 1600;
    for (let i = 0; i < 0.03 * rate && at + i < wave.length; i++) wave[at + i] = 0.25 * Math.sin((2 * Math.PI * pitch * i) / rate) * Math.exp(-i / (0.006 * rate));
  }
  const source = new AudioBufferSourceNode(context, { buffer, loop: settings.loop });
  source.connect(mix);
  source.start(start, from);
  return source;
}

export const setGain = (index, value) => {
  if (playing?.gains[index]) playing.gains[index].gain.value = value;
};

// `more` are buttons of others, before the level.
export function transport(place, ...more) {
  const toggle = (name, text, title) => {
    const made = button(text, () => {
      settings[name] = !settings[name];
      made.setAttribute("aria-pressed", settings[name]);
      if (name === "loop") for (const source of playing?.sources ?? []) source.loop = settings.loop;
    }, { title, "aria-pressed": String(settings[name]) });
    return made;
  };
  const meter = el("meter", { min: 0, max: 1, low: 0.9, high: 0.98, optimum: 0.3, value: 0, "aria-label": "Level" });
  const chosen = (index) => button("AB"[index], () => {
    const item = state.items.get(pair[index]);
    if (item) play(item, { from: position() ?? 0 });
    else say(`Nothing is set as ${"AB"[index]} yet.`);
  }, { title: `Play what is set as ${"AB"[index]}` });
  place.append(button("Stop", stop), toggle("loop", "Loop", "Play again from the start"), toggle("metronome", "Metronome", "Click on every beat"), el("span", { className: "joined" }, chosen(0), chosen(1)), ...more, meter);
  const draw = () => {
    meter.value = playing ? peak() : 0;
    tell("frame");
    requestAnimationFrame(draw);
  };
  draw();
}
export const compare = (index, item) => {
  pair[index] = item.id;
  say(`${item.name} is ${"AB"[index]} now.`);
};
window.groove = { peak, position, state };
