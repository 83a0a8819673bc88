// Single notes at once, by SpessaSynth with the soundfont that the studio's own sound comes from; and MIDI in and out.
import { bytes, say, state, tell } from "./core.js";
import { speaker } from "./player.js";

const DRUMS = 9;
let synth = null;
export const midi = { access: null, on: false };

async function start() {
  const { context, target } = await speaker();
  const { WorkletSynthesizer } = await import("/page/vendor/spessasynth.js");
  await context.audioWorklet.addModule("/page/vendor/spessasynth_processor.js");
  const made = new WorkletSynthesizer(context);
  made.connect(target);
  await made.soundBankManager.addSoundBank(await bytes("/soundfont"), "main");
  await made.isReady;
  return made;
}

// Nothing is loaded before the first note is asked for; where it cannot be, the page is silent but works.
async function ready() {
  if (!state.facts.soundfont) return null;
  synth ??= start().catch(() => {
    say("Single notes cannot be heard in this browser.", "Keep the change, and press Play.");
    return null;
  });
  return synth;
}

export async function hear(pitch, velocity, { program = 0, drum = false, seconds = 0.3 } = {}) {
  const channel = drum ? DRUMS : 0;
  send([0x90 | channel, pitch, velocity], [0x80 | channel, pitch, 0], seconds);
  const found = await ready();
  if (!found) return;
  if (!drum) found.programChange(channel, program);
  found.noteOn(channel, pitch, velocity);
  setTimeout(() => found.noteOff(channel, pitch), 1000 * seconds);
}

function send(begin, end, seconds) {
  if (!midi.on) return;
  for (const output of midi.access.outputs.values()) {
    output.send(begin);
    output.send(end, performance.now() + 1000 * seconds);
  }
}

// Asked for only when it is switched on.
export async function switchMidi() {
  if (midi.on) {
    for (const input of midi.access.inputs.values()) input.onmidimessage = null;
    midi.on = false;
    return false;
  }
  if (!navigator.requestMIDIAccess) {
    say("This browser has no MIDI.", "Chromium, Edge and Firefox have.");
    return false;
  }
  try {
    midi.access = await navigator.requestMIDIAccess();
  } catch {
    say("MIDI was not allowed.", "Allow it in the settings of this page.");
    return false;
  }
  for (const input of midi.access.inputs.values())
    input.onmidimessage = ({ data: [status, pitch, velocity] }) => {
      if ((status & 0xf0) !== 0x90 || !velocity) return;
      tell("key", { pitch, velocity });
      hear(pitch, velocity);
    };
  midi.on = true;
  say(`MIDI: ${midi.access.inputs.size} in, ${midi.access.outputs.size} out.`);
  return true;
}
