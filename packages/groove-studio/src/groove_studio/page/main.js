// The page: actions, a form, results, and what happened.
import { button, connect, el, on, say, state, titleOf } from "./core.js";
import { brought, show } from "./form.js";
import { card } from "./item.js";
import { midiButton } from "./midi.js";
import { transport } from "./player.js";
import { side } from "./side.js";

const place = (name) => document.getElementById(name);
const drawn = new Map(); // runs that are on the page
const ROLES = ["generator", "analyzer", "trainer"];
let chosen = "";

function part(name) {
  document.body.dataset.part = name;
  for (const tab of document.querySelectorAll("#tabs button")) tab.setAttribute("aria-pressed", tab.dataset.part === name);
}

function openForm(name, actionName, given = {}) {
  const pack = state.packages.get(name);
  const action = pack?.actions.find((one) => one.name === actionName);
  if (!action?.schema) return say(`${name} ${actionName} is not there.`, action?.hint ?? "Reload the page.");
  chosen = `${name} ${actionName}`;
  const form = show(place("form"), pack, action, given);
  for (const one of document.querySelectorAll("#actions li button")) one.toggleAttribute("aria-current", one.dataset.action === chosen);
  part("form");
  return form;
}

function send(item, name, actionName) {
  const about = state.packages.get(name).actions.find((one) => one.name === actionName).schema.properties;
  const [input] = Object.entries(about).find(([, one]) => one.takes?.includes(item.kind));
  openForm(name, actionName, { [input]: { items: [item.id] } });
  place("form").querySelector("button.main").focus();
}

function drawActions() {
  const wanted = search.value.trim().toLowerCase();
  const sections = [...state.packages.values()].sort((a, b) => a.name.localeCompare(b.name)).map((pack) => {
    if (pack.error) return el("section", {}, el("h2", {}, pack.name), el("p", { className: "error" }, pack.error), el("p", { className: "soft" }, pack.hint));
    const found = [...pack.actions].sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role)).filter((one) => `${pack.name} ${one.name} ${one.summary}`.toLowerCase().includes(wanted));
    if (!found.length) return null;
    const isFirstTrainer = (one, index) => index && one.role === "trainer" && found[index - 1].role !== "trainer";
    return el("section", {}, el("h2", { title: pack.summary }, pack.name), el("ul", {}, found.map((one, index) => {
      const made = el("button", { type: "button", title: one.error ? `${one.error} ${one.hint}` : one.summary, disabled: Boolean(one.error), onclick: () => openForm(pack.name, one.name) }, one.name);
      made.dataset.action = `${pack.name} ${one.name}`;
      made.toggleAttribute("aria-current", made.dataset.action === chosen);
      return el("li", { className: isFirstTrainer(one, index) ? "apart" : "" }, made, one.error ? el("p", { className: "soft" }, `${one.error} ${one.hint}`) : null);
    })));
  });
  list.replaceChildren(...sections.filter(Boolean));
  if (!state.packages.size) list.append(el("p", { className: "soft" }, state.listed ? "No package is installed yet. Try: pip install drum-space" : "Looking for packages"));
  document.body.classList.toggle("ready", state.listed);
}

function drawRun(record) {
  const results = place("results");
  let made = drawn.get(record.id);
  if (!made) {
    if (record.status !== "done" && !record.items.length) return;
    made = { element: el("section", { className: "run", "aria-label": titleOf(record) }, el("header", {}, el("h3", {}, titleOf(record)), el("span", { className: "soft" }))), items: new Set() };
    drawn.set(record.id, made);
    results.prepend(made.element);
  }
  made.element.querySelector("header .soft").textContent = [record.seed === null ? "" : `seed ${record.seed}`, record.seconds === null ? record.status : `${record.seconds.toFixed(1)} s`].filter(Boolean).join(", ");
  for (const item of record.items)
    if (!made.items.has(item.id)) {
      made.items.add(item.id);
      made.element.append(card(item, { send }));
    }
  if (["failed", "cancelled"].includes(record.status)) {
    made.element.remove();
    drawn.delete(record.id);
  } else results.querySelector(".welcome")?.remove();
}

function reveal(item) {
  const run = state.runs.get(item.run);
  if (!drawn.has(item.run)) drawRun(run);
  part("results");
  const found = document.querySelector(`[data-item="${item.id}"]`);
  found?.scrollIntoView({ block: "start" });
}

const search = el("input", { type: "search", placeholder: "Search actions", "aria-label": "Search actions", oninput: drawActions });
const list = el("div");
place("actions").append(search, list);
place("form").append(el("p", { className: "soft" }, "Choose an action on the left."));
const files = el("input", { type: "file", multiple: true, hidden: true, onchange: () => { brought([...files.files]); files.value = ""; } });
const bring = () => button("Bring a file", () => files.click(), { title: "MIDI, sound, or what groove has written" });
place("actions").prepend(el("div", { className: "bar" }, bring(), files));
place("results").append(el("section", { className: "welcome", "aria-label": "Begin" }));
place("results").addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
place("results").addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  brought([...event.dataTransfer.files]);
});
// What can be made from nothing, of each package the first.
function drawWelcome() {
  const welcome = place("results").querySelector(".welcome");
  if (!welcome) return;
  const starts = [...state.packages.values()].map((pack) => [pack, pack.actions.find((one) => one.role === "generator" && one.schema && !one.schema.required.length)]).filter(([, action]) => action);
  welcome.replaceChildren(
    el("h3", {}, "Begin with"),
    el("div", { className: "bar" }, starts.map(([pack, action]) => button(action.summary.replace(/\.$/, ""), () => openForm(pack.name, action.name).run(), { title: `${pack.name} ${action.name}` })), bring()),
    el("p", { className: "soft" }, "or drop a MIDI or sound file here. What you make appears here, too: play it, change it, and send it on."),
  );
}
transport(place("transport"), midiButton());
side(place("side"), { reveal, open: openForm });
for (const tab of document.querySelectorAll("#tabs button")) tab.addEventListener("click", () => part(tab.dataset.part));
part("actions");

on("packages", () => {
  drawActions();
  drawWelcome();
});
function drop(id) {
  drawn.get(id)?.element.remove();
  drawn.delete(id);
}
on("loaded", () => {
  drawActions();
  drawWelcome();
  for (const id of [...drawn.keys()].filter((one) => !state.runs.has(one))) drop(id);
  const recent = [...state.runs.values()].slice(-12);
  for (const record of recent) drawRun(record);
});
on("run", (record) => {
  drawRun(record);
  if (record.status === "done" && record.items.length) part("results");
});
on("forgotten", drop);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    search.focus();
  }
});
connect();
