// What the page is about, and the few things every part of it needs.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("map-data").textContent);
const n = data.uri.length;
const fields = new Map(data.fields.map((field) => [field.key, field]));

// File names and labels only ever become text, never markup.
function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const counted = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
const valueOf = (field, i) => (field.of[i] < 0 ? field.none : field.names[field.of[i]]);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Everything a person can change. Rows are numbers from 0; `view` is the middle of the map and its magnification.
const state = {
  colour: data.fields[0].key,
  hidden: new Set(), // categories of the colouring that are not shown, -1 for none
  hover: -1,
  pinned: -1,
  found: null, // rows whose name holds the search text, null without one
  selected: new Set(),
  notes: new Map(), // row -> {action, value}
  pictures: false,
  mode: "move",
  view: { x: 0, y: 0, zoom: 1 },
};

const isShown = (i) => !state.hidden.has(fields.get(state.colour).of[i]);
const changed = new Set(); // functions to call after any change
let waiting = false;

function refresh() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const show of changed) show();
  });
}
