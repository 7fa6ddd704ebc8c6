// Begin: the first pair, then its table, then the other pairs.
//
// The browser paints between these, so that it shows the first pair before it reads the others.

const SLICE = 8; // milliseconds of reading between two paints

function start() {
  byId("model").textContent = info.model;
  readBlock();
  if (!pairs.length) {
    byId("pair").hidden = true;
    byId("empty").hidden = false;
    document.body.removeAttribute("aria-busy");
    return;
  }
  byId("gold-switch").hidden = !info.hasGold;
  if (pairs.length > 1) {
    byId("list-panel").hidden = false;
    byId("steps").hidden = false;
    document.body.classList.add("many");
    prepareList();
    arrangeList();
  } else {
    const { sourceText, targetText } = current();
    document.title = isSelf ? sourceText : `${sourceText} → ${targetText}`;
  }
  listenToWords();
  listenToControls();
  listenToList();
  if (!info.hasGold) showPair(0);
  performance.mark("first pair");
  document.addEventListener("DOMContentLoaded", () => {
    gold = JSON.parse(byId("gold").textContent);
    if (info.hasGold) showPair(0);
    afterPaint(showRest);
  });
}

// Run once the browser has painted what is there.
function afterPaint(run) {
  requestAnimationFrame(() => setTimeout(run));
}

// Show the table, and the list of all pairs once they are read.
function showRest() {
  redrawTable();
  let width = stage.clientWidth;
  new ResizeObserver(() => {
    if (stage.clientWidth === width) return;
    width = stage.clientWidth;
    redraw();
  }).observe(stage);
  matchMedia("print").addEventListener("change", redraw); // a sheet has another width
  document.fonts?.ready.then(place);
  readOn();
}

// Read blocks for a while, then let the browser paint and answer.
function readOn() {
  const end = performance.now() + SLICE;
  let isRead = true;
  while (isRead && performance.now() < end) isRead = readBlock();
  if (isRead) setTimeout(readOn);
  else complete();
}

// All pairs are read.
function complete() {
  state.isComplete = true;
  if (pairs.length > 1) {
    prepareList();
    arrangeList();
    showPlace();
    if (gold) showLinks(); // with the error rate of all pairs
  }
  document.body.removeAttribute("aria-busy");
  performance.mark("complete");
}

start();
