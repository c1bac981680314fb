// The map itself: where things are on the screen, and drawing them.
const canvas = $("map-canvas");
const context = canvas.getContext("2d");
const size = { width: 0, height: 0, ratio: 1 };
const PICTURE = 44;
let ink = "#000"; // of rings: the page's own, dark or light
let drag = null; // what a pointer is drawing: {kind: "rectangle" | "lasso", points: [[x, y], …]} on the screen

const extent = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0.25); // the middle of the map is at 0
const [wide, high] = [extent(data.x), extent(data.y)];
const pixels = () => 0.45 * Math.min(size.width / wide, size.height / high) * state.view.zoom; // per unit of the map
const screenX = (x) => (x - state.view.x) * pixels() + size.width / 2;
const screenY = (y) => (state.view.y - y) * pixels() + size.height / 2;
const mapX = (x) => (x - size.width / 2) / pixels() + state.view.x;
const mapY = (y) => state.view.y - (y - size.height / 2) / pixels();

function radius() {
  const base = clamp(7.2 - 1.15 * Math.log10(n + 1), 2.2, 6.5);
  return Math.round(2 * clamp(base * state.view.zoom ** 0.35, 2, 9)) / 2;
}

function fit() {
  state.view = { x: 0, y: 0, zoom: 1 };
  refresh();
}

// Zoom so that what lies at (x, y) on the screen stays there.
function zoomAt(factor, x, y) {
  const [left, top] = [mapX(x), mapY(y)];
  state.view.zoom = clamp(state.view.zoom * factor, 0.5, 200);
  state.view.x += left - mapX(x);
  state.view.y += top - mapY(y);
  refresh();
}

function pan(dx, dy) {
  state.view.x = clamp(state.view.x - dx / pixels(), -1.5, 1.5);
  state.view.y = clamp(state.view.y + dy / pixels(), -1.5, 1.5);
  refresh();
}

function bringIntoSight(i) {
  const [x, y] = [screenX(data.x[i]), screenY(data.y[i])];
  if (x < 30 || y < 30 || x > size.width - 30 || y > size.height - 30) [state.view.x, state.view.y] = [data.x[i], data.y[i]];
}

// The shown point nearest to a place on the screen, within `reach` pixels; -1 for none.
function pointAt(x, y, reach = 14) {
  let [best, nearest] = [reach * reach, -1];
  for (let i = 0; i < n; i++) {
    if (!isShown(i)) continue;
    const distance = (screenX(data.x[i]) - x) ** 2 + (screenY(data.y[i]) - y) ** 2;
    if (distance < best) [best, nearest] = [distance, i];
  }
  return nearest;
}

function visible() {
  const rows = [];
  for (let i = 0; i < n; i++) {
    const [x, y] = [screenX(data.x[i]), screenY(data.y[i])];
    if (isShown(i) && x > -PICTURE && y > -PICTURE && x < size.width + PICTURE && y < size.height + PICTURE) rows.push(i);
  }
  return rows;
}

function draw() {
  const field = fields.get(state.colour);
  const r = radius();
  context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  const rows = visible();
  ink = getComputedStyle(canvas).color;
  for (const i of [...rows.filter((row) => field.of[row] < 0), ...rows.filter((row) => field.of[row] >= 0)]) {
    const mark = stamp(field, field.of[i], field.of[i] < 0 ? Math.max(1.5, r - 1) : r, size.ratio);
    const half = mark.width / size.ratio / 2;
    context.globalAlpha = state.found && !state.found.has(i) ? 0.15 : 0.9;
    context.drawImage(mark, screenX(data.x[i]) - half, screenY(data.y[i]) - half, half * 2, half * 2);
  }
  context.globalAlpha = 1;
  if (state.pictures) drawPictures(rows, field);
  for (const i of rows) if (state.selected.has(i) || state.notes.has(i)) ring(i, r + 2.5, 1.75, state.notes.has(i));
  if (state.pinned >= 0 && isShown(state.pinned)) ring(state.pinned, r + 5, 2.5, false);
  if (state.hover >= 0 && isShown(state.hover)) ring(state.hover, r + 4, 1.5, false);
  if (drag) drawSelection();
}

// As many pictures as find room without covering one another; the others stay points.
function drawPictures(rows, field) {
  const step = PICTURE + 4;
  const taken = new Map(); // cell of the screen -> centre of the picture in it
  const cell = (x, y) => `${Math.floor(x / step)} ${Math.floor(y / step)}`;
  const around = [-step, 0, step];
  const isFree = (x, y) => !around.some((dx) => around.some((dy) => {
    const other = taken.get(cell(x + dx, y + dy));
    return other && Math.abs(other[0] - x) < step && Math.abs(other[1] - y) < step;
  }));
  context.imageSmoothingQuality = "high";
  for (const i of state.found ? rows.filter((row) => state.found.has(row)) : rows) {
    const [x, y] = [screenX(data.x[i]), screenY(data.y[i])];
    if (!isFree(x, y) || !drawPicture(context, i, x - PICTURE / 2, y - PICTURE / 2, PICTURE)) continue;
    taken.set(cell(x, y), [x, y]);
    context.strokeStyle = colourOf(field, field.of[i]);
    context.lineWidth = 2.5;
    context.strokeRect(x - PICTURE / 2, y - PICTURE / 2, PICTURE, PICTURE);
  }
}

function ring(i, r, width, dashed) {
  context.beginPath();
  context.arc(screenX(data.x[i]), screenY(data.y[i]), r, 0, 7);
  context.lineWidth = width;
  context.setLineDash(dashed ? [3, 2] : []);
  context.strokeStyle = ink;
  context.stroke();
  context.setLineDash([]);
}

function drawSelection() {
  context.beginPath();
  const [[x0, y0], [x1, y1]] = [drag.points[0], drag.points.at(-1)];
  if (drag.kind === "rectangle") context.rect(x0, y0, x1 - x0, y1 - y0);
  else for (const [x, y] of drag.points) context.lineTo(x, y);
  context.closePath();
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1.5;
  context.stroke();
  context.globalAlpha = 0.12;
  context.fill();
  context.globalAlpha = 1;
}

function resize() {
  const box = canvas.getBoundingClientRect();
  Object.assign(size, { width: box.width, height: box.height, ratio: Math.min(window.devicePixelRatio || 1, 3) });
  canvas.width = Math.round(size.width * size.ratio);
  canvas.height = Math.round(size.height * size.ratio);
  draw(); // at once: a canvas of another size is empty
}
