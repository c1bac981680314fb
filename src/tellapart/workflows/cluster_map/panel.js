// Beside the map: the legend, the picture under the pointer, the pinned one, the selection and what to do with it.
const tip = $("map-tip");

function describe(i) {
  const list = make("dl");
  const say = (name, value) => list.append(make("dt", name), make("dd", value));
  for (const field of data.fields) if (!field.banded) say(field.title, valueOf(field, i));
  if (data.confidence) say("confidence", data.confidence[i].toFixed(3));
  if (data.distance[i] !== null) say("distance", `${data.distance[i].toFixed(2)} (1: usual in its cluster)`);
  return list;
}

function hover(i) {
  if (i === state.hover) return;
  state.hover = i;
  canvas.style.cursor = i >= 0 ? "pointer" : "";
  refresh();
}

function showTip() {
  const i = state.hover;
  tip.hidden = i < 0 || !isShown(i) || pointers.size > 0;
  if (tip.hidden) return (tip.dataset.row = "");
  if (tip.dataset.row !== String(i)) {
    for (const old of tip.querySelectorAll("canvas")) strips.delete(old);
    const field = fields.get(state.colour);
    tip.replaceChildren(pictureElement(i, 128), make("b", valueOf(field, i)), make("small", data.uri[i]));
    tip.dataset.row = String(i);
  }
  const [x, y] = [screenX(data.x[i]), screenY(data.y[i])];
  tip.style.left = `${clamp(x + 16 + tip.offsetWidth > size.width ? x - tip.offsetWidth - 14 : x + 16, 2, size.width)}px`;
  tip.style.top = `${clamp(y - tip.offsetHeight / 2, 2, Math.max(2, size.height - tip.offsetHeight - 2))}px`;
}

function pin(i, { look = false } = {}) {
  state.pinned = i;
  if (i >= 0 && look) bringIntoSight(i);
  const box = $("map-pinned");
  for (const old of box.querySelectorAll("canvas")) strips.delete(old);
  if (i < 0) box.replaceChildren(make("p", "Click a point, or press n for the next one.", { class: "soft" }));
  else box.replaceChildren(pictureElement(i, 192), make("p", data.uri[i], { class: "uri" }), describe(i));
  if (i >= 0) $("map-said").textContent = data.fields.map((field) => `${field.title} ${valueOf(field, i)}`).join(", ");
  refresh();
}

function legend() {
  const field = fields.get(state.colour);
  const counts = new Map();
  for (const category of field.of) counts.set(category, (counts.get(category) || 0) + 1);
  const order = [...field.names.keys(), -1].filter((category) => counts.has(category));
  const entries = order.map((category) => {
    const entry = make("label");
    const box = make("input", "", { type: "checkbox" });
    box.checked = !state.hidden.has(category);
    box.addEventListener("change", () => {
      state.hidden[box.checked ? "delete" : "add"](category);
      refresh();
    });
    const mark = stamp(field, category, 6, 2);
    const shown = make("canvas", "", { width: mark.width, height: mark.height, class: "mark", "aria-hidden": "true" });
    shown.getContext("2d").drawImage(mark, 0, 0);
    const only = make("button", "only", { type: "button", title: "Show this one alone" });
    only.addEventListener("click", (event) => {
      event.preventDefault();
      state.hidden = new Set(order.filter((other) => other !== category));
      legend();
    });
    const name = category < 0 ? field.none : field.names[category];
    entry.append(box, shown, make("span", name), make("small", counts.get(category).toLocaleString("en")), only);
    return entry;
  });
  $("map-legend").replaceChildren(...entries);
  refresh();
}

function setColour(key) {
  state.colour = key;
  state.hidden = new Set();
  $("map-colour").value = key;
  tip.dataset.row = "";
  legend();
}

function setMode(mode) {
  state.mode = mode;
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  canvas.dataset.mode = mode;
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  state.found = wanted ? new Set([...data.uri.keys()].filter((i) => data.uri[i].toLowerCase().includes(wanted))) : null;
  $("map-found").textContent = state.found ? `${counted(state.found.size, "image")} found` : "";
  refresh();
}

function select(rows, how) {
  if (how === "only") state.selected = new Set();
  for (const row of rows) state.selected[how === "take" ? "delete" : "add"](row);
  showSelection();
}

const MOST_SHOWN = 60;
function showSelection() {
  const { selected, notes } = state;
  $("map-selected").textContent = `${counted(selected.size, "image")} selected, ${counted(notes.size, "image")} noted`;
  for (const old of $("map-strip").querySelectorAll("canvas")) strips.delete(old);
  const shown = [...selected].slice(0, MOST_SHOWN).map((i) => pictureButton(i));
  if (selected.size > MOST_SHOWN) shown.push(make("span", `and ${(selected.size - MOST_SHOWN).toLocaleString("en")} more`));
  $("map-strip").replaceChildren(...shown);
  for (const id of ["map-note", "map-clear"]) $(id).disabled = !selected.size;
  $("map-save").disabled = !selected.size && !notes.size;
  refresh();
}

function pictureButton(i) {
  const button = make("button", "", { type: "button", class: "shot", title: data.uri[i] });
  if (!hasPicture(i)) button.setAttribute("aria-label", data.uri[i]);
  button.append(pictureElement(i, 64));
  button.addEventListener("click", () => pin(i, { look: true }));
  button.addEventListener("pointerenter", () => hover(i));
  button.addEventListener("pointerleave", () => hover(-1));
  return button;
}
