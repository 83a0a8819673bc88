// A beat as a grid of buttons: click to set hits, arrows and wheel for velocity.
import { button, documentOf, el, on, state } from "./core.js";
import { isPlaying, position } from "./player.js";
import { editor } from "./edit.js";
import { hear } from "./live.js";

const LOUD = 100, TICKS = 120; // ticks of a step

// The JSON of a beat has a mask of drums for each step, and one number for each hit.
export function hitsOf(document) {
  const steps = document.masks.map(() => new Map());
  let at = 0;
  document.masks.forEach((mask, step) => {
    for (let drum = 0; drum < 14; drum++)
      if (mask & (1 << drum)) {
        steps[step].set(drum, { velocity: document.velocity?.[at] ?? LOUD, offset: document.offset_ticks?.[at] ?? 0 });
        at++;
      }
  });
  return steps;
}

export function withHits(document, steps) {
  const masks = [], velocity = [], offset_ticks = [];
  for (const step of steps) {
    let mask = 0;
    for (let drum = 0; drum < 14; drum++) {
      const hit = step.get(drum);
      if (!hit) continue;
      mask |= 1 << drum;
      velocity.push(hit.velocity);
      offset_ticks.push(hit.offset);
    }
    masks.push(mask);
  }
  const made = { ...document, masks, velocity, offset_ticks };
  if (offset_ticks.every((one) => one === 0)) delete made.offset_ticks;
  return made;
}

export async function show(place, item) {
  const original = await documentOf(item);
  const drums = state.facts.drums;
  let steps = hitsOf(original), tempo = original.tempo_bpm, all = false;
  const edit = editor(item, () => ({ ...withHits(original, steps), tempo_bpm: tempo }), (kept) => { ({ steps, tempo } = kept); draw(); }, () => ({ steps: steps.map((one) => new Map([...one].map(([drum, hit]) => [drum, { ...hit }]))), tempo }));
  const table = el("table", { className: "grid", role: "grid", "aria-label": `${item.name}, ${steps.length} steps`, onkeydown: key });
  table.style.setProperty("--steps", steps.length);
  const cells = new Map();
  const speed = el("input", { type: "number", min: 20, max: 400, step: 0.1, value: tempo, "aria-label": "Tempo in beats per minute", onchange: () => { edit.before(); tempo = Number(speed.value); edit.after(); } });

  function paint(cell, step, drum) {
    const hit = steps[step].get(drum);
    cell.style.setProperty("--loud", hit ? `${Math.round(20 + (80 * hit.velocity) / 127)}%` : "0%");
    cell.setAttribute("aria-pressed", Boolean(hit));
    cell.setAttribute("aria-label", `${drums[drum]}, step ${step + 1}, ${hit ? `velocity ${hit.velocity}` : "silent"}`);
  }
  function toggle(step, drum) {
    edit.before();
    if (steps[step].has(drum)) steps[step].delete(drum);
    else {
      steps[step].set(drum, { velocity: LOUD, offset: 0 });
      hear({ pitch: state.facts.drum_notes[drum], velocity: LOUD, drum: true });
    }
    paint(cells.get(`${step} ${drum}`), step, drum);
    edit.after();
  }
  function louder(step, drum, by) {
    const hit = steps[step].get(drum);
    if (!hit) return;
    edit.before();
    hit.velocity = Math.max(1, Math.min(127, hit.velocity + by));
    hear({ pitch: state.facts.drum_notes[drum], velocity: hit.velocity, drum: true });
    paint(cells.get(`${step} ${drum}`), step, drum);
    edit.after();
  }
  function key(event) {
    const cell = event.target.closest("[data-step]");
    if (!cell) return;
    const step = Number(cell.dataset.step), drum = Number(cell.dataset.drum);
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "+" || event.key === "=") louder(step, drum, 8);
    else if (event.key === "-") louder(step, drum, -8);
    else if (move) {
      const rows = shown();
      const next = cells.get(`${step + move[0]} ${rows[rows.indexOf(drum) + move[1]]}`);
      if (next) {
        cell.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
    } else return;
    event.preventDefault();
  }
  const shown = () => drums.map((_, drum) => drum).filter((drum) => all || drum < 3 || steps.some((step) => step.has(drum)));
  function draw() {
    cells.clear();
    speed.value = tempo;
    table.replaceChildren(...shown().map((drum, row) => el("tr", { role: "row" }, el("th", { scope: "row", role: "rowheader" }, drums[drum]), steps.map((_, step) => {
      const cell = el("button", { type: "button", className: "cell", tabIndex: row || step ? -1 : 0, onclick: () => toggle(step, drum), onwheel: (event) => { if (event.ctrlKey || !steps[step].has(drum)) return; event.preventDefault(); louder(step, drum, event.deltaY < 0 ? 4 : -4); } });
      cell.dataset.step = step;
      cell.dataset.drum = drum;
      cells.set(`${step} ${drum}`, cell);
      paint(cell, step, drum);
      return el("td", { role: "gridcell" }, cell);
    }))));
  }
  draw();
  const more = button("All drums", () => { all = !all; more.setAttribute("aria-pressed", all); draw(); }, { "aria-pressed": "false" });
  place.append(el("div", { className: "scroll" }, table), el("div", { className: "bar" }, more, el("label", { className: "tick" }, "Tempo", speed), edit.bar));
  const stepS = () => 15 / tempo;
  let now = -1;
  const off = on("frame", () => {
    if (!place.isConnected) return off();
    const at = isPlaying(item) ? position() : null;
    const step = at === null ? -1 : Math.floor(at / stepS());
    if (step === now) return;
    for (const drum of shown()) {
      cells.get(`${now} ${drum}`)?.classList.remove("now");
      cells.get(`${step} ${drum}`)?.classList.add("now");
    }
    now = step;
  });
  return {
    get tempo() { return tempo; },
    perBar: 4,
    // The sound is a loop: what comes before its first step is heard at its end.
    events: () => steps.flatMap((step, index) => [...step].map(([drum, hit]) => ({ at: ((index + hit.offset / TICKS + steps.length) % steps.length) * stepS(), seconds: stepS() / 2, pitch: state.facts.drum_notes[drum], velocity: hit.velocity, drum: true }))),
  };
}
