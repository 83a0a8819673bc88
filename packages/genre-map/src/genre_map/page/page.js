// Letters on the colours of the map, which are pale in the dark, too; elsewhere they follow the look.
const INK = "#1d2433", HALO = "#fffc", STOPS = 7, NEAR_PX = 14;
const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink");
let spot = [...(played.at[nearest([0, 0])] || [0, 0])], point = nearest(spot), song = null;
let walking = null, sheet = null, view = "genre";
const player = new Audio();
const way = () => path($("from").value, $("to").value);
/** Stops of a path: their steps, where they are, and the points that play for them. */
function stops(points) {
  const steps = Array.from({ length: STOPS }, (_, i) => Math.round(i * (STEPS - 1) / (STOPS - 1)));
  return steps.map((step) => ({ step, at: points[step], point: nearest(points[step]) }));
}

function drawMap() {
  const canvas = $("map"), scale = devicePixelRatio || 1, size = Math.round(canvas.clientWidth * scale);
  canvas.width = canvas.height = size;
  const g = canvas.getContext("2d");
  const px = ([x, y]) => [(x + 1) / 2 * size, (1 - y) / 2 * size];
  g.imageSmoothingQuality = "high";
  g.drawImage(paint(view), 0, 0, size, size);
  const dark = view === "genre";
  g.lineWidth = 1.4 * scale; g.strokeStyle = dark ? INK : "#fff";
  for (const lines of Object.values(data.borders)) for (const line of lines) {
    g.beginPath(); line.forEach((at, i) => i ? g.lineTo(...px(at)) : g.moveTo(...px(at))); g.stroke();
  }
  // A small dot plays what it shows; a ring has the colour of the genre that is heard instead.
  played.at.forEach((at, i) => {
    g.beginPath(); g.arc(...px(at), (keeps[i] ? 1.4 : 3.6) * scale, 0, 7);
    if (keeps[i]) { g.fillStyle = "#1d243366"; g.fill(); return; }
    g.fillStyle = colors[best(played.heard[i])]; g.fill();
    g.lineWidth = scale; g.strokeStyle = INK; g.stroke();
  });
  g.setLineDash([6 * scale, 5 * scale]); g.lineWidth = 2 * scale; g.strokeStyle = INK; g.beginPath();
  way().forEach((at, i) => i ? g.lineTo(...px(at)) : g.moveTo(...px(at)));
  g.stroke(); g.setLineDash([]);
  g.textAlign = "center"; g.textBaseline = "middle"; g.lineJoin = "round";
  const write = (text, x, y) => {
    g.lineWidth = 3 * scale; g.strokeStyle = HALO; g.strokeText(text, x, y); g.fillStyle = INK; g.fillText(text, x, y);
  };
  const boxes = [];
  g.font = `600 ${14 * scale}px system-ui, sans-serif`;
  for (const [name, ...at] of data.middles) {
    const half = g.measureText(name).width / 2, [x, y] = px(at);
    const box = [clamp(x, half + 4 * scale, size - half - 4 * scale), clamp(y, 10 * scale, size - 10 * scale), half, 9 * scale];
    boxes.push(box); write(name, box[0], box[1]);
  }
  g.font = `${12 * scale}px system-ui, sans-serif`;
  const marks = data.places.map((p) => px([p.x, p.y]).map((v) => clamp(v, 8 * scale, size - 8 * scale)));
  marks.forEach((at) => boxes.push([...at, 4 * scale, 4 * scale]));
  data.places.forEach((p, i) => {
    const at = marks[i], box = room(at, g.measureText(p.name).width + 6 * scale, 16 * scale, boxes, size);
    if (box) {
      const edge = [clamp(at[0], box[0] - box[2], box[0] + box[2]), clamp(at[1], box[1] - box[3], box[1] + box[3])];
      g.lineWidth = scale; g.strokeStyle = INK; g.beginPath(); g.moveTo(...at); g.lineTo(...edge); g.stroke();
      g.fillStyle = i === song ? "#fff" : "#fffd"; g.fillRect(box[0] - box[2], box[1] - box[3], 2 * box[2], 2 * box[3]);
      g.fillStyle = INK; g.fillText(p.name, box[0], box[1]);
    }
    g.beginPath(); g.arc(...at, (i === song ? 7 : 5) * scale, 0, 7);
    g.fillStyle = p.far ? "#fff" : INK; g.fill(); g.lineWidth = 1.5 * scale; g.strokeStyle = p.far ? INK : "#fff"; g.stroke();
  });
  if (point === undefined || !played.at.length) return;
  const here = px(spot), there = px(played.at[point]);
  for (const [color, width] of [["#fff", 4], [INK, 1.8]]) {
    g.strokeStyle = color; g.lineWidth = width * scale;
    g.beginPath(); g.arc(...there, 8 * scale, 0, 7); g.stroke();
    g.beginPath(); g.moveTo(...here); g.lineTo(...there); g.stroke();
  }
  g.beginPath(); g.arc(...here, 3 * scale, 0, 7); g.fillStyle = INK; g.fill();
}
function drawPoint() {
  const p = probabilities(spot), k = best(p), xy = ([x, y]) => `c${data.axes[0]} ${x.toFixed(2)}, c${data.axes[1]} ${y.toFixed(2)}`;
  const line = (id, strong, soft) => {
    $(id).innerHTML = "<b></b> <span class=soft></span>";
    $(id).firstChild.textContent = strong; $(id).lastChild.textContent = soft;
  };
  line("where", `${genres[k]} ${percent(p[k])}`, `here: ${xy(spot)}; entropy ${entropy(p).toFixed(2)}, critic ${critic(spot).toFixed(2)}`);
  if (song !== null) {
    const s = data.places[song], width = data.spacing * (data.probabilities.length - 1);
    const off = `${s.far ? "far " : ""}off the map by ${percent(s.distance / width)} of its width${s.far ? ", so its place says little" : ""}`;
    line("where", `${s.name}: ${s.genre} ${percent(s.probability)}`, `${xy(spot)}; ${off}`);
  }
  if (!played.at.length) return;
  const seen = played.pictured[point], heard = played.heard[point], a = best(seen), b = best(heard);
  $("near").replaceChildren(`The nearest of ${played.at.length} points plays: ${xy(played.at[point])}. `
    + `Its spectrogram: ${genres[a]} ${percent(seen[a])}. Its sound: `);
  const sound = document.createElement("span");
  sound.textContent = `${genres[b]} ${percent(heard[b])}${a === b ? "" : ", another genre"}`;
  sound.className = a === b ? "" : "differs";
  $("near").append(sound, ".");
  const head = document.createElement("tr");
  head.innerHTML = "<th></th><th></th><th>seen</th><th>heard</th>";
  const rows = genres.map((name, i) => [seen[i], heard[i], name, colors[i]]).sort((u, v) => v[0] - u[0]);
  $("chances").replaceChildren(head, ...rows.map(([q, h, name, color]) => {
    const row = document.createElement("tr");
    row.innerHTML = "<td></td><td><div></div><div></div></td><td></td><td></td>";
    row.cells[0].textContent = name; row.cells[2].textContent = percent(q); row.cells[3].textContent = percent(h);
    [q, h].forEach((share, i) => Object.assign(row.cells[1].children[i].style, { background: color, width: `${Math.max(0.5, 100 * share)}%` }));
    return row;
  }));
  if (!sheet) return;
  const [parts, bands, frames] = data.shape, across = Math.ceil(Math.sqrt(played.at.length));
  ["harmonic", "percussive"].forEach((name, i) => {
    const canvas = $(name), g = canvas.getContext("2d");
    if (i >= parts) { canvas.parentElement.hidden = true; return; }
    g.imageSmoothingEnabled = false;
    g.drawImage(sheet, point % across * frames, (Math.floor(point / across) * parts + i) * bands, frames, bands, 0, 0, canvas.width, canvas.height);
  });
}
function drawCurves() {
  const canvas = $("curves"), g = canvas.getContext("2d"), w = canvas.width, h = canvas.height, pad = 16;
  const points = way(), ps = points.map(probabilities), ends = ["from", "to"].map((id) => genres.indexOf($(id).value)), [a, b] = ends;
  const at = (step, p) => [pad + (w - 2 * pad) * step / (STEPS - 1), h - 14 - (h - 52) * p];
  g.clearRect(0, 0, w, h); g.font = "24px system-ui, sans-serif"; g.textAlign = "center";
  genres.forEach((name, k) => {
    const top = Math.max(...ps.map((p) => p[k]));
    if (top < 0.05) return;
    g.strokeStyle = colors[k]; g.lineWidth = ends.includes(k) ? 8 : 3; g.beginPath();
    ps.forEach((p, i) => i ? g.lineTo(...at(i, p[k])) : g.moveTo(...at(i, p[k]))); g.stroke();
    const [x, y] = at(ps.findIndex((p) => p[k] === top), top);
    g.fillStyle = ink(); g.fillText(name, clamp(x, 60, w - 60), y - 10);
  });
  for (const stop of stops(points)) for (const k of ends) {
    g.beginPath(); g.arc(...at(stop.step, played.heard[stop.point]?.[k] ?? 0), 9, 0, 7);
    g.fillStyle = colors[k]; g.fill(); g.strokeStyle = ink(); g.lineWidth = 2; g.stroke();
  }
  const cross = [];
  for (let i = 1; i < STEPS; i++) {
    const d = ps[i - 1][a] - ps[i - 1][b], e = ps[i][a] - ps[i][b];
    if ((d >= 0) !== (e >= 0)) cross.push((i - 1 + d / (d - e)) / (STEPS - 1));
  }
  g.strokeStyle = ink(); g.lineWidth = 2; g.setLineDash([6, 6]);
  for (const t of cross) { const [x] = at(t * (STEPS - 1), 0); g.beginPath(); g.moveTo(x, 0); g.lineTo(x, h); g.stroke(); }
  g.setLineDash([]);
  $("way").textContent = `${$("from").value} to ${$("to").value}: `
    + (cross.length ? `equally probable at ${cross.map(percent).join(" and ")} of the way` : "they never are equally probable")
    + ". Dots: what is heard at the stops that play.";
}
function draw() { drawMap(); drawPoint(); drawCurves(); }
function play() {
  player.src = data.excerpts[song] ?? data.sounds[point];
  return player.play().catch((error) => { $("where").append(` (no sound: ${error.message})`); });
}
/** Go to a place of the plane, or to a song, and play it. */
function choose(at, sound = true) {
  song = null; spot = at.map((v) => clamp(v)); point = nearest(spot);
  drawMap(); drawPoint();
  if (sound) play();
}
function chooseSong(index) {
  const { x, y } = data.places[index];
  choose([x, y], false);
  song = index; drawMap(); drawPoint();
  play();
}
function stop() { clearTimeout(walking); walking = null; $("walk").textContent = "Play the path"; player.pause(); }
function walk() {
  if (walking !== null) return stop();
  const heard = stops(way()).filter((one, i, all) => !i || one.point !== all[i - 1].point);
  $("walk").textContent = "Stop";
  const next = (i) => {
    if (i === heard.length) return stop();
    choose(heard[i].at);
    walking = setTimeout(next, 3100, i + 1);
  };
  next(0);
}
$("axes").textContent = `over c${data.axes[0]} and c${data.axes[1]}`;
$("kept").textContent = "Click anywhere: the nearest point plays. Paler: the classifier is less sure. "
  + (played.at.length ? `The sound keeps the genre of its spectrogram at ${percent(played.kept)} of ${played.at.length} points; `
    + "large dots have the colour of the genre that is heard instead. " : "")
  + (data.places.length ? "Dots with names are your songs: white ones are far off the map." : "");
$("map").addEventListener("click", (event) => {
  stop();
  const box = $("map").getBoundingClientRect(), side = box.width;
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const close = data.places.map((p, i) => [Math.hypot((p.x + 1) / 2 * side - x, (1 - p.y) / 2 * side - y), i])
    .filter(([d]) => d < NEAR_PX).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
  // Songs at one place are heard one after the other.
  if (close.length) return chooseSong(close[(close.indexOf(song) + 1) % close.length]);
  choose([2 * x / side - 1, 1 - 2 * y / side]);
});
$("map").addEventListener("keydown", (event) => {
  const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  const far = event.shiftKey ? 1 / (n - 1) : 1 / Math.max(1, Math.sqrt(played.at.length));
  if (step) choose(spot.map((v, i) => v + 2 * far * step[i]), false);
  else if (event.key === "Enter" || event.key === " ") play();
  else return;
  event.preventDefault();
});
$("view").addEventListener("change", () => { view = $("view").value; drawMap(); });
const shown = data.middles.map(([name]) => name);
for (const id of ["from", "to"]) {
  $(id).append(...genres.map((name) => new Option(name)));
  $(id).addEventListener("change", () => { stop(); draw(); });
}
$("from").value = shown[0] || genres[0]; $("to").value = shown.at(-1) || genres.at(-1);
$("walk").addEventListener("click", walk);
$("legend").append(...genres.map((name, k) => {
  const item = document.createElement("span"), dot = document.createElement("i");
  dot.style.background = colors[k]; item.append(dot, name); return item;
}));
$("songs").hidden = !data.places.length;
$("songs").lastElementChild.append(...data.places.map((p, i) => {
  const button = document.createElement("button");
  button.textContent = `${p.name}: ${p.genre} ${percent(p.probability)}${p.far ? ", far off" : ""}`;
  button.addEventListener("click", () => { stop(); chooseSong(i); });
  return button;
}));
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
const image = new Image();
image.onload = () => { sheet = image; drawPoint(); };
image.src = data.sprite;
draw();
