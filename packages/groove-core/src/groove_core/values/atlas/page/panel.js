"use strict";
// What is said and shown about a piece: the card, the grid, the tooltip, messages.

/** The piece on the card, whether its memory is heard instead, and the step that is heard. */
let shownPiece = null, asRemembered = false, shownStep = -1;

/** A sentence that stays until it is taken back, by a name. */
function say(key, text) {
  unsay(key);
  const line = document.createElement("p");
  line.dataset.key = key; line.textContent = text;
  if (key === "group") {
    const close = document.createElement("button");
    close.type = "button"; close.textContent = "Close"; close.onclick = () => unsay(key);
    line.append(" ", close);
  }
  $("status").append(line);
}

function unsay(key) {
  for (const line of [...$("status").children]) if (line.dataset.key === key) line.remove();
}

/** For those who listen to the page; the same words twice are said twice. */
function announce(text) {
  $("live").textContent = $("live").textContent === text ? `${text}\u00a0` : text;
}

/** Make a canvas sharp; gives its context in CSS pixels. */
function sharp(canvas) {
  const dpr = clamp(devicePixelRatio || 1, 1, 3), width = canvas.clientWidth, height = canvas.clientHeight;
  const w = Math.round(width * dpr), h = Math.round(height * dpr);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const g = canvas.getContext("2d");
  g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, width, height);
  return { g, width, height };
}

/** What is heard of the piece on the card. */
const shownMusic = () => (asRemembered && shownPiece.kind === "point" ? remembered(shownPiece) : shownPiece.music);

function drawCard() {
  const piece = shownPiece;
  if (!piece) return;
  const memory = asRemembered && piece.kind === "point";
  subject.draw($("grid"), shownMusic(), { step: player.playing ? shownStep : -1, other: memory ? piece.music : null });
}

/** Put a piece on the card. */
function showPiece(piece) {
  shownPiece = piece;
  shownStep = -1;
  $("mark").replaceChildren(piece.kind === "point" ? markPicture(piece.group, 18) : document.createTextNode("✦"));
  $("name").textContent = piece.title;
  $("source").textContent = piece.source; $("source").title = piece.source;
  $("where").textContent = piece.where;
  const memory = asRemembered && piece.kind === "point";
  $("note").textContent = piece.note || (subject.silent(shownMusic()) ? "silence here" : memory ? subject.compare(piece.music, remembered(piece)) : "");
  for (const id of ["played", "remembered"]) $(id).disabled = piece.kind !== "point";
  $("played").setAttribute("aria-pressed", String(!memory));
  $("remembered").setAttribute("aria-pressed", String(memory));
  $("grid").setAttribute("aria-label", subject.text(shownMusic()));
  for (const id of ["favour", "save"]) $(id).disabled = subject.silent(shownMusic());
  $("card").classList.remove("empty");
  showPlaying();
  drawCard();
  redrawOverlay();
}

/** Buttons say what they would do now. */
function showPlaying() {
  const { playing } = player, can = canSound() && shownPiece && (playing || !subject.silent(shownMusic()));
  $("play").disabled = !can;
  $("play").classList.toggle("on", playing);
  $("play").lastElementChild.textContent = playing ? "Stop" : "Play";
}

/**
 * Choose a piece: show it, and play it if asked to, or if something plays already.
 * A silent one stops what plays.
 */
function choose(piece, { sound = player.playing, quiet = false } = {}) {
  if (piece.tempo && piece !== shownPiece) setTempo(piece.tempo);
  showPiece(piece);
  if (!quiet) announce(pieceText(piece, shownMusic()) + (piece.note ? `; ${piece.note}` : ""));
  const music = shownMusic();
  if (subject.silent(music)) { if (player.playing) stopPlaying(); } else if (sound) startPlaying();
}

function startPlaying() {
  if (!shownPiece || subject.silent(shownMusic())) return;
  playPiece(shownPiece, shownMusic());
  showPlaying();
  ask();
}

function stopPlaying() {
  stopPiece();
  shownStep = -1; pulse = 0;
  showPlaying(); drawCard(); redrawOverlay();
}

const togglePlaying = () => (player.playing ? stopPlaying() : startPlaying());

function remember(flag) {
  if (!shownPiece || shownPiece.kind !== "point") return;
  asRemembered = flag;
  choose(shownPiece);
}

/** Keep the page in step with what is heard; tells whether something plays. */
function followSound() {
  if (!player.playing) return false;
  const heard = heardNow();
  pulse *= 0.93;
  if (heard) {
    if (heard.piece.kind === "morph" && heard.piece !== shownPiece) showMorphed(heard.piece);
    shownStep = heard.step;
    if (subject.stresses(heard.music, heard.step)) pulse = 1;
    drawCard();
  }
  return true;
}

/** A small card near the point under the mouse, or near the keyboard's cursor. */
function placeTip() {
  const i = cursor.hover >= 0 ? cursor.hover : cursor.tip ? cursor.key : -1, tip = $("tip");
  tip.hidden = i < 0;
  if (i < 0) return;
  const { xy } = layouts[view.layout], [px, py] = toScreen(xy[2 * i], xy[2 * i + 1]);
  if (px < 0 || py < 0 || px > view.width || py > view.height) { tip.hidden = true; return; }
  if (tip.dataset.point !== String(i)) {
    const piece = pointPiece(i);
    tip.dataset.point = i;
    $("tip-name").replaceChildren(markPicture(piece.group, 14), piece.title);
    $("tip-source").textContent = `${piece.source}, ${piece.where}`;
    subject.draw($("tip-grid"), piece.music, { small: true });
  }
  const w = tip.offsetWidth, h = tip.offsetHeight, away = pointSize() / 2 + 14;
  const left = px + away + w < view.width ? px + away : px - away - w;
  tip.style.transform = `translate(${Math.round(clamp(left, 6, Math.max(6, view.width - w - 6)))}px, ${Math.round(clamp(py - h / 2, 6, Math.max(6, view.height - h - 6)))}px)`;
}

function setTempo(bpm) {
  player.tempo = clamp(Math.round(bpm) || 120, 40, 240);
  $("tempo").value = player.tempo; $("tempo-text").textContent = `${player.tempo} bpm`;
}

function setSwing(percent) {
  const swing = clamp(Math.round(percent) || 0, 0, 100);
  player.swing = swing / 100;
  $("swing").value = swing; $("swing-text").textContent = `${swing} %`;
}

function startPanel() {
  $("play").onclick = togglePlaying;
  $("played").onclick = () => remember(false);
  $("remembered").onclick = () => remember(true);
  $("tempo").oninput = () => setTempo(Number($("tempo").value));
  $("swing").oninput = () => setSwing(Number($("swing").value));
  $("volume").oninput = () => { setVolume($("volume").value / 100); $("volume-text").textContent = `${$("volume").value} %`; };
  new ResizeObserver(drawCard).observe($("grid"));
  if (!canSound()) say("sound", `This browser has no Web Audio: ${facts.words.pieces} can be seen and saved as MIDI, not heard.`);
  // iOS resumes sound in answer to these only.
  for (const kind of ["click", "touchend", "keydown"])
    document.addEventListener(kind, () => { if (audio.context && player.playing) wakeAudio(); });
}
