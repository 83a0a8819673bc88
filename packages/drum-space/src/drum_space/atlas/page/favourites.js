"use strict";
// Beats that are kept: in the list, in the browser's storage, and as MIDI files.

const STORE = "groove.drum-space.favourites/1";
let favourites = [];

const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
function packHits(hits) {
  const bytes = new Uint8Array(Math.ceil(hits.length / 8));
  hits.forEach((hit, k) => { bytes[k >> 3] |= hit << (7 - (k & 7)); });
  return toBase64(bytes);
}
function unpackHits(text) {
  const bytes = bytesOf(text);
  return Uint8Array.from({ length: STEPS * facts.drums.length }, (_, k) => bytes[k >> 3] >> (7 - (k & 7)) & 1);
}

/** Pages from disk may have no storage, and what is stored may be anyone's. */
function loadFavourites() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORE) || "[]");
    favourites = stored.filter((one) => one && typeof one.name === "string" && typeof one.bits === "string").map((one) => ({
      name: one.name, source: String(one.source || ""), file: fileName(String(one.file || "beat"), 0).replace(/-0000$/, ""),
      hits: unpackHits(one.bits), code: Array.isArray(one.code) ? one.code.map(Number) : null,
      tempo: clamp(Number(one.tempo) || 120, 40, 240), swing: clamp(Number(one.swing) || 0, 0, 1),
    })).filter((one) => !silent(one.hits));
  } catch {
    favourites = [];
  }
}

function storeFavourites() {
  try {
    localStorage.setItem(STORE, JSON.stringify(favourites.map(({ hits, ...one }) => ({ ...one, bits: packHits(hits) }))));
    unsay("storage");
  } catch {
    say("storage", "This browser does not let the page store anything: favourites are gone when it is closed. Save them as MIDI.");
  }
}

function favour() {
  if (!shownBeat || silent(shownHits())) return;
  const { title, source, where, file, code } = shownBeat, memory = asRemembered && shownBeat.kind === "point";
  favourites.push({
    name: title, source: `${source}, ${where}${memory ? ", as remembered" : ""}`, file: memory ? `${file}-remembered` : file,
    hits: shownHits(), code, tempo: player.tempo, swing: player.swing,
  });
  storeFavourites(); showFavourites();
  announce(`added to favourites: ${title}, ${player.tempo} bpm`);
}

function playFavourite(one) {
  setTempo(one.tempo); setSwing(100 * one.swing);
  choose({
    kind: "new", layout: -1, hits: one.hits, code: one.code && one.code.length === facts.latent ? one.code : codeOf(0),
    title: one.name, source: one.source, where: "favourite", file: one.file,
  }, { sound: true });
}

const saveMidi = (beats, name) => download(midiFile(beats), `${name}.mid`);

function saveShown() {
  if (!shownBeat || silent(shownHits())) return;
  const memory = asRemembered && shownBeat.kind === "point";
  saveMidi([{ hits: shownHits(), tempo: player.tempo, swing: player.swing }], shownBeat.file + (memory ? "-remembered" : ""));
}

function button(text, label, action) {
  const one = document.createElement("button");
  one.type = "button"; one.textContent = text; one.setAttribute("aria-label", label); one.onclick = action;
  return one;
}

function showFavourites() {
  $("favourites").replaceChildren(...favourites.map((one, number) => {
    const row = document.createElement("li"), name = button(`▶ ${one.file}`, `Play favourite ${number + 1}: ${one.file}`, () => playFavourite(one));
    const about = document.createElement("small");
    about.textContent = `${one.tempo} bpm${one.swing ? `, swing ${Math.round(100 * one.swing)} %` : ""}`;
    name.className = "wide"; name.title = one.source; name.append(" ", about); name.disabled = !canSound();
    row.append(
      name, button("MIDI", `Save favourite ${number + 1} as MIDI`, () => saveMidi([one], one.file)),
      button("✕", `Remove favourite ${number + 1}`, () => {
        favourites.splice(number, 1);
        storeFavourites(); showFavourites();
        ($("favourites").querySelectorAll("button")[0] || $("favour")).focus();
      }),
    );
    return row;
  }));
  $("no-favourites").hidden = favourites.length > 0;
  $("save-all").disabled = !favourites.length;
}

function startFavourites() {
  $("favour").onclick = favour;
  $("save").onclick = saveShown;
  $("save-all").onclick = () => saveMidi(favourites, "favourites");
  loadFavourites(); showFavourites();
}
