"use strict";
// The voice: an electric piano, a tine and its tone bar, computed for each pitch when it is first played.

const VOICE_S = 2.6;

/** The samples of a note, by frequency modulation (J. Chowning, 1973): bright when struck, a sine in the end. */
function tineSamples(note) {
  const hertz = 440 * 2 ** ((note - 69) / 12), long = 1.5 * 2 ** ((60 - note) / 24);
  const bright = clamp(2.2 - (note - 60) / 24, 0.5, 3);
  const samples = render(VOICE_S, (t) => {
    const w = 2 * Math.PI * hertz * t, index = bright * (0.25 * decay(t, 1.1) + 0.75 * decay(t, 0.16));
    const bar = Math.sin(w + index * Math.sin(w)), tine = Math.sin(7.13 * w) * decay(t, 0.07) * (hertz < 1500 ? 0.1 : 0);
    return (bar + tine) * attack(t, 0.002) * decay(t, long);
  });
  const n = samples.length;
  return samples.map((v, i) => 0.5 * v * Math.min(1, (n - i) / 2000));
}

const voiceSamples = [];
function samplesAt(note) {
  voiceSamples[note] = voiceSamples[note] || tineSamples(note);
  return voiceSamples[note];
}

function makeMixer(context) {
  return { ...makeOutput(context), buffers: [] };
}

/** Let a note sound at a time of the context's clock, for so many seconds. Gives the source, which can be stopped. */
function strike(context, mixer, { note, velocity }, when, seconds) {
  mixer.buffers[note] = mixer.buffers[note] || bufferOf(context, samplesAt(note));
  const source = context.createBufferSource(), tone = context.createBiquadFilter(), gain = context.createGain();
  source.buffer = mixer.buffers[note];
  // Louder notes are brighter, too.
  tone.type = "lowpass"; tone.frequency.value = clamp(440 * 2 ** ((note - 69) / 12) * (1 + 9 * (velocity / 127) ** 2), 400, 16000);
  gain.gain.setValueAtTime((velocity / 127) ** 1.6, when);
  gain.gain.setTargetAtTime(0, when + seconds, 0.06);
  source.connect(tone); tone.connect(gain); gain.connect(mixer.into);
  source.start(when); source.stop(when + seconds + 0.6);
  return source;
}
