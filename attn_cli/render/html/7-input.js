// What the reader does: pointer, keyboard, controls, list.

function setFocus(focus, isPinned) {
  if (JSON.stringify(focus) === JSON.stringify(state.focus) && isPinned === state.isPinned) return;
  state.focus = focus;
  state.isPinned = isPinned;
  showFocus();
}

const targetOf = (event) => event.target.closest?.("[data-side]");
const focusOf = (element) => ({ side: element.dataset.side, index: Number(element.dataset.index) });
const isFocus = (focus) => state.focus && focus.side === state.focus.side && focus.index === state.focus.index;

// Pointing lights a word; a click or a tap pins it, or frees it.
function listenToWords() {
  for (const holder of [stage, byId("table")]) {
    holder.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch" || state.isPinned) return;
      const element = targetOf(event);
      if (element) setFocus(focusOf(element), false);
      else if (event.target.closest("td")) hoverCell(event.target.closest("td"));
    });
    holder.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch" && !state.isPinned) setFocus(null, false);
    });
    holder.addEventListener("click", (event) => {
      const element = targetOf(event) ?? rowOf(event.target.closest("td"));
      if (!element) return setFocus(null, false);
      const focus = focusOf(element);
      if (isFocus(focus) && state.isPinned) setFocus(null, false);
      else setFocus(focus, true);
    });
  }
  stage.addEventListener("focusin", (event) => {
    const element = targetOf(event);
    if (!element) return;
    [...words.source, ...words.target].forEach((word) => (word.tabIndex = word === element ? 0 : -1));
    if (element.matches(":focus-visible")) setFocus(focusOf(element), false);
  });
  stage.addEventListener("focusout", () => {
    if (!state.isPinned) setFocus(null, false);
  });
  stage.addEventListener("keydown", moveFocus);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (byId("list-panel").classList.contains("open")) openList(false);
      else setFocus(null, false);
    }
  });
}

const rowOf = (cell) => cell && cell.parentElement.querySelector("th");

function hoverCell(cell) {
  const row = rowOf(cell);
  if (row && row.dataset.side) setFocus(focusOf(row), false);
}

// Arrow keys: along the sentence, and to the other one.
function moveFocus(event) {
  const element = targetOf(event);
  if (!element) return;
  const { side, index } = focusOf(element);
  const isColumns = stage.classList.contains("columns");
  const isReversed = element.parentElement.dir === "rtl" && !isColumns;
  const [back, on, before, after] = isColumns
    ? ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]
    : ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  let next = null;
  if (event.key === back) next = words[side][index + (isReversed ? 1 : -1)];
  else if (event.key === on) next = words[side][index + (isReversed ? -1 : 1)];
  else if (event.key === "Home") next = words[side][0];
  else if (event.key === "End") next = words[side][words[side].length - 1];
  else if (event.key === after && side === "source") next = partnerWord("source", index);
  else if (event.key === before && side === "target") next = partnerWord("target", index);
  else return;
  event.preventDefault();
  if (!next) return;
  state.isPinned = false;
  next.focus({ focusVisible: true });
  next.scrollIntoView({ block: "nearest" });
}

// The heaviest partner of a word.
function partnerWord(side, index) {
  const table = tableOf(current(), viewOf(current()));
  const other = words[side === "source" ? "target" : "source"];
  if (!table) return other[0];
  const weights = partnersOf(current(), table, { side, index });
  return other[weights.indexOf(Math.max(...weights))];
}

function listenToControls() {
  byId("threshold").addEventListener("input", (event) => {
    state.minimum = Number(event.target.value);
    showLinks();
    rearrangeLater();
  });
  byId("reset").addEventListener("click", () => {
    state.minimum = null;
    showLinks();
    rearrangeLater();
    byId("threshold").focus();
  });
  byId("gold-on").addEventListener("change", showLinks);
  byId("views").addEventListener("change", (event) => {
    chooseView(event.target.value);
    byId("views").querySelector("input:checked").focus();
  });
  byId("heads").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) chooseView(button.dataset.view === state.view ? headsView : button.dataset.view);
  });
  byId("heads").addEventListener("keydown", (event) => {
    const buttons = [...byId("heads").querySelectorAll("button")];
    const at = buttons.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    chooseView(next.dataset.view);
    next.focus();
  });
  byId("theme").addEventListener("click", changeTheme);
}

const THEMES = [["", "as the system", "◐"], ["light", "light", "☀"], ["dark", "dark", "☾"]];

function changeTheme() {
  const root = document.documentElement;
  const at = THEMES.findIndex(([name]) => name === (root.dataset.theme ?? ""));
  const [name, label, sign] = THEMES[(at + 1) % THEMES.length];
  if (name) root.dataset.theme = name;
  else delete root.dataset.theme;
  byId("theme").setAttribute("aria-label", `Colors: ${label}`);
  byId("theme").firstElementChild.textContent = sign;
}

function openList(isOpen) {
  byId("list-panel").classList.toggle("open", isOpen);
  byId("open-list").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) {
    drawRows();
    revealRow();
    byId("search").focus();
  } else if (byId("list-panel").contains(document.activeElement)) byId("open-list").focus();
}

function listenToList() {
  const changed = () => {
    list.scrollTop = 0;
    arrangeList();
    if (order.length && !order.includes(state.pair)) showPair(order[0]);
    else showPair(state.pair);
  };
  byId("search").addEventListener("input", changed);
  byId("filter").addEventListener("change", changed);
  byId("sort").addEventListener("change", changed);
  list.addEventListener("scroll", drawRows, { passive: true });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    showPair(Number(row.dataset.pair));
    openList(false);
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter") openList(false);
    const step = steps[event.key];
    if (step === undefined || !order.length) return;
    event.preventDefault();
    const place = Math.max(0, Math.min(order.length - 1, order.indexOf(state.pair) + step));
    showPair(order[place]);
    revealRow();
  });
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => {
      const next = neighbor(step);
      if (next === undefined) return;
      showPair(next);
      revealRow();
    });
  }
  byId("open-list").addEventListener("click", () => openList(!byId("list-panel").classList.contains("open")));
}
