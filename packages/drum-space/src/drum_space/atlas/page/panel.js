"use strict";
// What is said and shown about a beat: the card, the grid, the tooltip, messages.

/** The beat on the card, whether its memory is heard instead, and the step that is heard. */
let shownBeat = null, asRemembered = false, shownStep = -1;

/** A sentence that stays until it is taken back, by a name. */
function say(key, text) {
  unsay(key);
  const line = document.createElement("p");
  line.dataset.key = key; line.textContent = text;
  if (key === "genre") {
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

/**
 * Draw a pattern: a row for each drum that plays, beats and bars as lines.
 * With `other`, hits that only it has are outlined and those it lacks filled in another colour.
 */
function drawGrid(canvas, hits, { step = -1, other = null, labels = 92 } = {}) {
  const { g, width, height } = sharp(canvas), drums = facts.drums.length;
  const rows = facts.drums.map((_, d) => d).filter((d) => {
    for (let k = d; k < hits.length; k += drums) if (hits[k] || other && other[k]) return true;
    return false;
  });
  const row = Math.min(34, height / Math.max(4, rows.length)), cell = (width - labels) / STEPS;
  const bottom = row * Math.max(4, rows.length);
  g.fillStyle = style("--stripe"); // every other beat
  for (let s = 4; s < STEPS; s += 8) g.fillRect(labels + s * cell, 0, 4 * cell, bottom);
  g.fillStyle = style("--line");
  for (let s = 0; s <= STEPS; s += 16) g.fillRect(labels + Math.min(s * cell, STEPS * cell - 1), 0, 1, bottom);
  if (step >= 0) { g.fillStyle = style("--playhead"); g.fillRect(labels + step * cell, 0, cell, bottom); }
  g.font = `${clamp(row - 3, 9, 12)}px system-ui, sans-serif`; g.textBaseline = "middle";
  rows.forEach((d, r) => {
    const y = r * row, gap = Math.min(1.25, cell * 0.12), tall = Math.max(3, row * 0.72), up = y + (row - tall) / 2;
    if (labels) { g.fillStyle = style("--soft"); g.fillText(facts.drums[d].name, 0, y + row / 2, labels - 6); }
    for (let s = 0; s < STEPS; s++) {
      const k = s * drums + d, x = labels + s * cell + gap, w = Math.max(1, cell - 2 * gap);
      if (hits[k]) {
        g.fillStyle = s === step ? style("--ink") : other && !other[k] ? style("--added") : style("--accent");
        g.beginPath();
        if (g.roundRect) g.roundRect(x, up, w, tall, 2); else g.rect(x, up, w, tall);
        g.fill();
        if (other && !other[k]) { // told by more than a colour
          g.fillStyle = style("--panel"); g.beginPath(); g.arc(x + w / 2, y + row / 2, Math.min(w, tall) / 4, 0, 7); g.fill();
        }
      } else if (other && other[k]) {
        g.strokeStyle = style("--soft"); g.lineWidth = 1; g.strokeRect(x + 0.5, up + 0.5, w - 1, tall - 1);
      } else if (labels) {
        g.fillStyle = style("--line"); g.fillRect(x + w / 2 - 0.75, y + row / 2 - 0.75, 1.5, 1.5);
      }
    }
  });
}

/** What is heard of the beat on the card. */
const shownHits = () => (asRemembered && shownBeat.kind === "point" ? remembered(shownBeat) : shownBeat.hits);

function drawCard() {
  const beat = shownBeat;
  if (!beat) return;
  const memory = asRemembered && beat.kind === "point";
  drawGrid($("grid"), shownHits(), { step: player.playing ? shownStep : -1, other: memory ? beat.hits : null });
}

/** Put a beat on the card. */
function showBeat(beat) {
  shownBeat = beat;
  shownStep = -1;
  $("mark").replaceChildren(beat.kind === "point" ? markPicture(beat.genre, 18) : document.createTextNode("✦"));
  $("name").textContent = beat.title;
  $("source").textContent = beat.source; $("source").title = beat.source;
  $("where").textContent = beat.where;
  const memory = asRemembered && beat.kind === "point";
  $("note").textContent = beat.note || (silent(shownHits()) ? "silence here" : memory ? memoryText(beat) : "");
  for (const id of ["played", "remembered"]) $(id).disabled = beat.kind !== "point";
  $("played").setAttribute("aria-pressed", String(!memory));
  $("remembered").setAttribute("aria-pressed", String(memory));
  $("grid").setAttribute("aria-label", `Pattern: ${hitsText(shownHits())}`);
  for (const id of ["favour", "save"]) $(id).disabled = silent(shownHits());
  $("card").classList.remove("empty");
  showPlaying();
  drawCard();
  redrawOverlay();
}

function memoryText(beat) {
  const memory = remembered(beat);
  let lost = 0, added = 0;
  beat.hits.forEach((hit, k) => { lost += hit && !memory[k]; added += !hit && memory[k]; });
  return lost || added ? `${lost} of ${beat.hits.reduce((a, b) => a + b, 0)} lost (outlined), ${added} made up (dotted)` : "remembered without a fault";
}

/** Buttons say what they would do now. */
function showPlaying() {
  const { playing } = player, can = canSound() && shownBeat && (playing || !silent(shownHits()));
  $("play").disabled = !can;
  $("play").classList.toggle("on", playing);
  $("play").lastElementChild.textContent = playing ? "Stop" : "Play";
}

/**
 * Choose a beat: show it, and play it if asked to, or if something plays already.
 * A silent one stops what plays.
 */
function choose(beat, { sound = player.playing, quiet = false } = {}) {
  showBeat(beat);
  if (!quiet) announce(beatText(beat, shownHits()) + (beat.note ? `; ${beat.note}` : ""));
  const hits = shownHits();
  if (silent(hits)) { if (player.playing) stopPlaying(); } else if (sound) startPlaying();
}

function startPlaying() {
  if (!shownBeat || silent(shownHits())) return;
  playBeat(shownBeat, shownHits());
  showPlaying();
  ask();
}

function stopPlaying() {
  stopBeat();
  shownStep = -1; pulse = 0;
  showPlaying(); drawCard(); redrawOverlay();
}

const togglePlaying = () => (player.playing ? stopPlaying() : startPlaying());

function remember(flag) {
  if (!shownBeat || shownBeat.kind !== "point") return;
  asRemembered = flag;
  choose(shownBeat);
}

/** Keep the page in step with what is heard; tells whether something plays. */
function followSound() {
  if (!player.playing) return false;
  const heard = heardNow();
  pulse *= 0.93;
  if (heard) {
    if (heard.beat.kind === "morph" && heard.beat !== shownBeat) showMorphed(heard.beat);
    shownStep = heard.step;
    // The ring around the beat moves with kick and snare.
    if (heard.hits[heard.step * facts.drums.length] || heard.hits[heard.step * facts.drums.length + 1]) pulse = 1;
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
    const beat = pointBeat(i);
    tip.dataset.point = i;
    $("tip-name").replaceChildren(markPicture(beat.genre, 14), beat.title);
    $("tip-source").textContent = `${beat.source}, ${beat.where}`;
    drawGrid($("tip-grid"), beat.hits, { labels: 76 });
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
  if (!canSound()) say("sound", "This browser has no Web Audio: patterns can be seen and saved as MIDI, not heard.");
  // iOS resumes sound in answer to these only.
  for (const kind of ["click", "touchend", "keydown"])
    document.addEventListener(kind, () => { if (audio.context && player.playing) wakeAudio(); });
}
