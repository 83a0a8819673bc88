"use strict";
// The sequencer: steps are put on the clock of the sound card a little before they are due.

/** What sounds. `scheduled` counts notes by voice; `loop` those of the last whole loop. */
const audio = { context: null, mixer: null, analyser: null, scheduled: [], loop: null, volume: 0.8 };
const player = {
  playing: false, piece: null, music: null, tempo: 120, swing: 0,
  step: 0, time: 0, steps: 0, counts: [], timer: 0, rest: 0, pending: new Set(),
  /** What has been scheduled and not yet been shown: {time, step, piece, music}. */
  queue: [],
  /** Called before the first step of every loop but the first. */
  onLoop: null,
};
const AHEAD_S = 0.12, WAKE_MS = 25, START_S = 0.06, REST_MS = 4000;
/** Browsers wake a hidden page once a second. */
const AHEAD_HIDDEN_S = 1.4;

const AudioContextClass = () => window.AudioContext || window.webkitAudioContext;
const canSound = () => Boolean(AudioContextClass());
const stepSeconds = () => 15 / player.tempo;
const noCounts = () => Array.from({ length: subject.voices() }, () => 0);

/** Make or resume the context. Browsers allow it in answer to a gesture only. */
function wakeAudio() {
  if (!canSound()) return false;
  if (!audio.context) {
    audio.context = new (AudioContextClass())({ latencyHint: "interactive" });
    audio.mixer = subject.makeMixer(audio.context);
    audio.analyser = audio.mixer.analyser;
    audio.scheduled = noCounts();
    setVolume(audio.volume);
  }
  if (audio.context.state !== "running" && audio.context.state !== "closed")
    audio.context.resume().catch(() => {}); // the next gesture tries again
  return true;
}

function setVolume(share) {
  audio.volume = share;
  // Squared: steps of a slider then sound alike.
  if (audio.mixer) audio.mixer.volume.gain.setTargetAtTime(share * share, audio.context.currentTime, 0.015);
}

/** Start a piece, or let it take over at the next step that is not yet scheduled. */
function playPiece(piece, music = piece.music) {
  if (!wakeAudio()) return false;
  clearTimeout(player.rest);
  player.piece = piece; player.music = music;
  if (!player.playing) {
    Object.assign(player, {
      playing: true, step: 0, steps: 0, time: audio.context.currentTime + START_S, queue: [], counts: noCounts(),
    });
    audio.loop = null;
    player.timer = setInterval(pump, WAKE_MS);
    pump();
  }
  return true;
}

function stopPiece() {
  clearInterval(player.timer);
  player.playing = false; player.queue = [];
  // What has not begun to sound is taken back; what sounds may ring.
  for (const [source, when] of player.pending) if (when > audio.context.currentTime) source.stop();
  player.pending.clear();
  // A context that runs in silence still uses the battery.
  player.rest = setTimeout(() => audio.context.suspend().catch(() => {}), REST_MS);
}

function pump() {
  const now = audio.context.currentTime, until = now + (document.hidden ? AHEAD_HIDDEN_S : AHEAD_S);
  // After the computer slept: go on from now, instead of catching up.
  if (player.time < now - 0.25) player.time = now + START_S;
  for (const entry of player.pending) if (entry[1] <= now) player.pending.delete(entry);
  while (player.playing && player.time < until) scheduleStep();
}

function scheduleStep() {
  const { step } = player;
  if (step === 0 && player.steps) {
    audio.loop = player.counts;
    player.counts = noCounts();
    if (player.onLoop) player.onLoop();
  }
  const when = player.time + (step % 2 ? player.swing / 3 * stepSeconds() : 0);
  for (const [voice, source] of subject.sound(player.music, step, when)) {
    player.pending.add([source, when]);
    audio.scheduled[voice]++; player.counts[voice]++;
  }
  player.queue.push({ time: when, step, piece: player.piece, music: player.music });
  player.time += stepSeconds();
  player.step = (step + 1) % subject.steps(player.music);
  player.steps++;
}

/** The step that is heard now, or null while nothing new is. */
function heardNow() {
  const { context } = audio;
  const now = context.currentTime - (context.outputLatency || context.baseLatency || 0);
  let heard = null;
  while (player.queue.length && player.queue[0].time <= now) heard = player.queue.shift();
  return heard;
}
