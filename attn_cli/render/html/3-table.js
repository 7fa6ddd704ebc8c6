// The weights as a table: target words down, source words across, heat behind.
//
// It is a real table, so that screen readers read it cell by cell with both words.

const NUMBERS_FROM = 40; // pixels of a column that has room for numbers
const NARROWEST = 15;
const WIDEST = 74;
const WORD_SIZE = 8.6; // about the width of a letter in a heading

let cells = []; // of the table, row by row

// Draw the table of a pair.
function drawTable(pair, table, caption) {
  const holder = byId("table");
  holder.textContent = "";
  cells = [];
  if (!table) return;
  const unalignedName = info.unaligned[headsView];
  const hasUnaligned = table.unaligned && table.unaligned.some((mass) => mass >= info.unalignedFrom);
  const size = measure(pair, holder.clientWidth, hasUnaligned);
  const body = make("tbody");
  const head = make("tr", {}, make("td", { className: "corner" }));
  pair.source.forEach((word, s) => head.append(heading(word, "source", s, "col")));
  if (hasUnaligned) head.append(make("th", { scope: "col", className: "unaligned" }, unalignedName));
  pair.target.forEach((word, t) => {
    const row = make("tr", {}, heading(word, "target", t, "row"));
    pair.source.forEach((_, s) => {
      const cell = isMasked(s, t) ? make("td", { className: "masked" })
        : makeCell(table.weights[t * pair.s.length + s]);
      cells.push(cell);
      row.append(cell);
    });
    if (hasUnaligned) {
      const mass = formatWeight(table.unaligned[t]);
      row.append(make("td", { className: "unaligned" }, mass));
    }
    body.append(row);
  });
  const element = make("table", { className: size.classes }, make("caption", { className: "hidden" }, caption));
  element.dir = direction(pair.source.join(" "));
  element.style.setProperty("--cell", `${size.cell}px`);
  element.style.setProperty("--height", `${size.height}px`);
  element.style.setProperty("--above", `${size.above}px`);
  element.style.setProperty("--lean", `${size.lean}px`);
  element.append(make("thead", {}, head), body);
  holder.append(element);
  const isScrolling = holder.scrollWidth > holder.clientWidth + 1;
  for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "Table, scrolls"]]) {
    if (isScrolling) holder.setAttribute(name, value);
    else holder.removeAttribute(name);
  }
}

function heading(word, side, index, scope) {
  const cell = make("th", { scope, lang: info.languages[side] || "" });
  cell.append(make("span", {}, make("bdi", {}, word)));
  cell.dataset.side = side;
  cell.dataset.index = index;
  return cell;
}

function makeCell(weight) {
  const cell = make("td", {}, make("span", {}, formatWeight(weight)));
  if (weight < 100) cell.classList.add("small");
  paint(cell, weight);
  return cell;
}

// Choose the width of columns, and whether their words lean and cells have numbers.
function measure(pair, width, hasUnaligned) {
  const length = (word) => [...word].reduce((sum, letter) => sum + (letter > "\u2e80" ? 16 : WORD_SIZE), 0);
  const label = Math.min(Math.max(...pair.target.map(length), 20) + 20, width * 0.34);
  const longest = Math.min(Math.max(...pair.source.map(length), 10), 220);
  const columns = pair.s.length + (hasUnaligned ? 1.3 : 0);
  const room = (width - label - 12) / Math.max(columns, 1);
  const isSlanted = longest + 12 > Math.min(room, WIDEST + 40);
  const lean = isSlanted ? longest * 0.72 : 0;
  const free = (width - label - 12 - lean * 0.8) / Math.max(columns, 1);
  const wanted = isSlanted ? free : Math.max(longest + 16, Math.min(room, WIDEST));
  const cell = Math.floor(Math.max(NARROWEST, Math.min(wanted, isSlanted ? WIDEST - 16 : WIDEST + 40)));
  const hasNumbers = cell >= NUMBERS_FROM;
  return {
    cell,
    height: hasNumbers ? 36 : Math.max(cell, 19),
    above: isSlanted ? longest * 0.72 + 18 : 30,
    lean,
    classes: [isSlanted && "slanted", !hasNumbers && "bare"].filter(Boolean).join(" "),
  };
}

// Ring the cells that are links: a map of cell → kind.
function ringCells(kinds) {
  cells.forEach((cell, number) => {
    const kind = kinds.get(number);
    if (cell.dataset.kind === kind) return;
    if (kind) cell.dataset.kind = kind;
    else delete cell.dataset.kind;
    cell.querySelector(".kind")?.remove();
    if (kind && kind !== "link") {
      cell.append(make("span", { className: "kind hidden" }, ` (${KIND_NAMES[kind]})`));
    }
  });
}

const KIND_NAMES = { hit: "as gold", extra: "not in gold", miss: "gold only" };

// Light the row or column of a word, or those of a cell.
function lightTable(pair, focus) {
  const holder = byId("table");
  const S = pair.s.length;
  for (const element of holder.querySelectorAll("th[data-side]")) {
    const { side, index } = element.dataset;
    element.classList.toggle("focus", Boolean(focus) && side === focus.side && Number(index) === focus.index);
  }
  cells.forEach((cell, number) => {
    const index = focus && focus.side === "source" ? number % S : Math.floor(number / S);
    cell.classList.toggle("off", Boolean(focus) && index !== focus.index);
  });
}
