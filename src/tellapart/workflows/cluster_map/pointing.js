// Mouse, fingers and keys on the map.
const pointers = new Map(); // id -> last place, of every finger or button that is down
let moved = 0;

const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

canvas.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, place(event));
  moved = 0;
  const kind = event.shiftKey && state.mode === "move" ? "rectangle" : state.mode;
  drag = kind === "move" || pointers.size > 1 ? null : { kind, points: [place(event)], adds: event.shiftKey, takes: event.altKey };
});

canvas.addEventListener("pointermove", (event) => {
  const [x, y] = place(event);
  const before = pointers.get(event.pointerId);
  if (!before) return hover(pointAt(x, y));
  moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
  if (pointers.size === 2) pinch(event.pointerId, [x, y]);
  else if (drag) drag.points.push([x, y]);
  else pan(x - before[0], y - before[1]);
  pointers.set(event.pointerId, [x, y]);
  refresh();
});

function pinch(id, now) {
  const before = pointers.get(id);
  const [other] = [...pointers].filter(([key]) => key !== id).map(([, where]) => where);
  const apart = (a, b) => Math.max(10, Math.hypot(a[0] - b[0], a[1] - b[1]));
  pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  zoomAt(apart(now, other) / apart(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
}

function lift(event) {
  if (!pointers.delete(event.pointerId)) return;
  const [x, y] = place(event);
  if (drag && moved > 6) {
    const inside = drag.kind === "rectangle" ? rowsInRectangle(drag.points[0], [x, y]) : rowsInLasso(drag.points);
    select(inside, drag.takes ? "take" : drag.adds ? "add" : "only");
  } else if (event.type === "pointerup" && moved <= 6) {
    const row = pointAt(x, y, event.pointerType === "touch" ? 24 : 14);
    if (drag && row >= 0) select([row], state.selected.has(row) ? "take" : "add");
    pin(row);
  }
  drag = null;
  refresh();
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("pointerleave", () => pointers.size || hover(-1));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const step = event.deltaMode === 1 ? 24 : 1; // Firefox counts lines
  zoomAt(Math.exp(clamp(-event.deltaY * step, -240, 240) / 320), ...place(event));
}, { passive: false });
canvas.addEventListener("dblclick", (event) => zoomAt(2, ...place(event)));

function rowsInRectangle([x0, y0], [x1, y1]) {
  const within = (value, a, b) => value >= Math.min(a, b) && value <= Math.max(a, b);
  return rowsWhere((i) => within(screenX(data.x[i]), x0, x1) && within(screenY(data.y[i]), y0, y1));
}

// Even-odd rule: a ray to the right crosses the outline an odd number of times.
function rowsInLasso(points) {
  return rowsWhere((i) => {
    const [x, y] = [screenX(data.x[i]), screenY(data.y[i])];
    let inside = false;
    for (let a = 0, b = points.length - 1; a < points.length; b = a++) {
      const [[xa, ya], [xb, yb]] = [points[a], points[b]];
      if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) inside = !inside;
    }
    return inside;
  });
}

const rowsWhere = (test) => Array.from({ length: n }, (_, i) => i).filter((i) => isShown(i) && test(i));

const KEYS = {
  ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
  "+": () => zoomAt(1.3, size.width / 2, size.height / 2), "=": () => zoomAt(1.3, size.width / 2, size.height / 2),
  "-": () => zoomAt(1 / 1.3, size.width / 2, size.height / 2), 0: fit,
  n: () => step(1), p: () => step(-1), m: () => setMode("move"), r: () => setMode("rectangle"), l: () => setMode("lasso"),
  " ": () => state.pinned >= 0 && select([state.pinned], state.selected.has(state.pinned) ? "take" : "add"),
  Enter: () => pin(pointAt(size.width / 2, size.height / 2, 1e4)),
  Escape: () => (state.selected.size ? select([], "only") : pin(-1)),
};
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

// The next image of those that are shown (and found, while there is a search), in the order of the list.
function step(by) {
  const rows = rowsWhere((i) => !state.found || state.found.has(i));
  if (!rows.length) return;
  const at = rows.indexOf(state.pinned);
  pin(rows[at < 0 ? 0 : (at + by + rows.length) % rows.length], { look: true });
}
