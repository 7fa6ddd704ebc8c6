// The data of the page: sentence pairs, their weights and links.
//
// Weights are integers in thousandths, rounded down, so that `q >= 10 * k` says exactly whether the
// weight is at least k hundredths. A table (T, S) is a Uint16Array, target words down.

const byId = (id) => document.getElementById(id);
const info = JSON.parse(byId("info").textContent);
let gold = null; // the links of each pair, where there are any

// As in encoding.py: the symbols of the text in which tables are written.
const SYMBOLS = info.symbols;
const VALUE = new Map([...SYMBOLS].map((symbol, index) => [symbol, index]));
const HIGH = 16;
const LOW = 64;

// Return the `count` weights that `text` encodes.
function decode(text, count) {
  const weights = new Uint16Array(count);
  let cell = 0;
  for (let at = 0; at < text.length; at++) {
    const value = VALUE.get(text[at]);
    if (value >= HIGH) cell += value - HIGH + 1; // a run of zeros
    else weights[cell++] = value * LOW + VALUE.get(text[++at]);
  }
  return weights;
}

// What is read from a record when it is first needed.
const PARTS = {
  source: (pair) => pair.s.map((segment) => segment.trim() || segment),
  target: (pair) => pair.t.map((segment) => segment.trim() || segment),
  sourceText: (pair) => pair.S ?? pair.s.join(""),
  targetText: (pair) => pair.T ?? pair.t.join(""),
  links: (pair) => cellsOf(pair, pair.l),
  sure: (pair) => gold && cellsOf(pair, gold[pair.index][0]),
  possible: (pair) => gold && cellsOf(pair, gold[pair.index][1]),
};

// A sentence pair: the fields of its record (page.py), its place, and PARTS.
class Pair {
  constructor(record, index) {
    Object.assign(this, record);
    this.index = index;
  }
}

for (const [name, read] of Object.entries(PARTS)) {
  const get = function () {
    const value = read(this);
    Object.defineProperty(this, name, { value });
    return value;
  };
  Object.defineProperty(Pair.prototype, name, { get });
}

// Return the cells of links "0-0 2-1": t * S + s of each.
function cellsOf(pair, links) {
  return new Set(links.split(" ").filter(Boolean).map((link) => cellOf(pair, link)));
}

function cellOf(pair, link) {
  const [s, t] = link.split("-").map(Number);
  return t * pair.s.length + s;
}

const pairs = []; // those that have been read

// Read the next block of pairs; whether there was one.
function readBlock() {
  const block = document.querySelector("script.pairs");
  if (!block) return false;
  for (const record of JSON.parse(block.textContent)) pairs.push(new Pair(record, pairs.length));
  block.remove();
  return true;
}

const tables = new WeakMap(); // pair → Map of view → table

// Return the table of a view of a pair: `weights` (T * S) and `unaligned` (T) or null.
// A view is "attention", "alignment", the self-attention of a side, or "layer.head".
function tableOf(pair, view) {
  let known = tables.get(pair);
  if (!known) tables.set(pair, (known = new Map()));
  if (!known.has(view)) known.set(view, readTable(pair, view));
  return known.get(view);
}

function readTable(pair, view) {
  const S = pair.s.length;
  const T = pair.t.length;
  const text = pair.w[view];
  if (text === undefined) return null;
  if (view === "alignment") return { weights: decode(text, T * S), unaligned: null };
  const all = decode(text, T * (S + 1));
  const weights = new Uint16Array(T * S);
  const unaligned = new Uint16Array(T);
  for (let t = 0; t < T; t++) {
    weights.set(all.subarray(t * (S + 1), t * (S + 1) + S), t * S);
    unaligned[t] = all[t * (S + 1) + S];
  }
  return { weights, unaligned };
}

// Return the links of a pair in a view, as a set of cells. `minimum` in thousandths; null for the
// links that were written with the pair.
function linksOf(pair, view, minimum) {
  const isOwn = view === pair.v || (pair.v === undefined && view === info.view);
  if (isOwn && minimum === null) return pair.links;
  const table = tableOf(pair, view);
  const links = new Set();
  if (!table) return links;
  const least = minimum ?? info.minimum[isHead(view) ? headsView : view];
  if (isOwn && info.extraction !== "threshold") {
    for (const cell of pair.links) if (table.weights[cell] >= least) links.add(cell);
    return links;
  }
  table.weights.forEach((weight, cell) => {
    if (weight >= least) links.add(cell);
  });
  return links;
}

const isHead = (view) => view.includes(".");

// Whether the page shows self-attention: both sentences are one, whose words read its words.
const isSelf = info.view.endsWith("self-attention");

// The view whose weights the heads have.
const headsView = isSelf ? info.view : "attention";

// Whether a cell is one of a word that the decoder has not read yet.
const isMasked = (s, t) => info.view === "decoder self-attention" && s > t;

// Compare links with gold, by cell (Och & Ney 2003): hits are possible links, extras are none,
// misses are sure links that are absent.
function compare(pair, links) {
  const hits = [...links].filter((cell) => pair.possible.has(cell));
  const extras = [...links].filter((cell) => !pair.possible.has(cell));
  const misses = [...pair.sure].filter((cell) => !links.has(cell));
  const counts = {
    proposed: links.size,
    sure: pair.sure.size,
    inSure: pair.sure.size - misses.length,
    inPossible: hits.length,
  };
  return { hits: new Set(hits), extras: new Set(extras), misses: new Set(misses), counts };
}

// Alignment error rate in percent.
function errorRate({ proposed, sure, inSure, inPossible }) {
  return proposed + sure ? 100 * (1 - (inSure + inPossible) / (proposed + sure)) : 0;
}

// Count the words of both sides that no link touches.
function countUnlinked(pair, links) {
  const S = pair.s.length;
  const sides = [new Set(), new Set()];
  for (const cell of links) {
    sides[0].add(cell % S);
    sides[1].add(Math.floor(cell / S));
  }
  return S + pair.t.length - sides[0].size - sides[1].size;
}

// A number with a comma between thousands. (Intl takes a tenth of the time to the first paint.)
const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

// A weight in thousandths as "0.94"; "·" for what would be 0.00.
function formatWeight(weight) {
  const hundredths = Math.floor((weight + 5) / 10);
  return hundredths ? (hundredths / 100).toFixed(2) : "·";
}

// The color of a weight, 0 to 1: [red, green, blue].
function heat(weight) {
  const stops = info.colors;
  if (weight <= stops[0][0]) return stops[0][1];
  for (let at = 1; at < stops.length; at++) {
    const [high, hot] = stops[at];
    const [low, cool] = stops[at - 1];
    if (weight <= high) {
      const p = (weight - low) / (high - low);
      return cool.map((channel, index) => Math.round(channel + (hot[index] - channel) * p));
    }
  }
  return stops[stops.length - 1][1];
}

// Paint an element with the heat of a weight in thousandths; text on it is black or white, which
// contrasts more. Below the first stop the color fades.
function paint(element, weight) {
  const [red, green, blue] = heat(weight / 1000);
  const first = info.colors[0][0] * 1000;
  const alpha = weight >= first ? 1 : weight < 5 ? 0 : (0.4 * weight) / first;
  const color = `rgb(${red} ${green} ${blue} / ${alpha})`;
  element.style.backgroundColor = alpha === 1 ? color : "";
  element.style.backgroundImage = alpha > 0 && alpha < 1 ? `linear-gradient(${color}, ${color})` : "";
  element.style.color = alpha < 1 ? "" : isLight([red, green, blue]) ? "#000" : "#fff";
}

// Whether black contrasts more than white on a color (relative luminance of WCAG 2.2 above 0.179).
function isLight(color) {
  const [red, green, blue] = color.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802\ud803\ud83a][\udc00-\udfff]/u;

// The direction of a text: that of its first letter.
function direction(text) {
  const letter = text.match(/\p{L}/u);
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}

// Make an element: its properties, then its children.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
