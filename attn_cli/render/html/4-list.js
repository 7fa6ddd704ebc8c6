// The list of sentence pairs: searched, filtered, sorted; only the rows in view are elements.

const ROW = 62; // pixels

const list = byId("list");
const runway = byId("runway");
let order = []; // the pairs of the list, by index
const rows = new Map(); // place in the list → element

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const searched = new WeakMap();

function matches(pair, query) {
  if (!searched.has(pair)) searched.set(pair, plain(`${pair.sourceText}\n${pair.targetText}`));
  return searched.get(pair).includes(query);
}

// What a pair counts for in a filter or a sort; by links as they are now.
const measures = {
  length: (pair) => pair.s.length + pair.t.length,
  score: (pair) => pair.p ?? null,
  confidence: (pair) => pair.c ?? null,
  unlinked: (pair) => countUnlinked(pair, currentLinks(pair)),
  aer: (pair) => (pair.sure ? errorRate(compare(pair, currentLinks(pair)).counts) : null),
};

const FILTERS = [
  ["all", "All pairs", () => true],
  ["unsure", "With unsure words", (pair) => Boolean(pair.u && pair.u.length)],
  ["unlinked", "With words without a link", (pair) => measures.unlinked(pair) > 0],
  ["errors", "Different from gold", (pair) => measures.aer(pair) > 0],
];

const SORTS = [
  ["line", "In order", null, 1],
  ["longest", "Longest", "length", -1],
  ["shortest", "Shortest", "length", 1],
  ["doubtful", "Least confident", "confidence", 1],
  ["confident", "Most confident", "confidence", -1],
  ["low", "Lowest score", "score", 1],
  ["high", "Highest score", "score", -1],
  ["unlinked", "Most words without a link", "unlinked", -1],
  ["aer", "Highest error rate", "aer", -1],
];

// Offer the filters and sorts that the pairs have something for.
function prepareList() {
  const has = {
    confidence: pairs.some((pair) => typeof pair.c === "number"),
    score: pairs.some((pair) => typeof pair.p === "number"),
    aer: Boolean(gold),
    length: true,
    unlinked: true,
  };
  const canFilter = { all: true, unlinked: true, unsure: pairs.some((pair) => pair.u?.length), errors: has.aer };
  offer(byId("filter"), FILTERS.filter(([value]) => canFilter[value]));
  offer(byId("sort"), SORTS.filter(([, , measure]) => !measure || has[measure]));
}

// Give a select these options; the chosen one stays.
function offer(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

// Search, filter and sort.
function arrangeList() {
  const query = plain(byId("search").value.trim());
  const [, , passes] = FILTERS.find(([value]) => value === byId("filter").value);
  const [, , measure, sign] = SORTS.find(([value]) => value === byId("sort").value);
  order = pairs.filter((pair) => (!query || matches(pair, query)) && passes(pair)).map((pair) => pair.index);
  if (measure) {
    const values = new Map(order.map((index) => [index, measures[measure](pairs[index])]));
    const value = (index) => values.get(index) ?? Infinity * sign; // what is unknown comes last
    order.sort((a, b) => (value(a) - value(b)) * sign || a - b);
  }
  const all = count(pairs.length);
  const text = order.length === pairs.length ? `${all} pairs` : `${count(order.length)} of ${all} pairs`;
  byId("count").textContent = state.isComplete ? text : "…";
  runway.style.height = `${order.length * ROW}px`;
  for (const row of rows.values()) row.remove();
  rows.clear();
  drawRows();
}

// Draw the rows that are in view, and a few more.
function drawRows() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const last = Math.min(order.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4);
  for (const [place, row] of rows) {
    if (place < first || place >= last) {
      row.remove();
      rows.delete(place);
    }
  }
  for (let place = first; place < last; place++) {
    if (!rows.has(place)) {
      rows.set(place, makeRow(place));
      runway.append(rows.get(place));
    }
  }
  markRow();
}

function makeRow(place) {
  const pair = pairs[order[place]];
  const row = make("div", { className: "row", id: `row-${pair.index}`, role: "option" });
  row.setAttribute("aria-setsize", order.length);
  row.setAttribute("aria-posinset", place + 1);
  row.style.transform = `translateY(${place * ROW}px)`;
  row.dataset.pair = pair.index;
  const facts = make("span", { className: "number" }, String(pair.n));
  if (typeof pair.c === "number") {
    const dot = make("span", { className: "dot" });
    dot.title = `confidence ${pair.c.toFixed(2)}`;
    dot.style.setProperty("--confidence", pair.c);
    facts.append(dot);
  }
  row.append(facts, make("bdi", { className: "line", dir: direction(pair.sourceText) }, pair.sourceText));
  if (!isSelf) {
    row.append(make("bdi", { className: "line target", dir: direction(pair.targetText) }, pair.targetText));
  }
  if (pair.u?.length) row.classList.add("has-unsure");
  return row;
}

// Mark the row of the pair that is shown.
function markRow() {
  for (const row of rows.values()) {
    row.setAttribute("aria-selected", String(Number(row.dataset.pair) === state.pair));
  }
  const shown = [...rows.values()].find((row) => Number(row.dataset.pair) === state.pair);
  if (shown) list.setAttribute("aria-activedescendant", shown.id);
  else list.removeAttribute("aria-activedescendant");
}

// Scroll the list so that the pair that is shown is in view.
function revealRow() {
  const place = order.indexOf(state.pair);
  if (place < 0) return;
  const top = place * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows();
}
