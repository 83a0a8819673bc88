"use strict";
// Pieces that are kept: in the list, in the browser's storage, and as MIDI files.

let favourites = [];

const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** Pages from disk may have no storage, and what is stored may be anyone's. */
function loadFavourites() {
  try {
    const stored = JSON.parse(localStorage.getItem(subject.store) || "[]");
    favourites = stored.filter((one) => one && typeof one.name === "string" && typeof one.bits === "string").map((one) => ({
      name: one.name, source: String(one.source || ""), file: fileName(String(one.file || facts.words.piece), 0).replace(/-0000$/, ""),
      music: subject.unpack(one.bits), code: Array.isArray(one.code) ? one.code.map(Number) : null,
      tempo: clamp(Number(one.tempo) || 120, 40, 240), swing: clamp(Number(one.swing) || 0, 0, 1),
    })).filter((one) => !subject.silent(one.music));
  } catch {
    favourites = [];
  }
}

function storeFavourites() {
  try {
    localStorage.setItem(subject.store, JSON.stringify(favourites.map(({ music, ...one }) => ({ ...one, bits: subject.pack(music) }))));
    unsay("storage");
  } catch {
    say("storage", "This browser does not let the page store anything: favourites are gone when it is closed. Save them as MIDI.");
  }
}

function favour() {
  if (!shownPiece || subject.silent(shownMusic())) return;
  const { title, source, where, file, code } = shownPiece, memory = asRemembered && shownPiece.kind === "point";
  favourites.push({
    name: title, source: `${source}, ${where}${memory ? ", as remembered" : ""}`, file: memory ? `${file}-remembered` : file,
    music: shownMusic(), code, tempo: player.tempo, swing: player.swing,
  });
  storeFavourites(); showFavourites();
  announce(`added to favourites: ${title}, ${player.tempo} bpm`);
}

function playFavourite(one) {
  setTempo(one.tempo); setSwing(100 * one.swing);
  choose({
    kind: "new", layout: -1, music: one.music, code: one.code && one.code.length === facts.latent ? one.code : codeOf(0),
    title: one.name, source: one.source, where: "favourite", file: one.file,
  }, { sound: true });
}

const saveMidi = (pieces, name) => download(midiFile(pieces), `${name}.mid`);

function saveShown() {
  if (!shownPiece || subject.silent(shownMusic())) return;
  const memory = asRemembered && shownPiece.kind === "point";
  saveMidi([{ music: shownMusic(), tempo: player.tempo, swing: player.swing }], shownPiece.file + (memory ? "-remembered" : ""));
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
