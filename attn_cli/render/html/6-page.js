// The page: what is shown of a pair.

const state = {
  pair: 0,
  view: info.view,
  minimum: null, // of a link, in thousandths; null until the slider is moved
  focus: null, // the word that is lit: {side, index}
  isPinned: false, // whether it stays lit when the pointer leaves
  hasTable: false, // whether tables are drawn yet
  isComplete: false, // whether all pairs are read
};

const VIEW_NAMES = {
  attention: "Attention",
  alignment: "Word aligner",
  "encoder self-attention": "Encoder self-attention",
  "decoder self-attention": "Decoder self-attention",
};

const current = () => pairs[state.pair];

// The view of a pair: the chosen one, or its own where it lacks that.
function viewOf(pair) {
  if (state.view in pair.w) return state.view;
  return info.view in pair.w ? info.view : Object.keys(pair.w)[0] ?? info.view;
}

const currentLinks = (pair) => linksOf(pair, viewOf(pair), state.minimum);

// Show a pair from its beginning.
function showPair(index) {
  state.pair = index;
  state.focus = null;
  state.isPinned = false;
  const pair = current();
  byId("pair").setAttribute("aria-label", `Sentence pair ${pair.n}`);
  drawWords(pair);
  drawHeads(pair);
  drawFacts(pair);
  showView();
  showPlace();
  markRow();
}

// Show the place of the pair in the list, and whether there is one before and behind it.
function showPlace() {
  const place = order.indexOf(state.pair);
  const all = state.isComplete ? count(order.length) : "…";
  byId("place").textContent = `${place < 0 ? "–" : count(place + 1)} / ${all}`;
  byId("previous").disabled = neighbor(-1) === undefined;
  byId("next").disabled = neighbor(1) === undefined;
}

const neighbor = (step) => {
  const place = order.indexOf(state.pair);
  return place < 0 ? order[0] : order[place + step];
};

// Show the chosen weights of the pair: views, table, links.
function showView() {
  const pair = current();
  const view = viewOf(pair);
  drawViews(pair, view);
  if (state.hasTable) drawTable(pair, tableOf(pair, view), tableCaption(pair, view));
  byId("table-note").textContent = pair.s.length && pair.t.length ? NOTES[isHead(view) ? "head" : view](view) : "";
  markHead();
  showLinks();
}

const NOTES = {
  attention: () => "Attention weights: what the decoder reads for each target word. A row sums to 1.",
  "encoder self-attention": () => "Self-attention of the encoder: what it reads for each word. A row sums to 1.",
  "decoder self-attention": () =>
    "Self-attention of the decoder: what it reads of the words before, up to each word. A row sums to 1.",
  alignment: () => "Word aligner: the probability that two words correspond.",
  head: (view) => `Attention weights of ${headName(view)}. A row sums to 1.`,
};

const tableCaption = (pair, view) =>
  `${isSelf ? "Weights of each word (rows) for each word (columns)" : "Weights of each target word (rows) for each source word (columns)"}, ${isHead(view) ? headName(view) : VIEW_NAMES[view]}`;

// Show the links at the current minimum.
function showLinks() {
  const pair = current();
  const view = viewOf(pair);
  const table = tableOf(pair, view);
  const links = currentLinks(pair);
  const isGold = Boolean(pair.sure) && byId("gold-on").checked;
  const kinds = new Map();
  if (isGold) {
    const { hits, extras, misses, counts } = compare(pair, links);
    hits.forEach((cell) => kinds.set(cell, "hit"));
    extras.forEach((cell) => kinds.set(cell, "extra"));
    misses.forEach((cell) => kinds.set(cell, "miss"));
    drawLegend(hits.size, extras.size, misses.size, errorRate(counts));
  } else {
    links.forEach((cell) => kinds.set(cell, "link"));
  }
  byId("legend").hidden = !isGold;
  if (isGold && pairs.length > 1 && state.isComplete) later("total", showTotal);
  drawCurves(pair, table, kinds);
  ringCells(kinds);
  showMinimum(view);
  byId("links-note").textContent = `${links.size} link${links.size === 1 ? "" : "s"}`;
  showFocus();
}

function drawLegend(hits, extras, misses, rate) {
  const legend = byId("legend");
  legend.replaceChildren(
    legendItem("hit", `${hits} as in gold`),
    legendItem("extra", `${extras} not in gold`),
    legendItem("miss", `${misses} only in gold`),
    make("li", { className: "rate" }, make("span", {}, `AER of this pair ${rate.toFixed(1)}`, make("span", { id: "total" }))),
  );
}

function legendItem(kind, text) {
  const line = document.createElementNS(SVG, "svg");
  line.setAttribute("width", 28);
  line.setAttribute("height", 8);
  line.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M2 4 H26");
  path.setAttribute("class", `curve ${kind}`);
  line.append(path);
  return make("li", {}, line, text);
}

function showMinimum(view) {
  const own = info.minimum[isHead(view) ? headsView : view] ?? 0;
  const value = state.minimum ?? own;
  byId("threshold").value = value;
  byId("threshold").style.setProperty("--part", `${value / 10}%`);
  byId("threshold-value").textContent = (value / 1000).toFixed(2);
  byId("threshold").setAttribute("aria-valuetext", (value / 1000).toFixed(2));
  byId("reset").hidden = state.minimum === null;
}

// The buttons for the pair's kinds of weights.
function drawViews(pair, view) {
  const kinds = Object.keys(VIEW_NAMES).filter((name) => name in pair.w);
  const holder = byId("views");
  holder.hidden = kinds.length < 2;
  holder.querySelectorAll("label").forEach((label) => label.remove());
  for (const kind of kinds) {
    const input = make("input", { type: "radio", name: "view", value: kind, checked: kind === view || (isHead(view) && kind === headsView) });
    holder.append(make("label", {}, input, make("span", {}, VIEW_NAMES[kind])));
  }
}

// What is known of the pair: its line, confidence and score.
function drawFacts(pair) {
  const facts = byId("facts");
  facts.replaceChildren();
  const add = (name, value, title) =>
    facts.append(make("span", { className: "fact", title }, make("span", {}, `${name} `), make("b", {}, value)));
  if (pairs.length > 1) add("line", count(pair.n), "");
  if (typeof pair.c === "number") add("confidence", pair.c.toFixed(2), "an estimate of the translation's chrF, 0 to 1");
  if (typeof pair.p === "number") add("score", pair.p.toFixed(2).replace("-", "−"), "log-probability of the target per subword");
}

// Light the word in focus and say what it is linked to.
function showFocus() {
  const pair = current();
  const table = tableOf(pair, viewOf(pair));
  const partners = light(pair, table, state.focus);
  lightTable(pair, state.focus);
  for (const word of [...words.source, ...words.target]) {
    word.setAttribute("aria-pressed", String(state.isPinned && word.classList.contains("focus")));
  }
  drawDetails(pair, table, partners);
}

function drawDetails(pair, table, partners) {
  const details = byId("details");
  details.replaceChildren();
  const focus = state.focus;
  if (!focus) {
    details.append(make("p", { className: "hint" }, hint(pair)));
    return;
  }
  const other = focus.side === "source" ? "target" : "source";
  const bdi = (text, side) => make("bdi", { lang: info.languages[side] || "" }, text);
  details.append(make("b", { className: "of" }, bdi(pair[focus.side][focus.index], focus.side)));
  const logp = focus.side === "target" && pair.b ? pair.b[focus.index] : null;
  if (typeof logp === "number") {
    details.append(make("span", { className: "fact" }, `probability ${Math.exp(logp).toFixed(2)}`));
  }
  const items = partners.slice(0, 6).map(({ index, weight }) => bar(bdi(pair[other][index], other), weight));
  const mass = focus.side === "target" && table?.unaligned ? table.unaligned[focus.index] : 0;
  if (mass >= 5) items.push(bar(make("i", {}, info.unaligned[headsView]), mass));
  if (items.length) details.append(make("ul", {}, ...items));
  else details.append(make("span", { className: "fact" }, "no partner"));
}

const hint = (pair) =>
  pair.t.length ? "Point at a word, tap it, or move to it with Tab and the arrow keys." : "The target is empty.";

function bar(name, weight) {
  const line = make("span", { className: "bar", "aria-hidden": "true" });
  line.style.width = `${Math.max(2, weight / 14)}px`;
  line.style.backgroundColor = `rgb(${heat(Math.max(weight / 1000, info.colors[0][0])).join(" ")})`;
  return make("li", {}, name, " ", line, make("span", { className: "value" }, formatWeight(weight)));
}

function chooseView(view) {
  state.view = view;
  showView();
  rearrangeLater();
}

const timers = {};

// Do what takes time once the reader's hand rests.
function later(name, run) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(run, 120);
}

// The error rate of all pairs at the current minimum, in the legend.
function showTotal() {
  const total = { proposed: 0, sure: 0, inSure: 0, inPossible: 0 };
  for (const pair of pairs) {
    const { counts } = compare(pair, currentLinks(pair));
    for (const name of Object.keys(total)) total[name] += counts[name];
  }
  const place = byId("total");
  if (place) place.textContent = `, of all ${errorRate(total).toFixed(1)}`;
}

// Sort and filter again, where links count in it.
function rearrangeLater() {
  const byLinks = ["unlinked", "errors"].includes(byId("filter").value) || ["unlinked", "aer"].includes(byId("sort").value);
  if (!byLinks) return;
  later("list", () => {
    arrangeList();
    showPlace();
  });
}

// Lay out again for another width of the window.
function redraw() {
  if (!pairs.length) return;
  arrange();
  redrawTable();
  if (pairs.length > 1) drawRows();
}

function redrawTable() {
  const pair = current();
  state.hasTable = true;
  drawTable(pair, tableOf(pair, viewOf(pair)), tableCaption(pair, viewOf(pair)));
  showLinks();
}
