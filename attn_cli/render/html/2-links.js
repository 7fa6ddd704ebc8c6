// Both sentences, with curves between the words that are linked.
//
// On one line each where they fit, source above target; else one word a line, source left of
// target.

const SVG = "http://www.w3.org/2000/svg";
const SIDES = ["source", "target"];
const SIDE_NAMES = isSelf
  ? { source: "Words that are read", target: "Words that read" }
  : { source: "Source words", target: "Target words" };
const SIZES = [29, 25, 21, 18]; // of words, in pixels
const NARROWEST_LETTER = 0.42; // of the size; a line of text is hardly ever narrower
const LABEL_PADDING = 14; // around a word, in pixels
const LABEL_FROM = 20; // weights, in thousandths, that a partner of a word is labeled with

const stage = byId("stage");
let words = { source: [], target: [] }; // the buttons of the pair's words
let curves = new Map(); // cell → path
let svg = null;

// Draw the words of a pair; its curves follow.
function drawWords(pair) {
  words = { source: [], target: [] };
  curves = new Map();
  stage.className = "";
  stage.textContent = "";
  for (const side of SIDES) {
    const texts = pair[side];
    const row = make("div", {
      className: `words ${side}`,
      role: "group",
      "aria-label": SIDE_NAMES[side],
      dir: direction(texts.join(" ")),
      lang: info.languages[side] || "",
    });
    texts.forEach((text, index) => row.append(makeWord(pair, side, text, index)));
    stage.append(row);
  }
  svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  stage.append(svg);
  arrange();
}

function makeWord(pair, side, text, index) {
  const label = make("bdi", {}, text);
  const button = make("button", { className: "word", type: "button" }, label);
  button.append(make("span", { className: "weight", "aria-hidden": "true" }));
  const isGlued = index + 1 < pair[side].length && !/\s$/.test(pair[side[0]][index]);
  if (isGlued && !pair[side[0].toUpperCase()]) button.classList.add("glued");
  if (side === "target" && pair.u && pair.u.includes(index)) {
    button.classList.add("unsure");
    button.append(make("span", { className: "mark", title: "low probability" }, "?"));
    button.setAttribute("aria-description", "low probability");
  }
  button.dataset.side = side;
  button.dataset.index = index;
  button.tabIndex = side === "source" && index === 0 ? 0 : -1;
  words[side].push(button);
  return button;
}

// Choose rows or columns by the room there is, then put the curves where the words are.
function arrange() {
  const longest = Math.max(words.source.length, words.target.length);
  const largest = longest <= 6 ? 0 : longest <= 10 ? 1 : 2;
  stage.classList.remove("columns");
  const width = stage.clientWidth;
  const isFitting = SIZES.slice(largest).some((size) => {
    if (SIDES.some((side) => narrowest(words[side], size) > width)) return false; // without layout
    stage.style.setProperty("--size", `${size}px`);
    return [...stage.querySelectorAll(".words")].every((row) => row.scrollWidth <= width);
  });
  stage.classList.toggle("columns", !isFitting);
  stage.classList.toggle("long", longest > 24);
  place();
}

// About the least width of a row of words.
function narrowest(row, size) {
  const letters = row.reduce((sum, word) => sum + word.firstChild.textContent.length, 0);
  return letters * NARROWEST_LETTER * size + row.length * LABEL_PADDING;
}

// Put every curve where its words are.
function place() {
  if (!curves.size) return;
  const frame = stage.getBoundingClientRect();
  svg.setAttribute("width", frame.width);
  svg.setAttribute("height", frame.height);
  const boxes = {};
  for (const side of SIDES) {
    boxes[side] = words[side].map((word) => word.firstChild.getBoundingClientRect());
  }
  const S = words.source.length;
  for (const [cell, path] of curves) {
    const from = boxes.source[cell % S];
    const to = boxes.target[Math.floor(cell / S)];
    path.setAttribute("d", curve(frame, from, to, stage.classList.contains("columns")));
  }
}

// A curve between two words: from side to side in columns, else from below to above.
function curve(frame, from, to, isColumns) {
  const point = (x, y) => `${(x - frame.left).toFixed(1)} ${(y - frame.top).toFixed(1)}`;
  if (isColumns) {
    const x1 = from.right + 12;
    const y1 = (from.top + from.bottom) / 2;
    const x2 = to.left - 12;
    const y2 = (to.top + to.bottom) / 2;
    const bend = (x2 - x1) * 0.45;
    return `M${point(x1, y1)} C${point(x1 + bend, y1)} ${point(x2 - bend, y2)} ${point(x2, y2)}`;
  }
  const x1 = (from.left + from.right) / 2;
  const y1 = from.bottom + 7;
  const x2 = (to.left + to.right) / 2;
  const y2 = to.top - 7;
  const bend = (y2 - y1) * 0.55;
  return `M${point(x1, y1)} C${point(x1, y1 + bend)} ${point(x2, y2 - bend)} ${point(x2, y2)}`;
}

// Draw the curves of links: a map of cell → kind, "link", or "hit", "extra", "miss" with gold.
function drawCurves(pair, table, kinds) {
  svg.textContent = "";
  curves = new Map();
  const cells = [...kinds.keys()].sort((a, b) => weightAt(table, a) - weightAt(table, b));
  for (const cell of cells) addCurve(table, cell, kinds.get(cell));
  for (const side of SIDES) {
    words[side].forEach((word, index) => {
      const isLinked = cells.some((cell) => indexOf(pair, cell, side) === index);
      word.classList.toggle("unlinked", !isLinked);
    });
  }
  place();
}

const weightAt = (table, cell) => (table ? table.weights[cell] : 0);

const indexOf = (pair, cell, side) =>
  side === "source" ? cell % pair.s.length : Math.floor(cell / pair.s.length);

function addCurve(table, cell, kind) {
  const weight = weightAt(table, cell);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", `curve ${kind}`);
  if (kind === "link" || kind === "faint") {
    path.style.stroke = `rgb(${heat(Math.max(weight / 1000, info.colors[0][0])).join(" ")})`;
  }
  path.style.strokeWidth = (1.25 + (2.5 * weight) / 1000).toFixed(2);
  svg.append(path);
  curves.set(cell, path);
}

// Light a word and its partners; `null` lights all. Returns the partners: [{index, weight}].
function light(pair, table, focus) {
  for (const path of [...curves.values()]) {
    path.classList.remove("on", "off");
    if (path.classList.contains("faint")) path.remove();
  }
  for (const [cell, path] of [...curves]) if (!path.isConnected) curves.delete(cell);
  for (const word of [...words.source, ...words.target]) {
    word.classList.remove("focus", "partner", "off");
    const label = word.querySelector(".weight");
    label.textContent = "";
    word.firstChild.removeAttribute("style");
  }
  stage.classList.toggle("lit", Boolean(focus));
  if (!focus || !table) return [];
  const other = focus.side === "source" ? "target" : "source";
  const partners = partnersOf(pair, table, focus);
  words[focus.side].forEach((word, index) => {
    word.classList.add(index === focus.index ? "focus" : "off");
  });
  words[other].forEach((word, index) => {
    const weight = partners[index];
    const isPartner = weight >= LABEL_FROM;
    word.classList.add(isPartner ? "partner" : "off");
    if (!isPartner) return;
    paint(word.firstChild, weight);
    word.querySelector(".weight").textContent = formatWeight(weight);
  });
  for (const [cell, path] of curves) {
    path.classList.add(indexOf(pair, cell, focus.side) === focus.index ? "on" : "off");
  }
  partners.forEach((weight, index) => {
    const cell = focus.side === "source" ? index * pair.s.length + focus.index
      : focus.index * pair.s.length + index;
    if (weight >= LABEL_FROM && !curves.has(cell)) {
      addCurve(table, cell, "faint");
      curves.get(cell).classList.add("on");
    }
  });
  place();
  return partners.map((weight, index) => ({ index, weight })).filter((each) => each.weight >= 5)
    .sort((a, b) => b.weight - a.weight);
}

// The weights between a word and every word of the other side.
function partnersOf(pair, table, { side, index }) {
  const S = pair.s.length;
  if (side === "target") return [...table.weights.subarray(index * S, (index + 1) * S)];
  return pair.t.map((_, t) => table.weights[t * S + index]);
}
