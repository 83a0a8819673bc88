"use strict";
// A pattern as a picture.

/**
 * Draw a pattern: a row for each drum that plays, beats and bars as lines; soft hits are pale.
 * With `other`, hits that only it has are outlined and those it lacks filled in another colour.
 */
function drawGrid(canvas, hits, { step = -1, other = null, labels = 92 } = {}) {
  const { g, width, height } = sharp(canvas), drums = facts.drums.length, { velocity } = feelOf(hits);
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
        g.globalAlpha = 0.3 + 0.7 * velocity[k] / 127;
        g.fillStyle = s === step ? style("--ink") : other && !other[k] ? style("--added") : style("--accent");
        g.beginPath();
        if (g.roundRect) g.roundRect(x, up, w, tall, 2); else g.rect(x, up, w, tall);
        g.fill();
        g.globalAlpha = 1;
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
