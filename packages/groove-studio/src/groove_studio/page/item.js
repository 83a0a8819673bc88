// A value with what can be done with it: heard, seen, changed, kept and sent on.
import { button, documentOf, el, fileOf, on, post, say, state, trying } from "./core.js";
import { canSound, compare, isPlaying, play, stop } from "./player.js";
import { kept } from "./edit.js";
import * as drums from "./drums.js";
import * as roll from "./roll.js";
import * as sound from "./sound.js";
import { codes, report } from "./tables.js";

const NAMES = { mid: "MIDI", wav: "Sound", musicxml: "MusicXML", png: "Picture", html: "Page", sfz: "Sampler", csv: "Table", txt: "Text", json: "JSON" };
const VIEWERS = { "drum-pattern": drums.show, score: roll.show, melody: roll.show, "lead-sheet": roll.show, take: roll.show, audio: sound.show, report, codes };

export function ownViewer(kind) {
  for (const pack of state.packages.values()) if (pack.viewers?.[kind]) return `/viewer/${pack.name}/${kind}`;
  return null;
}

// A stranger's page or viewer has no origin of its own and reaches nothing of ours.
function frame(address, title, kind = "") {
  return el("iframe", { src: address, title, className: kind, sandbox: "allow-scripts allow-downloads", loading: "lazy" });
}
async function foreign(place, item, address) {
  const made = frame(address, `${item.name}, shown by its package`, "viewer");
  const content = await documentOf(item);
  addEventListener("message", (event) => {
    if (event.source !== made.contentWindow) return;
    if (event.data?.ready) made.contentWindow.postMessage(content, "*");
    const height = Number(event.data?.height);
    if (height > 0) made.style.height = `${Math.min(900, height + 20)}px`;
  });
  place.append(made);
}

async function view(place, item) {
  const own = ownViewer(item.kind);
  if (item.endings.includes("html")) place.append(frame(fileOf(item, "html"), item.name), el("p", {}, el("a", { href: fileOf(item, "html"), target: "_blank", rel: "noreferrer" }, "Open the page alone")));
  else if (own) await foreign(place, item, own);
  else if (VIEWERS[item.kind]) return VIEWERS[item.kind](place, item);
  else {
    if (item.endings.includes("png")) place.append(el("img", { src: fileOf(item, "png"), alt: `Picture of ${item.name}`, loading: "lazy" }));
    place.append(el("pre", { tabIndex: 0 }, item.text));
  }
  return null;
}

export function card(item, { send }) {
  const seen = el("div");
  let beats = null;
  const sounds = item.endings.includes("wav");
  const listen = sounds && canSound() ? button("Play", () => (isPlaying(item) ? stop() : play(item, { beats })), { className: "main", "aria-label": `Play ${item.name}` }) : null;
  const plain = sounds && !listen ? el("audio", { controls: true, preload: "none", src: fileOf(item, "wav"), "aria-label": `Play ${item.name}` }) : null;
  const star = button("", () => trying(() => post("tray", { items: state.tray.includes(item.id) ? state.tray.filter((one) => one !== item.id) : [...state.tray, item.id] })), { title: "Keep in the tray" });
  const name = el("strong", { draggable: true, title: "Drag onto a form, or to the desktop", ondragstart: (event) => {
    event.dataTransfer.setData("application/x-groove-item", item.id);
    const ending = ["mid", "wav", "html", ...item.endings].find((one) => item.endings.includes(one));
    if (ending) event.dataTransfer.setData("DownloadURL", `application/octet-stream:${item.name}.${ending}:${location.origin}${fileOf(item, ending)}?save`);
  } }, item.name);
  const sendTo = el("select", { "aria-label": `Send ${item.name} to`, onchange: async () => {
    const [pack, action] = sendTo.value.split(" ");
    sendTo.value = "";
    const shown = pack && (await kept(item));
    if (shown) send(shown, pack, action);
  } }, el("option", { value: "" }, "Send to"), receivers(item).map(([pack, actions]) => el("optgroup", { label: pack }, actions.map((one) => el("option", { value: `${pack} ${one.name}` }, one.name)))));
  const known = Object.keys(NAMES), rank = (ending) => (known.includes(ending) ? known.indexOf(ending) : known.length);
  const endings = [...new Set([...item.endings.filter((one) => !one.startsWith("stem-")), ...item.formats])].sort((a, b) => rank(a) - rank(b));
  const out = el("select", { "aria-label": `Export ${item.name}`, onchange: async () => {
    const ending = out.value;
    out.value = "";
    const shown = ending && (await kept(item));
    if (shown) save(shown, ending);
  } }, el("option", { value: "" }, "Export"), endings.map((one) => el("option", { value: one }, `${NAMES[one] ?? ""} .${one}`.trim())), item.formats.includes("mid") ? el("option", { value: "stems" }, "Sound of each track .wav") : null);
  const made = el("article", { className: "item", "aria-label": `${item.name}, ${item.kind}` },
    el("header", {}, name, el("span", { className: "soft" }, item.kind), star),
    el("div", { className: "bar" }, listen, plain, listen ? el("span", { className: "joined" }, button("A", () => compare(0, item), { "aria-label": `Set ${item.name} as A`, title: "Compare: this is A" }), button("B", () => compare(1, item), { "aria-label": `Set ${item.name} as B`, title: "Compare: this is B" })) : null, sendTo, out), seen);
  made.dataset.item = item.id;
  const refresh = () => {
    if (!made.isConnected) return;
    star.textContent = state.tray.includes(item.id) ? "★" : "☆";
    star.setAttribute("aria-label", `${state.tray.includes(item.id) ? "Take out of" : "Keep in"} the tray: ${item.name}`);
    if (listen) listen.textContent = isPlaying(item) ? "Stop" : "Play";
  };
  on("tray", refresh);
  on("playing", refresh);
  queueMicrotask(refresh);
  const look = new IntersectionObserver((found) => {
    if (!found.some((one) => one.isIntersecting)) return;
    look.disconnect();
    trying(async () => { beats = await view(seen, item); });
  });
  look.observe(made);
  return made;
}

export function receivers(item) {
  const found = [];
  for (const pack of state.packages.values()) {
    const actions = pack.actions.filter((one) => one.schema && Object.values(one.schema.properties).some((about) => about.takes?.includes(item.kind)));
    if (actions.length) found.push([pack.name, actions]);
  }
  return found;
}

export async function save(item, ending) {
  const found = await trying(() => post("write", { item: item.id, ending }));
  for (const one of found?.endings ?? []) {
    const link = el("a", { href: `${fileOf(item, one)}?save`, download: "" });
    document.body.append(link);
    link.click();
    link.remove();
  }
  if (found) say(`${item.name} is exported.`);
}
