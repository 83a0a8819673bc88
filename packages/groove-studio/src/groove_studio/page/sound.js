// A sound: its wave and its spectrogram; a click plays from there.
import { el, on } from "./core.js";
import { bufferOf, canSound, isPlaying, play, position } from "./player.js";

const HEIGHT = 150, SIZE = 1024;

// In place, radix 2; the studio's sounds need no more.
function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j], im[i], im[j]] = [re[j], re[i], im[j], im[i]];
  }
  for (let length = 2; length <= n; length <<= 1) {
    const angle = (-2 * Math.PI) / length;
    for (let i = 0; i < n; i += length)
      for (let k = 0; k < length / 2; k++) {
        const c = Math.cos(angle * k), s = Math.sin(angle * k), a = i + k, b = a + length / 2;
        const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        [re[b], im[b], re[a], im[a]] = [re[a] - x, im[a] - y, re[a] + x, im[a] + y];
      }
  }
}

export async function show(place, item) {
  const buffer = canSound() ? await bufferOf(item) : null;
  if (!buffer) {
    place.append(el("p", { className: "soft" }, "This browser cannot draw sound."));
    return;
  }
  const canvas = el("canvas", { height: HEIGHT, width: 600, role: "img", "aria-label": `Wave and spectrogram of ${item.name}, ${buffer.duration.toFixed(2)} seconds`, onclick: (event) => {
    const box = canvas.getBoundingClientRect();
    play(item, { from: ((event.clientX - box.left) / box.width) * buffer.duration });
  } });
  place.append(canvas, el("p", { className: "soft" }, `${buffer.duration.toFixed(2)} s, ${buffer.numberOfChannels === 1 ? "mono" : "stereo"}`));
  const look = getComputedStyle(document.documentElement);
  const drawing = canvas.getContext("2d");
  const wave = buffer.getChannelData(0), width = canvas.width, half = 50;
  drawing.fillStyle = look.getPropertyValue("--accent");
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * wave.length) / width), to = Math.max(from + 1, Math.floor(((x + 1) * wave.length) / width));
    let low = 0, high = 0;
    for (let i = from; i < to; i++) {
      low = Math.min(low, wave[i]);
      high = Math.max(high, wave[i]);
    }
    drawing.fillRect(x, half / 2 - (high * half) / 2, 1, Math.max(1, ((high - low) * half) / 2));
  }
  const rows = HEIGHT - half, picture = drawing.createImageData(width, rows);
  const re = new Float64Array(SIZE), im = new Float64Array(SIZE), top = Math.min(10_000, buffer.sampleRate / 2);
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x / width) * Math.max(0, wave.length - SIZE));
    for (let i = 0; i < SIZE; i++) {
      re[i] = (wave[from + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
      im[i] = 0;
    }
    fft(re, im);
    for (let y = 0; y < rows; y++) {
      const hz = 50 * (top / 50) ** (1 - y / rows), bin = Math.min(SIZE / 2, Math.round((hz / buffer.sampleRate) * SIZE));
      const level = Math.max(0, Math.min(1, (20 * Math.log10(Math.hypot(re[bin], im[bin]) / SIZE + 1e-6) + 95) / 85));
      picture.data.set([255 * level ** 1.6, 180 * level ** 1.2, 60 + 150 * level, 255], 4 * (y * width + x));
    }
  }
  drawing.putImageData(picture, 0, half);
  const still = drawing.getImageData(0, 0, width, HEIGHT);
  let was = null;
  const off = on("frame", () => {
    if (!place.isConnected) return off();
    const at = isPlaying(item) ? position() : null;
    if (at === was) return;
    was = at;
    drawing.putImageData(still, 0, 0);
    if (at !== null) {
      drawing.fillStyle = look.getPropertyValue("--added");
      drawing.fillRect((at / buffer.duration) * width, 0, 2, HEIGHT);
    }
  });
}
