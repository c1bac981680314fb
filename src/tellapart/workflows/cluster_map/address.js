// The state of the map stands behind the # of the address: it can be shared, and opened again.
// colour=label  hide=0,3  find=text  pin=12  hover=12  view=x,y,zoom  pictures=1  mode=lasso  rect=x0,y0,x1,y1 (selects, in units of the map)
const numbers = (text) => (text || "").split(",").filter(Boolean).map(Number).filter(Number.isFinite);
const asRow = (text) => (text !== null && Number.isInteger(Number(text)) && data.uri[Number(text)] !== undefined ? Number(text) : -1);

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (fields.has(asked.get("colour"))) setColour(asked.get("colour"));
  state.hidden = new Set(numbers(asked.get("hide")));
  $("map-find").value = asked.get("find") || "";
  find($("map-find").value);
  state.pictures = $("map-pictures").checked = asked.get("pictures") === "1";
  if (["move", "rectangle", "lasso"].includes(asked.get("mode"))) setMode(asked.get("mode"));
  const [x, y, zoom] = numbers(asked.get("view"));
  if (zoom > 0) state.view = { x, y, zoom: clamp(zoom, 0.5, 200) };
  pin(asRow(asked.get("pin")));
  hover(asRow(asked.get("hover")));
  const [x0, y0, x1, y1] = numbers(asked.get("rect"));
  if (y1 !== undefined) select(rowsWhere((i) => data.x[i] >= x0 && data.x[i] <= x1 && data.y[i] >= y0 && data.y[i] <= y1), "only");
  legend();
}

let written = location.hash;
function toAddress() {
  const { view } = state;
  const said = [["colour", state.colour]];
  if (state.hidden.size) said.push(["hide", [...state.hidden].join(",")]);
  if (state.found) said.push(["find", encodeURIComponent($("map-find").value)]);
  if (state.pinned >= 0) said.push(["pin", state.pinned]);
  if (state.pictures) said.push(["pictures", 1]);
  if (view.zoom !== 1 || view.x || view.y) said.push(["view", [view.x.toFixed(3), view.y.toFixed(3), view.zoom.toFixed(2)].join(",")]);
  written = `#${said.map((pair) => pair.join("=")).join("&")}`;
  try {
    history.replaceState(null, "", written);
  } catch {
    // Browsers refuse hundreds of changes in a few seconds; the next one will do.
  }
}

let later = 0;
const toAddressSoon = () => {
  clearTimeout(later);
  later = setTimeout(toAddress, 400);
};
