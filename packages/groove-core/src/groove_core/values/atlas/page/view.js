"use strict";
// The points: where one looks, and drawing them with WebGL, or without.

const $ = (id) => document.getElementById(id);
const view = {
  x: 0, y: 0, zoom: 1, scale: 1, width: 0, height: 0, dpr: 1,
  /** Layout shown, the one it came from, and how far on the way: 0 to 1. */
  layout: 0, from: 0, mix: 1,
  /** Group that stands out, how much it does, and the group that alone is shown; -1: none. */
  focus: -1, fade: 0, only: -1,
  relief: true,
};
/** For measurements: maps drawn so far, points in the last one, and milliseconds it took. */
const stats = { frames: 0, points: 0, ms: 0, renderer: "" };
const ZOOM_LEAST = 0.6, ZOOM_MOST = 240, TRAVEL_MS = 800;

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const toScreen = (x, y) => [view.width / 2 + (x - view.x) * view.scale, view.height / 2 - (y - view.y) * view.scale];
const toMap = (px, py) => [view.x + (px - view.width / 2) / view.scale, view.y - (py - view.height / 2) / view.scale];
const clamp = (v, least, most) => Math.max(least, Math.min(most, v));

/** Points that are shown: what a pointer or key can reach. */
const shown = (i) => view.only < 0 || groupOf(i) === view.only;

/** Size of a point in CSS pixels: as much as there is room, more when near. */
function pointSize() {
  const n = view.only < 0 ? count : groupSizes[view.only], room = Math.sqrt(Math.PI * view.fit ** 2 / Math.max(1, n));
  return clamp(clamp(0.62 * room, 2.6, 9) * view.zoom ** 0.6, 2.2, 26);
}

/** Order of drawing: at random, so that no group hides another; the user's pieces on top. */
function drawingOrder() {
  const order = Uint32Array.from({ length: count }, (_, i) => i), random = noiseFrom(1), last = yoursFrom();
  for (let i = last - 1; i > 0; i--) {
    const j = Math.floor((random() + 1) / 2 * (i + 1)) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const VERTEX = `
attribute vec2 a_from; attribute vec2 a_to; attribute vec4 a_style; attribute vec4 a_color;
uniform vec4 u_camera; uniform float u_mix, u_size, u_focus, u_only, u_fade, u_pass, u_alpha, u_dark;
varying vec4 v_color; varying vec3 v_rim; varying float v_shape, v_size;
void main() {
  float group = floor(a_style.x * 255.0 + 0.5), yours = a_style.w;
  // Points set out one after the other.
  float t = clamp(u_mix * 1.4 - a_style.z * 0.4, 0.0, 1.0);
  vec2 at = mix(a_from, a_to, t * t * (3.0 - 2.0 * t));
  bool mine = u_focus < 0.0 || abs(group - u_focus) < 0.5;
  bool away = u_only >= 0.0 && abs(group - u_only) > 0.5;
  if (away || (u_pass > 0.5) != (mine && u_focus >= 0.0) && u_focus >= 0.0) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0); gl_PointSize = 1.0; return;
  }
  gl_Position = vec4((at - u_camera.xy) * u_camera.zw, 0.0, 1.0);
  float stands = u_focus >= 0.0 && mine ? u_fade : 0.0, falls = mine ? 0.0 : u_fade;
  v_size = u_size * (1.0 + 0.7 * stands - 0.15 * falls);
  v_size = yours > 0.5 ? max(v_size * 2.0, 2.6 * u_size) : v_size;
  gl_PointSize = v_size + 2.0;
  float grey = dot(a_color.rgb, vec3(0.3, 0.59, 0.11));
  v_color.rgb = mix(a_color.rgb, vec3(mix(grey, 0.6, 0.7)), 0.85 * falls);
  v_color.a = mix(mix(u_alpha, 1.0, max(stands, yours)), 0.2, falls);
  v_rim = v_color.rgb * mix(0.6, 0.75, u_dark);
  v_shape = floor(a_style.y * 255.0 + 0.5);
}`;

// Shapes as distances: negative inside. In the order of SHAPES in marks.js.
const FRAGMENT = `
precision mediump float;
varying vec4 v_color; varying vec3 v_rim; varying float v_shape, v_size;
float star(vec2 p) {
  const vec2 k1 = vec2(0.809017, -0.587785), k2 = vec2(-0.809017, -0.587785);
  p.x = abs(p.x);
  p -= 2.0 * max(dot(k1, p), 0.0) * k1; p -= 2.0 * max(dot(k2, p), 0.0) * k2;
  p.x = abs(p.x); p.y -= 1.0;
  vec2 ba = 0.45 * vec2(-k1.y, k1.x) - vec2(0.0, 1.0);
  float h = clamp(dot(p, ba) / dot(ba, ba), 0.0, 1.0);
  return length(p - ba * h) * sign(p.y * ba.x - p.x * ba.y);
}
float plus(vec2 p) {
  vec2 q = abs(p);
  return min(max(q.x - 0.9, q.y - 0.3), max(q.x - 0.3, q.y - 0.9));
}
float triangle(vec2 p) { return max(abs(p.x) * 0.869 + p.y * 0.494 - 0.469, -p.y - 0.72); }
float shape(float kind, vec2 p) {
  if (kind < 0.5) return length(p) - 0.86;
  if (kind < 1.5) return max(abs(p.x), abs(p.y)) - 0.76;
  if (kind < 2.5) return triangle(p);
  if (kind < 3.5) return (abs(p.x) + abs(p.y) - 0.98) * 0.707;
  if (kind < 4.5) return plus(p);
  if (kind < 5.5) return plus(vec2(p.x + p.y, p.y - p.x) * 0.7071);
  if (kind < 6.5) return triangle(vec2(p.x, -p.y));
  return star(p);
}
void main() {
  float pixel = 2.0 / v_size;
  vec2 p = (gl_PointCoord - 0.5) * (v_size + 2.0) * pixel;
  p.y = -p.y;
  bool hollow = v_shape > 7.5;
  float d = length(p) - 0.86;
  if (v_size > 4.5) { // smaller ones are dots, whatever their shape
    d = shape(hollow ? v_shape - 8.0 : v_shape, p);
    if (hollow) d = abs(d + 0.17) - 0.17;
  }
  float cover = clamp(0.5 - d / pixel, 0.0, 1.0);
  // The rim is a pixel wide; on the smallest points it is a shade over all of it.
  float rim = hollow ? 0.0 : mix(0.35, clamp(1.5 + d / pixel, 0.0, 1.0), clamp(v_size / 5.0 - 1.0, 0.0, 1.0));
  float alpha = cover * v_color.a;
  gl_FragColor = vec4(mix(v_color.rgb, v_rim, rim) * alpha, alpha);
}`;

const LINE_VERTEX = `
attribute vec2 a_place; attribute vec4 a_edge;
uniform vec4 u_camera; uniform float u_width;
varying float v_side, v_alpha;
void main() {
  gl_Position = vec4((a_place + a_edge.xy * u_width - u_camera.xy) * u_camera.zw, 0.0, 1.0);
  v_side = a_edge.z; v_alpha = a_edge.w;
}`;
const LINE_FRAGMENT = `
precision mediump float;
uniform vec3 u_ink; uniform float u_strength, u_half;
varying float v_side, v_alpha;
void main() {
  float alpha = clamp((1.0 - abs(v_side)) * u_half, 0.0, 1.0) * v_alpha * u_strength;
  gl_FragColor = vec4(u_ink * alpha, alpha);
}`;
const PICTURE_VERTEX = `
attribute vec2 a_corner;
uniform vec4 u_camera; uniform float u_span;
varying vec2 v_at;
void main() {
  gl_Position = vec4((a_corner * u_span - u_camera.xy) * u_camera.zw, 0.0, 1.0);
  v_at = vec2(a_corner.x + 1.0, 1.0 - a_corner.y) / 2.0;
}`;
const PICTURE_FRAGMENT = `
precision mediump float;
uniform sampler2D u_picture; uniform float u_strength;
varying vec2 v_at;
void main() { gl_FragColor = texture2D(u_picture, v_at) * u_strength; }`;

/** A program of the graphics card, with the places of its inputs. */
function makeProgram(gl, vertex, fragment) {
  const program = gl.createProgram(), inputs = {}, uniforms = {};
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_ATTRIBUTES); i++) {
    const { name } = gl.getActiveAttrib(program, i);
    inputs[name] = gl.getAttribLocation(program, name);
  }
  for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
    const { name } = gl.getActiveUniform(program, i);
    uniforms[name.slice(2)] = gl.getUniformLocation(program, name);
  }
  return { program, inputs, at: uniforms };
}

/** Draw with WebGL; null where there is none. */
function makeGlPoints(canvas) {
  const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
  if (!gl) return null;
  const order = drawingOrder(), random = noiseFrom(2), delays = order.map(() => 255 * (random() + 1) / 2);
  let dots = null, lines = null, picture = null, buffers = {}, texture = null, relief = null;

  function fill(name, data) {
    buffers[name] = buffers[name] || gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  }
  function read({ inputs }, input, buffer, size, type = gl.FLOAT, stride = 0, offset = 0) {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[buffer]);
    gl.enableVertexAttribArray(inputs[input]);
    gl.vertexAttribPointer(inputs[input], size, type, type !== gl.FLOAT, stride, offset);
  }
  function positions(name, layout) {
    const data = new Float32Array(2 * count), { xy } = layouts[layout];
    order.forEach((i, k) => { data[2 * k] = xy[2 * i]; data[2 * k + 1] = xy[2 * i + 1]; });
    fill(name, data);
  }
  /** Everything that is on the card: at the start, after a loss, and when colours change. */
  function upload() {
    if (gl.isContextLost()) return;
    if (!dots) {
      buffers = {}; texture = gl.createTexture();
      dots = makeProgram(gl, VERTEX, FRAGMENT);
      lines = makeProgram(gl, LINE_VERTEX, LINE_FRAGMENT);
      picture = makeProgram(gl, PICTURE_VERTEX, PICTURE_FRAGMENT);
      gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      fill("corners", Float32Array.of(-1, -1, 1, -1, -1, 1, 1, 1));
    }
    const styles = new Uint8Array(4 * count), colors = new Uint8Array(4 * count);
    const marks = Array.from({ length: facts.groups.length + 1 }, (_, k) => [markOf(k), channels(colorOf(k))]);
    order.forEach((i, k) => {
      const group = groupOf(i), [{ shape, hollow }, rgb] = marks[group];
      styles.set([group, shape + (hollow ? 8 : 0), delays[k], isYours(i) ? 255 : 0], 4 * k);
      colors.set([...rgb, 255], 4 * k);
    });
    fill("styles", styles); fill("colors", colors);
    relief = null;
    travel();
  }
  function travel() { positions("from", view.from); positions("to", view.layout); }

  function use(program, camera) {
    // Inputs of another program, left on, would be read beyond their end.
    for (const other of [dots, lines, picture]) for (const place of Object.values(other.inputs)) gl.disableVertexAttribArray(place);
    gl.useProgram(program.program);
    gl.uniform4f(program.at.camera, ...camera);
  }
  function drawRelief(camera, withLines) {
    const strength = reliefStrength();
    if (!strength) return;
    if (relief !== shownRelief()) {
      relief = shownRelief();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, relief.picture);
      for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
        [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, key, value);
      fill("lines", relief.lines);
    }
    use(picture, camera);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    read(picture, "a_corner", "corners", 2);
    gl.uniform1f(picture.at.span, RELIEF_SPAN); gl.uniform1f(picture.at.strength, strength);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    if (!withLines) return;
    use(lines, camera);
    read(lines, "a_place", "lines", 2, gl.FLOAT, 24, 0); read(lines, "a_edge", "lines", 4, gl.FLOAT, 24, 8);
    const half = 0.5 * view.dpr + 0.5; // half a line and half a pixel to fade out
    gl.uniform1f(lines.at.width, half / (view.scale * view.dpr)); gl.uniform1f(lines.at.half, half);
    gl.uniform3f(lines.at.ink, ...channels(relief.color).map((v) => v / 255));
    // From near, lines of a coarse grid are corners.
    gl.uniform1f(lines.at.strength, strength * clamp(1.5 - view.zoom / 10, 0, 1));
    gl.drawArrays(gl.TRIANGLES, 0, relief.lines.length / 6);
  }
  function draw(share) {
    if (gl.isContextLost()) return;
    const camera = [view.x, view.y, 2 * view.scale / view.width, 2 * view.scale / view.height];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT);
    drawRelief(camera, share === 1);
    use(dots, camera);
    read(dots, "a_from", "from", 2); read(dots, "a_to", "to", 2);
    read(dots, "a_style", "styles", 4, gl.UNSIGNED_BYTE); read(dots, "a_color", "colors", 4, gl.UNSIGNED_BYTE);
    const values = {
      mix: view.mix, size: pointSize() * view.dpr, only: view.only, fade: view.fade, focus: view.fade > 0 ? view.focus : -1,
      dark: theme() === "dark" ? 1 : 0, alpha: clamp(0.78 + 0.1 * Math.log2(Math.max(1, view.zoom)), 0, 0.97),
    };
    for (const [name, value] of Object.entries(values)) gl.uniform1f(dots.at[name], value);
    for (let pass = 0; pass < (view.fade > 0 ? 2 : 1); pass++) {
      gl.uniform1f(dots.at.pass, pass);
      gl.drawArrays(gl.POINTS, 0, Math.round(share * yoursFrom()));
      gl.drawArrays(gl.POINTS, yoursFrom(), count - yoursFrom());
    }
  }
  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault(); // else it is never restored
    say("graphics", "The graphics of this page were interrupted; they come back by themselves.");
  });
  canvas.addEventListener("webglcontextrestored", () => {
    dots = null;
    upload(); unsay("graphics"); redraw();
  });
  upload();
  return { kind: "webgl", upload, travel, draw };
}

/** Draw on a 2-D canvas: slower, and without effects. */
function makeFlatPoints(canvas) {
  const g = canvas.getContext("2d"), order = drawingOrder();
  /** A small picture of each mark, since drawing paths 35,000 times takes too long. */
  function stamps(radius) {
    return Array.from({ length: facts.groups.length + 1 }, (_, group) => {
      const stamp = document.createElement("canvas"), s = stamp.getContext("2d");
      stamp.width = stamp.height = Math.ceil(2 * radius + 3);
      s.translate(stamp.width / 2, stamp.height / 2);
      drawMark(s, group, radius);
      return stamp;
    });
  }
  function draw(share) {
    g.clearRect(0, 0, canvas.width, canvas.height);
    if (reliefStrength()) {
      const [x, y] = toScreen(-RELIEF_SPAN, RELIEF_SPAN), side = 2 * RELIEF_SPAN * view.scale * view.dpr;
      g.globalAlpha = reliefStrength();
      g.drawImage(shownRelief().picture, x * view.dpr, y * view.dpr, side, side);
    }
    const radius = pointSize() * view.dpr / 2, marks = stamps(radius), big = stamps(2 * radius);
    const from = layouts[view.from].xy, to = layouts[view.layout].xy, t = view.mix * view.mix * (3 - 2 * view.mix);
    for (const mine of view.fade > 0 ? [false, true] : [true]) for (const [k, i] of order.entries()) {
      if (k >= share * yoursFrom() && !isYours(i)) continue;
      const group = groupOf(i);
      if (view.only >= 0 && group !== view.only || view.fade > 0 && (group === view.focus) !== mine) continue;
      const stamp = (isYours(i) ? big : marks)[group];
      const [px, py] = toScreen(from[2 * i] + (to[2 * i] - from[2 * i]) * t, from[2 * i + 1] + (to[2 * i + 1] - from[2 * i + 1]) * t);
      const x = px * view.dpr, y = py * view.dpr, half = stamp.width / 2;
      if (x < -half || y < -half || x > canvas.width + half || y > canvas.height + half) continue;
      g.globalAlpha = mine ? 0.85 : 0.85 - 0.7 * view.fade;
      g.drawImage(stamp, x - half, y - half);
    }
    g.globalAlpha = 1;
  }
  return { kind: "2d", upload() {}, travel() {}, draw };
}

let points = null, dirty = false, asked = false, glide = null;

function measure() {
  const box = $("map").getBoundingClientRect();
  Object.assign(view, { width: Math.max(1, box.width), height: Math.max(1, box.height), dpr: clamp(devicePixelRatio || 1, 1, 3) });
  for (const id of ["points", "overlay"]) {
    $(id).width = Math.round(view.width * view.dpr); $(id).height = Math.round(view.height * view.dpr);
  }
  // What of the map is not under the title and the tools.
  view.fit = Math.min(view.width, view.height) / 2 / 1.06;
  look({});
}

/** Look elsewhere: any of x, y, zoom. */
function look({ x = view.x, y = view.y, zoom = view.zoom }) {
  view.zoom = clamp(zoom, ZOOM_LEAST, ZOOM_MOST);
  view.scale = view.fit * view.zoom;
  view.x = clamp(x, -1.5, 1.5); view.y = clamp(y, -1.5, 1.5);
  redraw();
}

/** The same, smoothly. */
function lookSlowly({ x = view.x, y = view.y, zoom = view.zoom }, ms = 260) {
  if (still()) { glide = null; look({ x, y, zoom }); return; }
  glide = { from: { x: view.x, y: view.y, zoom: view.zoom }, to: { x, y, zoom: clamp(zoom, ZOOM_LEAST, ZOOM_MOST) }, start: performance.now(), ms };
  ask();
}

/** Zoom so that what is at a place of the screen stays there. */
function zoomAt(factor, px = view.width / 2, py = view.height / 2) {
  glide = null;
  const [x, y] = toMap(px, py);
  view.zoom = clamp(view.zoom * factor, ZOOM_LEAST, ZOOM_MOST);
  view.scale = view.fit * view.zoom;
  look({ x: x - (px - view.width / 2) / view.scale, y: y + (py - view.height / 2) / view.scale });
}

function panBy(dx, dy) {
  glide = null;
  look({ x: view.x - dx / view.scale, y: view.y + dy / view.scale });
}

function showLayout(number) {
  if (number === view.layout) return;
  view.from = view.layout; view.layout = number;
  view.mix = still() ? 1 : 0; view.mixStart = performance.now();
  points.travel();
  redraw();
}

function highlight(group) {
  if (group >= 0) view.focus = group;
  view.fadeTo = group >= 0 ? 1 : 0;
  ask();
}

function redraw() { dirty = true; ask(); }
function ask() {
  if (!asked) { asked = true; requestAnimationFrame(frame); }
}

/** Move what is on its way; tells whether there is more to come. */
function animate(now) {
  let more = false;
  if (glide) {
    const t = clamp((now - glide.start) / glide.ms, 0, 1), ease = 1 - (1 - t) ** 3, { from, to } = glide;
    if (t < 1) {
      more = true;
      look({
        x: from.x + (to.x - from.x) * ease, y: from.y + (to.y - from.y) * ease, zoom: from.zoom * (to.zoom / from.zoom) ** ease,
      });
    } else { glide = null; look(to); }
  }
  if (view.mix < 1) {
    view.mix = clamp((now - view.mixStart) / TRAVEL_MS, 0, 1);
    dirty = more = true;
  }
  if (view.fade !== (view.fadeTo || 0)) {
    const step = still() ? 1 : 0.14;
    view.fade = view.fadeTo ? Math.min(1, view.fade + step) : Math.max(0, view.fade - step);
    dirty = more = true;
  }
  return more;
}

/**
 * Where a frame takes long, for want of a graphics card, only a share of the points and
 * no line is drawn while the map moves. They are in random order: any part of them looks like all.
 */
const pace = { share: 1, ms: 16, drawn: 0, resting: 0, rested: false };
const SLOW_MS = 42, FAST_MS = 25, LEAST_SHARE = 0.25, REST_AFTER_MS = 160;

function keepPace(now) {
  if (!pace.drawn) return;
  // From a frame that was drawn to the next chance to draw.
  pace.ms += (Math.min(now - pace.drawn, 200) - pace.ms) * 0.3;
  pace.drawn = 0;
  if (pace.ms > SLOW_MS) pace.share = Math.max(LEAST_SHARE, pace.share * Math.max(0.5, FAST_MS / pace.ms));
  else if (pace.ms < FAST_MS) pace.share = Math.min(1, pace.share * 1.1);
}

/** Draw the map at once. */
function drawNow(share = 1) {
  const start = performance.now();
  points.draw(share);
  stats.frames++; stats.ms = performance.now() - start;
  stats.points = Math.round(share * (view.only < 0 ? count : groupSizes[view.only]));
  dirty = false;
}

let groupSizes = [];
function frame(now) {
  asked = false;
  keepPace(now);
  const moving = animate(now), drawn = dirty;
  if (dirty) {
    const share = pace.rested ? 1 : pace.share;
    drawNow(share);
    pace.rested = false;
    clearTimeout(pace.resting);
    if (share < 1) pace.resting = setTimeout(() => { pace.rested = true; redraw(); }, REST_AFTER_MS);
    pace.drawn = now;
  }
  const sounding = followSound();
  if (drawn || overlayDirty || sounding && pulse > 0.02 && !still()) drawOverlay();
  if (drawn) placeTip();
  if (moving || sounding || drawn) ask();
}

function startView() {
  groupSizes = Array.from({ length: facts.groups.length + 1 }, () => 0);
  for (let i = 0; i < count; i++) groupSizes[groupOf(i)]++;
  measure();
  points = makeGlPoints($("points"));
  if (!points) {
    points = makeFlatPoints($("points"));
    say("graphics", "This browser has no WebGL: the map is drawn without it, more slowly.");
  }
  stats.renderer = points.kind;
  new ResizeObserver(measure).observe($("map"));
  addEventListener("resize", measure); // the density of the screen may change, too
}
