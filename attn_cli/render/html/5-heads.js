// The heads as small pictures, layers down: the choice of the head that is shown.

const THUMBNAIL = 58; // pixels, of the longer side at least

// Draw the heads of a pair; none where it has none.
function drawHeads(pair) {
  const names = Object.keys(pair.w).filter(isHead);
  byId("heads-card").hidden = names.length === 0;
  const holder = byId("heads");
  holder.textContent = "";
  const layers = [...new Set(names.map((name) => name.split(".")[0]))];
  for (const layer of layers) {
    const row = make("div", { className: "layer", role: "presentation" });
    row.append(make("span", { className: "of-layer", "aria-hidden": "true" }, `layer ${layer}`));
    for (const name of names.filter((each) => each.split(".")[0] === layer)) {
      const button = make("button", { className: "head", type: "button", role: "radio" });
      button.dataset.view = name;
      button.append(picture(pair, tableOf(pair, name)), make("span", {}, `head ${name.split(".")[1]}`));
      button.setAttribute("aria-label", headName(name));
      row.append(button);
    }
    holder.append(row);
  }
  markHead();
}

const headName = (view) => {
  const [layer, head] = view.split(".");
  return `layer ${layer}, head ${head}`;
};

function picture(pair, table) {
  const S = Math.max(pair.s.length, 1);
  const T = Math.max(pair.t.length, 1);
  const size = Math.max(2, Math.floor(THUMBNAIL / Math.max(S, T)));
  const canvas = make("canvas", { width: S * size, height: T * size });
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  table.weights.forEach((weight, cell) => {
    if (weight < 5) return;
    const [red, green, blue] = heat(weight / 1000);
    const first = info.colors[0][0] * 1000;
    context.fillStyle = `rgb(${red} ${green} ${blue} / ${Math.min(1, 0.15 + (0.85 * weight) / first)})`;
    context.fillRect((cell % S) * size, Math.floor(cell / S) * size, size, size);
  });
  return canvas;
}

// Mark the head that is shown.
function markHead() {
  const buttons = [...byId("heads").querySelectorAll("button")];
  const chosen = buttons.find((button) => button.dataset.view === state.view);
  buttons.forEach((button, number) => {
    button.setAttribute("aria-checked", String(button === chosen));
    button.tabIndex = button === (chosen ?? buttons[0]) ? 0 : -1;
  });
}
