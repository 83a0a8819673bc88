"use strict";
// The sequencer: steps are put on the clock of the sound card a little before they are due.

/** What sounds. `scheduled` counts hits by drum; `loop` those of the last whole loop. */
const audio = { context: null, mixer: null, analyser: null, scheduled: [], loop: null, volume: 0.8 };
const player = {
  playing: false, beat: null, hits: null, tempo: 120, swing: 0,
  step: 0, time: 0, steps: 0, counts: [], timer: 0, rest: 0, pending: new Set(),
  /** What has been scheduled and not yet been shown: {time, step, beat, hits}. */
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

/** Make or resume the context. Browsers allow it in answer to a gesture only. */
function wakeAudio() {
  if (!canSound()) return false;
  if (!audio.context) {
    audio.context = new (AudioContextClass())({ latencyHint: "interactive" });
    audio.mixer = makeMixer(audio.context);
    audio.analyser = audio.mixer.analyser;
    audio.scheduled = facts.drums.map(() => 0);
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

/** Start a beat, or let it take over at the next step that is not yet scheduled. */
function playBeat(beat, hits = beat.hits) {
  if (!wakeAudio()) return false;
  clearTimeout(player.rest);
  player.beat = beat; player.hits = hits;
  if (!player.playing) {
    Object.assign(player, {
      playing: true, step: 0, steps: 0, time: audio.context.currentTime + START_S, queue: [], counts: facts.drums.map(() => 0),
    });
    audio.loop = null;
    player.timer = setInterval(pump, WAKE_MS);
    pump();
  }
  return true;
}

function stopBeat() {
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
  const { step } = player, drums = facts.drums.length;
  if (step === 0 && player.steps) {
    audio.loop = player.counts;
    player.counts = facts.drums.map(() => 0);
    if (player.onLoop) player.onLoop();
  }
  const when = player.time + (step % 2 ? player.swing / 3 * stepSeconds() : 0);
  for (let d = 0; d < drums; d++) {
    if (!player.hits[step * drums + d]) continue;
    player.pending.add([strike(audio.context, audio.mixer, d, when), when]);
    audio.scheduled[d]++; player.counts[d]++;
  }
  player.queue.push({ time: when, step, beat: player.beat, hits: player.hits });
  player.time += stepSeconds();
  player.step = (step + 1) % STEPS;
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
