"use strict";
// Putting it together: legend, layouts, what the address asks for, and the start.

/** Show one group alone, or all with -1. */
function filterBy(group) {
  view.only = group;
  highlight(-1); view.fade = 0;
  for (const chip of $("legend").children) chip.setAttribute("aria-pressed", String(Number(chip.dataset.group) === group));
  $("all").disabled = group < 0;
  if (cursor.key >= 0 && !shown(cursor.key)) cursor.key = -1;
  cursor.hover = -1;
  try { // the address then leads back here
    history.replaceState(null, "", group < 0 ? location.pathname + location.search : `#${facts.words.group}=${encodeURIComponent(groupName(group))}`);
  } catch { /* some browsers forbid it to pages from disk */ }
  placeTip(); redraw();
}

/** Follow what the address asks for: #genre=funk, where groups are genres. */
function followAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)).get(facts.words.group);
  unsay("group");
  if (asked === null) { if (view.only >= 0) filterBy(-1); return; }
  const names = groupNames(), group = names.findIndex((name) => name.toLowerCase() === asked.toLowerCase());
  if (group >= 0) filterBy(group);
  else say("group", `There is no ${facts.words.group} “${asked}” on this map. There are: ${names.join(", ")}.`);
}

const groupNames = () => (facts.yours_count ? [...facts.groups, "yours"] : facts.groups);

function makeLegend() {
  $("legend").replaceChildren(...groupNames().map((name, group) => {
    const chip = document.createElement("button"), size = document.createElement("small");
    chip.type = "button"; chip.dataset.group = group; chip.className = "chip";
    chip.setAttribute("aria-pressed", String(view.only === group));
    size.textContent = groupSizes[group].toLocaleString("en");
    chip.append(markPicture(group, 15), name, " ", size);
    chip.onclick = () => filterBy(view.only === group ? -1 : group);
    const on = () => { if (view.only < 0) highlight(group); }, off = () => highlight(-1);
    chip.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") on(); });
    chip.addEventListener("focus", () => { if (chip.matches(":focus-visible")) on(); });
    chip.addEventListener("pointerleave", off); chip.addEventListener("blur", off);
    return chip;
  }));
  $("all").onclick = () => filterBy(-1);
}

function chooseLayout(number) {
  showLayout(number);
  [...$("layouts").children].forEach((one, i) => one.setAttribute("aria-pressed", String(i === number)));
  cursor.hover = -1; placeTip(); redrawOverlay();
  const words = ((facts.axes || [])[number] || []).map((word, k) => word && `${["left", "right", "below", "above"][k]}: ${word}`).filter(Boolean);
  announce(`layout: ${[facts.layouts[number], ...words].join("; ")}`);
}

function chooseRelief(flag) {
  view.relief = flag;
  $("density").setAttribute("aria-pressed", String(flag));
  redraw();
}

function makeTools() {
  $("layouts").replaceChildren(...facts.layouts.slice(0, layouts.length).map((name, number) => {
    const one = button(name, `Layout ${name}`, () => chooseLayout(number));
    one.setAttribute("aria-pressed", String(number === view.layout));
    return one;
  }));
  $("density").onclick = () => chooseRelief(!view.relief);
  $("closer").onclick = () => zoomSlowly(1.6);
  $("farther").onclick = () => zoomSlowly(1 / 1.6);
  $("whole").onclick = showAll;
  $("decode").onclick = decodeMiddle;
  $("ask").onclick = () => $("help").showModal();
  $("close").onclick = () => $("help").close();
}

/** The user's own pieces: a list to jump to. */
function makeYours() {
  const first = yoursFrom(), n = count - first;
  $("yours").hidden = !n;
  $("yours-list").replaceChildren(...Array.from({ length: n }, (_, k) => {
    const row = document.createElement("li"), i = first + k, name = sourceOf(i);
    const one = button(name, `Go to your ${facts.words.piece} ${name}`, () => {
      if (!shown(i)) filterBy(-1);
      const { xy } = layouts[view.layout];
      cursor.key = i;
      lookSlowly({ x: xy[2 * i], y: xy[2 * i + 1], zoom: Math.max(view.zoom, 6) }, 500);
      cursor.tip = false; placeTip();
      choose(pointPiece(i));
    });
    one.className = "wide"; row.append(one);
    return row;
  }));
}

function makeAbout() {
  const rows = (facts.measures || []).map(([name, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
    head.scope = "row"; head.textContent = name; cell.textContent = value;
    row.append(head, cell);
    return row;
  });
  $("measures").replaceChildren(...rows);
  $("notes").replaceChildren(...(facts.notes || []).map((text) => {
    const note = document.createElement("p");
    note.textContent = text;
    return note;
  }));
}

/** Light to dark and back: marks, relief and everything that is drawn have new colours. */
function repaint() {
  styles = {};
  reliefs.clear();
  points.upload();
  makeLegend();
  if (shownPiece) showPiece(shownPiece);
  delete $("tip").dataset.point; placeTip();
  redraw();
}

function fail(text) {
  unsay("start");
  say("start", text);
  document.body.classList.add("failed");
}

/** Open the map; the page is complete when this has ended. */
async function start() {
  facts = JSON.parse($("document").textContent);
  document.title = facts.title; $("title").textContent = facts.title;
  if (typeof DecompressionStream === "undefined") {
    fail("This browser cannot open the map: it lacks DecompressionStream. Chrome or Edge 80, Firefox 113, Safari 16.4 or newer have it.");
    return;
  }
  try {
    await unpack();
  } catch {
    fail(`This file is damaged or was cut short: the ${facts.words.pieces} in it cannot be read. Get it again, or make it anew.`);
    return;
  }
  count = arrays.group.shape[0];
  subject.start();
  subject.layouts.filter((key) => arrays[key]).forEach(makeLayout);
  unsay("start");
  $("lead").textContent = subject.lead(count);
  startView(); makeLegend(); makeTools(); makeYours(); makeAbout();
  startPanel(); startMorph(); startFavourites(); startPointing(); startKeys();
  setTempo(player.tempo); setSwing(0);
  for (const id of ["tools", "panel", "views", "zooms"]) $(id).inert = false;
  addEventListener("hashchange", followAddress);
  followAddress();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  redraw();
  document.body.classList.add("ready");
  if (canSound()) subject.warm();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
