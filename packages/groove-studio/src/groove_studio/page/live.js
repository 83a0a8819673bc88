// Single notes at once, by SpessaSynth with the soundfont that the studio's own sound comes from.
import { bytes, on, say, state } from "./core.js";
import { DRUMS, sendNote } from "./midi.js";
import { canSound, speaker } from "./player.js";

let synth = null;

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
  if (!state.facts.soundfont || !canSound()) return null;
  synth ??= start().catch(() => {
    say("Single notes cannot be heard in this browser.", "Press Play.");
    return null;
  });
  return synth;
}

async function sound({ pitch, velocity, program = 0, drum = false }, seconds) {
  const channel = drum ? DRUMS : 0;
  const found = await ready();
  if (!found) return;
  if (!drum) found.programChange(channel, program);
  found.noteOn(channel, pitch, velocity);
  setTimeout(() => found.noteOff(channel, pitch), 1000 * seconds);
}

export function hear(note, seconds = 0.3) {
  sendNote(note, performance.now(), 1000 * seconds);
  return sound(note, seconds);
}

// A keyboard is heard here, and not sent back to where it may come from.
on("key", ({ pitch, velocity, down }) => { if (down) sound({ pitch, velocity }, 0.3); });
