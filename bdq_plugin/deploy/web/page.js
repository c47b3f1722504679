'use strict';
// Frames of a <video> to the C core (WebAssembly), and its codes to a canvas. For each frame the
// document gets an event 'codes'; its `detail` has form, height, width, channels, pixels, codes, which
// are null where the frame only begins a stream, and what was drawn for it: noise, places and words
// (which randomised response replaces codes by), null for what the encoder has not.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const video = $('video');
const source = document.createElement('canvas');
const drawing = source.getContext('2d', {willReadFrequently: true});
const KERNEL_SUM = 256, UNITS = 255 * KERNEL_SUM * KERNEL_SUM, CHUNK = 30;
const PROBLEMS = {'-1': 'the core is of another version than the page: make the page anew',
  '-2': 'a frame of this size does not fit: choose a shorter side', '-3': 'out of memory'};

// ---------------------------------------------------------------- the encoder in whole numbers
// As bdq_plugin/camera_form.py computes it.
function integerKernel(sigma, size) {
  const half = (size - 1) / 2, weights = [];
  for (let i = -half; i <= half; i++) weights.push(Math.exp(-0.5 * (i / sigma) * (i / sigma)));
  const total = weights.reduce((a, b) => a + b, 0);
  const side = weights.slice(0, half).map((w) => Math.round(KERNEL_SUM * w / total));
  return [...side, KERNEL_SUM - 2 * side.reduce((a, b) => a + b, 0), ...side.slice().reverse()];
}

function integerThresholds(thresholds, range, difference) {
  const limit = Math.fround(range), low = difference ? -limit : 0;
  const step = (limit - low) / thresholds.length, zero = difference ? thresholds.length / 2 : 0;
  return thresholds.map((t) => Math.floor((t - zero) * step * UNITS));
}

function chosenForm() {
  const encoder = data.encoders[$('encoder').value], set = settings(), form = {...encoder.form};
  if (set.sigma !== encoder.sigma && encoder.sigma)
    form.kernel = integerKernel(set.sigma, encoder.form.kernel.length);
  if (encoder.thresholds && (set.levels !== levelsOf(encoder) || set.range !== encoder.range)) {
    const same = set.levels === levelsOf(encoder);
    const spread = Array.from({length: set.levels - 1}, (_, k) => k + 0.5);
    form.thresholds = integerThresholds(same ? encoder.thresholds : spread, set.range, form.difference);
    form.low = form.difference ? -Math.fround(set.range) : 0;
    form.step = (Math.fround(set.range) - form.low) / form.thresholds.length;
  }
  return form;
}

const levelsOf = (encoder) => encoder.form.thresholds.length + 1;

let moved = {};  // sliders that no longer stand as trained
function settings() {
  const encoder = data.encoders[$('encoder').value];
  return {sigma: moved.sigma ?? encoder.sigma, levels: moved.levels ?? levelsOf(encoder),
    range: moved.range ?? encoder.range};
}

function flatForm(form) {  // bdq_form of bdq.h
  const head = 9, flat = new Int32Array(head + 255 + 255);
  let taps = form.kernel;
  while (taps.length > 1 && taps[0] === 0) taps = taps.slice(1, -1);
  flat.set([data.version, taps.length, +(form.padding === 'zeros'), +form.difference,
    form.thresholds.length, form.block, +form.magnitude, Math.min(2 ** 31 - 1, Math.ceil(form.dither)),
    +(form.geometry !== null)]);
  flat.set(taps, head);
  flat.set(form.thresholds.map((t) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, t))), head + 255);
  return flat;
}

// ---------------------------------------------------------------- the core
let core = null;
async function startCore() {
  const bytes = Uint8Array.from(atob(data.core), (c) => c.charCodeAt(0));
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(bytes))
    throw new Error('this browser cannot run the encoder (WebAssembly with SIMD): use a newer one');
  core = (await WebAssembly.instantiate(bytes)).instance.exports;
}

class Stream {
  constructor(form, height, width, channels) {
    Object.assign(this, {form, height, width, channels, size: height * width * channels});
    const place = {at: core.__heap_base.value};
    const take = (bytes) => { const at = (place.at + 15) & ~15; place.at = at + bytes; return at; };
    const flat = flatForm(form);
    this.formAt = take(flat.byteLength);
    grow(place.at);
    new Int32Array(core.memory.buffer).set(flat, this.formAt / 4);
    const sizes = [this.formAt, height, width, channels];
    this.streamAt = take(64);
    const stateAt = take(4 * core.bdq_state_count(...sizes));
    const rowAt = take(2 * core.bdq_row_count(...sizes));
    this.frameAt = take(this.size);
    const count = core.bdq_codes_count(...sizes), noisy = form.dither > 0;
    this.codesAt = take(count);
    this.noiseAt = noisy ? take(4 * count) : 0;
    this.placesAt = form.geometry ? take(8 * height * width) : 0;
    grow(place.at);
    const begun = core.bdq_begin(this.streamAt, ...sizes, stateAt, rowAt);
    if (begun) throw new Error(PROBLEMS[begun]);
    this.frame = new Uint8Array(core.memory.buffer, this.frameAt, this.size);
    this.codes = new Uint8Array(core.memory.buffer, this.codesAt, count);
    this.noise = noisy ? new Int32Array(core.memory.buffer, this.noiseAt, count) : null;
    this.places = form.geometry && new Int32Array(core.memory.buffer, this.placesAt, 2 * height * width);
    this.path = form.geometry && new Path(form.geometry, height, width);
    this.words = form.flip ? new Uint32Array(count) : null;
    this.rows = height / form.block;
    this.columns = width / form.block;
  }
  encode() {
    if (this.noise) drawNoise(this.noise, this.form.dither);
    if (this.path) this.path.next(this.places);
    const written = core.bdq_encode_dithered(
      this.streamAt, this.frameAt, this.noiseAt, this.placesAt, this.codesAt) === 1;
    if (written && this.words) respond(this.codes, this.words, this.form);
    return written;
  }
}

function fillWords(words) {  // whole numbers of 32 bits from the browser's secure source
  for (let i = 0; i < words.length; i += 16384)  // as many as one call may ask for
    crypto.getRandomValues(words.subarray(i, i + 16384));
}

// Replace codes as bdq_plugin/randomized_response.py does.
function respond(codes, words, {flip, thresholds}) {
  const levels = thresholds.length + 1, replaced = Math.ceil(flip * 2 ** 32);
  fillWords(words);
  for (let i = 0; i < codes.length; i++)
    if (words[i] < replaced)
      codes[i] = (codes[i] + 1 + Math.floor(words[i] * thresholds.length / replaced)) % levels;
}

// ---------------------------------------------------------------- where pixels are taken from
// As bdq_plugin/geometry.py computes it, of words from the browser instead of a secret's.
const CONTROLS = 6, WORDS = 7 + 2 * CONTROLS * CONTROLS, DRAW_UNIT = 65536, PLACE_UNIT = 64;

class Path {
  constructor(geometry, height, width) {
    Object.assign(this, {geometry, height, width, frame: 0, drawn: [], mirrored: null});
  }
  next(places) {  // of the next frame, into an array of both axes
    const {redraw, change} = this.geometry, period = redraw ? Math.floor(this.frame / redraw) : 0;
    const begun = this.frame - period * redraw - (redraw - change) + 1;
    const share = redraw && begun > 0 ? Math.floor(begun * DRAW_UNIT / (change + 1)) : 0;
    this.frame++;
    delete this.drawn[period - 1];
    const first = this.draw(period);
    if (!share) return places.set(first);
    const second = this.draw(period + 1);
    for (let i = 0; i < places.length; i++)
      places[i] = first[i] + Math.floor((second[i] - first[i]) * share / DRAW_UNIT);
  }
  draw(period) {
    if (!this.drawn[period]) {
      const words = new Uint32Array(WORDS);
      fillWords(words);
      this.mirrored ??= this.geometry.mirror && words[0] < 2 ** 31;
      this.drawn[period] = placesOf(
        geometryOf(this.geometry, words, this.mirrored), this.height, this.width);
    }
    return this.drawn[period];
  }
}

function geometryOf(geometry, words, mirrored) {  // draw() there
  const number = Array.from(words, (word) => (word - 2 ** 31) / 2 ** 31);
  const whole = (value) => {  // to the nearest, and halves to the even one
    const up = Math.round(DRAW_UNIT * value);
    return up - DRAW_UNIT * value === 0.5 && up % 2 ? up - 1 : up;
  };
  const scale = 1 + geometry.scale * number[1], flip = mirrored ? -1 : 1;
  const rows = scale * (1 + geometry.stretch * number[2]);
  const columns = scale * (1 + geometry.stretch * number[3]);
  const angle = geometry.rotation * number[4] * (Math.PI / 180);
  const cos = Math.cos(angle), sin = Math.sin(angle);
  return {
    matrix: [[rows * cos, flip * rows * sin], [-columns * sin, flip * columns * cos]]
      .map((row) => row.map(whole)),
    shift: [number[5], number[6]].map((part) => whole(geometry.shift * part)),
    warp: number.slice(7).map((part) => whole(geometry.warp * part)),
  };
}

function placesOf({matrix, shift, warp}, height, width) {
  const places = new Int32Array(2 * height * width), span = 2 * Math.min(height, width);
  const rows = spline(height), columns = spline(width), sides = [height, width];
  for (let axis = 0, place = 0; axis < 2; axis++) {
    const side = sides[axis], [byRow, byColumn] = matrix[axis], most = (side - 1) * PLACE_UNIT;
    const centre = (side - 1) * DRAW_UNIT + shift[axis] * span;
    const control = (i, j) => warp[(axis * CONTROLS + i) * CONTROLS + j];
    for (let y = 0; y < height; y++) {
      const row = [0, 1, 2, 3, 4, 5].map(
        (j) => rows[y].reduce((sum, weight, i) => sum + weight * control(i, j), 0));
      for (let x = 0; x < width; x++, place++) {
        let sum = 0;
        for (let j = 0; j < CONTROLS; j++) sum += columns[x][j] * row[j];
        // Times span, 32 bits less: in two parts, for numbers here are exact to 53 bits.
        const high = Math.floor(sum / 2 ** 32), low = sum - high * 2 ** 32;
        const warped = high * span + Math.floor(low * span / 2 ** 32);
        const exact = byRow * (2 * y - height + 1) + byColumn * (2 * x - width + 1) + warped + centre;
        places[place] = Math.max(0, Math.min(most, Math.floor((exact + 1024) / 2048)));
      }
    }
  }
  return places;
}

function spline(side) {  // _spline() there
  const spans = CONTROLS - 3, one = 4096, cube = (n) => n * n * n;
  return Array.from({length: side}, (_, i) => {
    const at = Math.floor(i * spans * one / Math.max(side - 1, 1));
    const span = Math.min(Math.floor(at / one), spans - 1), t = at - span * one;
    const terms = [cube(one - t), 3 * cube(t) - 6 * one * t * t + 4 * cube(one),
      -3 * cube(t) + 3 * one * t * t + 3 * one * one * t + cube(one), cube(t)];
    const weights = new Array(CONTROLS).fill(0);
    terms.forEach((term, k) => { weights[span + k] = Math.floor(term * DRAW_UNIT / (6 * cube(one))); });
    return weights;
  });
}

// Normal numbers (Box and Muller 1958) from the browser's secure source, rounded to whole ones.
function drawNoise(noise, deviation) {
  const even = new Uint32Array(noise.length + noise.length % 2);
  fillWords(even);
  for (let i = 0; i < noise.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((even[i] + 1) / 2 ** 32)) * deviation;
    const angle = 2 * Math.PI * even[i + 1] / 2 ** 32;
    for (const [k, part] of [[i, Math.cos(angle)], [i + 1, Math.sin(angle)]])
      if (k < noise.length) noise[k] = Math.max(-(2 ** 26), Math.min(2 ** 26, Math.round(radius * part)));
  }
}

function grow(bytes) {
  const missing = bytes - core.memory.buffer.byteLength;
  if (missing > 0) core.memory.grow(Math.ceil(missing / 65536));
}

// ---------------------------------------------------------------- a frame
let stream = null, counted = null;

function onFrame() {
  if (!video.videoWidth || !core) return;
  try {
    const side = +$('side').value, scale = side ? side / Math.min(video.videoWidth, video.videoHeight) : 1;
    const block = data.encoders[$('encoder').value].form.block;
    const whole = (length) => block * Math.max(1, Math.round(length * scale / block));
    const width = whole(video.videoWidth), height = whole(video.videoHeight);
    const channels = $('grey').checked ? 1 : 3;
    if (!stream || stream.width !== width || stream.height !== height || stream.channels !== channels)
      begin(height, width, channels);
    drawing.drawImage(video, 0, 0, width, height);
    const picture = drawing.getImageData(0, 0, width, height);
    $('clear').getContext('2d').putImageData(picture, 0, 0);
    fill(stream, picture.data);
    const start = performance.now(), written = stream.encode();
    if (written) show(performance.now() - start);
    const {form, frame: pixels, codes, noise, places, words} = stream;
    document.dispatchEvent(new CustomEvent('codes',
      {detail: {form, height, width, channels, pixels, codes: written ? codes : null, noise, places, words}}));
  } catch (error) {
    stop();
    say(error.message);
  }
}

function begin(height, width, channels) {
  stream = new Stream(chosenForm(), height, width, channels);
  counted = {frames: 0, times: [], packed: [], since: performance.now()};
  for (const canvas of [source, $('clear')]) Object.assign(canvas, {width, height});
  Object.assign($('coded'), {width: stream.columns, height: stream.rows});
  $('size').textContent = `${width} x ${height}, ${channels === 1 ? 'grey' : 'colour'}`;
}

function fill({frame, channels}, rgba) {
  const count = rgba.length / 4;
  if (channels === 1)  // BT.601 luma as OpenCV rounds it
    for (let i = 0, j = 0; i < count; i++, j += 4)
      frame[i] = (9798 * rgba[j] + 19235 * rgba[j + 1] + 3735 * rgba[j + 2] + 16384) >> 15;
  else
    for (let i = 0, j = 0, k = 0; i < count; i++, j += 4, k += 3) {
      frame[k] = rgba[j]; frame[k + 1] = rgba[j + 1]; frame[k + 2] = rgba[j + 2];
    }
}

function show(milliseconds) {
  const {codes, channels, form} = stream, levels = form.thresholds.length + 1;
  const picture = new ImageData(stream.columns, stream.rows);
  const shades = Uint8Array.from({length: levels}, (_, k) => Math.round(k * 255 / (levels - 1)));
  const counts = new Array(levels).fill(0), rgba = picture.data.fill(255);
  for (let i = 0, j = 0; i < codes.length; i += channels, j += 4)
    for (let c = 0; c < 3; c++) rgba[j + c] = shades[codes[i + (channels === 3 ? c : 0)]];
  for (const level of codes) counts[level]++;
  $('coded').getContext('2d').putImageData(picture, 0, 0);
  counted.frames++;
  counted.times = [...counted.times.slice(1 - CHUNK), milliseconds];
  counted.packed.push(pack(stream, levels));
  $('count').textContent = counted.frames;
  const mean = counted.times.reduce((a, b) => a + b, 0) / counted.times.length;
  $('time').textContent = `${mean.toFixed(2)} ms (mean of ${counted.times.length})`;
  drawHistogram(counts);
  if (counted.packed.length === CHUNK) measureRate(counted);
}

function drawHistogram(counts) {
  const canvas = $('histogram'), context = canvas.getContext('2d');
  const most = Math.sqrt(Math.max(...counts)), each = canvas.width / counts.length;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = '#0072b2';
  counts.forEach((count, level) => {
    const height = canvas.height * Math.sqrt(count) / most;
    context.fillRect(level * each, canvas.height - height, Math.max(1, each - 1), height);
  });
}

function pack({codes, channels}, levels) {  // as .bdq packs: 1, 2, 4 or 8 bits a code
  const bits = [1, 2, 4, 8].find((b) => levels <= 2 ** b), each = 8 / bits;
  const packed = new Uint8Array(Math.ceil(codes.length / each));
  for (let c = 0, place = 0; c < channels; c++)
    for (let i = c; i < codes.length; i += channels, place++)
      packed[Math.floor(place / each)] |= codes[i] << (bits * (place % each));
  return packed;
}

async function measureRate(chunk) {
  const seconds = (performance.now() - chunk.since) / 1000, frames = chunk.packed;
  const raw = CHUNK * stream.size;
  chunk.packed = [];
  chunk.since = performance.now();
  if (typeof CompressionStream === 'undefined') {
    $('rate').textContent = 'not measured: this browser has no CompressionStream';
    return;
  }
  const deflated = new Blob(frames).stream().pipeThrough(new CompressionStream('deflate'));
  const bytes = (await new Response(deflated).arrayBuffer()).byteLength;
  if (chunk !== counted) return;
  const rate = (size) => `${Math.round(8 * size / seconds / 1000).toLocaleString('en')} kbit/s`;
  $('rate').textContent = `${rate(bytes)} (${(CHUNK / seconds).toFixed(1)} frames/s)`;
  $('raw').textContent = rate(raw);
}

// ---------------------------------------------------------------- sources
let running = 0;

function run() {
  const mine = ++running;
  stream = null;
  $('stop').disabled = false;
  const next = () => {
    if (mine !== running) return;
    onFrame();
    if (mine === running) schedule();
  };
  let last = -1;
  const whenNew = () => {  // browsers without a callback for each frame
    if (mine !== running) return;
    if (video.currentTime === last) return requestAnimationFrame(whenNew);
    last = video.currentTime;
    next();
  };
  const schedule = () => video.requestVideoFrameCallback
    ? video.requestVideoFrameCallback(next) : requestAnimationFrame(whenNew);
  schedule();
}

function stop() {
  running++;
  stream = null;
  $('stop').disabled = true;
  video.pause();
  for (const track of video.srcObject ? video.srcObject.getTracks() : []) track.stop();
  video.srcObject = null;
  if (video.src) { URL.revokeObjectURL(video.src); video.removeAttribute('src'); video.load(); }
  for (const id of ['clear', 'coded']) $(id).getContext('2d').clearRect(0, 0, 1e5, 1e5);
}

function say(text) {
  $('message').textContent = text;
  $('message').hidden = !text;
}

async function openCamera() {
  stop();
  say('');
  if (!navigator.mediaDevices)
    return say('this browser gives no camera to this address: open the page from https, from ' +
      'localhost (python -m bdq_plugin playground) or as a file');
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({video: true, audio: false});
    await video.play();
    run();
  } catch (error) {
    stop();
    say({NotAllowedError: 'the camera was not allowed: allow it for this page and try again',
      NotFoundError: 'no camera was found: connect one, or open a video',
      NotReadableError: 'the camera is in use by another program: close that one and try again',
    }[error.name] || `the camera does not start: ${error.message}`);
  }
}

async function openFile() {
  const [file] = $('file').files;
  $('file').value = '';
  if (!file) return;
  stop();
  say('');
  video.src = URL.createObjectURL(file);
  try {
    await video.play();
    if (!video.videoWidth) throw new Error('no pictures');
    run();
  } catch {
    stop();
    say(`this browser cannot show ${file.name} as a video: convert it to MP4 (H.264) or WebM`);
  }
}

// ---------------------------------------------------------------- what is shown of the encoder
function showSettings() {
  const encoder = data.encoders[$('encoder').value], set = settings();
  const changed = Object.keys(moved).length > 0;
  $('sigma').value = set.sigma ?? 0;
  $('sigma').disabled = !encoder.sigma;
  $('levels').value = Math.log2(set.levels);
  $('range').value = set.range ?? 0;
  $('levels').disabled = $('range').disabled = !encoder.thresholds;
  $('sigma-value').textContent = encoder.sigma ? `${set.sigma.toFixed(2)} pixels` : 'none';
  $('levels-value').textContent = set.levels;
  $('range-value').textContent = encoder.thresholds
    ? `${(100 * set.range).toFixed(0)} % of full intensity` : 'about a dead zone';
  $('reset').disabled = !changed;
  $('trained').textContent = (changed
    ? 'You have changed the encoder: nothing was measured of it, and no network reads its codes. '
    : '') + encoder.trained;
  $('card').textContent = changed ? '' : encoder.card;
  stream = null;
}

function move(name, value) {
  moved[name] = value;
  showSettings();
}

for (const [index, encoder] of data.encoders.entries()) $('encoder').add(new Option(encoder.name, index));
for (const [name, reason] of Object.entries(data.others)) {
  const option = new Option(`${name} (${reason})`, '');
  option.disabled = true;
  $('encoder').add(option);
}
$('encoder').onchange = () => { moved = {}; showSettings(); };
$('reset').onclick = () => { moved = {}; showSettings(); };
$('sigma').oninput = () => move('sigma', +$('sigma').value);
$('levels').oninput = () => move('levels', 2 ** +$('levels').value);
$('range').oninput = () => move('range', +$('range').value);
$('side').onchange = $('grey').onchange = () => { stream = null; };
$('camera').onclick = openCamera;
$('file').onchange = openFile;
$('stop').onclick = () => { stop(); say(''); };
video.onseeking = () => { stream = null; };  // a jump is no movement
showSettings();
startCore().catch((error) => say(error.message));
