// Colours and shapes of categories: up to ten that colour-blind people tell apart, and shapes that anybody does.
// Light: after Paul Tol's "muted" (https://personal.sron.nl/~pault/), dark: the same hues, lighter.
const NAMED = {
  light: ["#0072b2", "#d55e00", "#117733", "#aa4499", "#882255", "#44aa99", "#b58900", "#332288", "#cc6677", "#6f6f1f"],
  dark: ["#56b4e9", "#ff9a4d", "#4fc878", "#e58fd6", "#e0709a", "#7fe0d0", "#f0d060", "#a99cff", "#ffa8b4", "#c9c95a"],
};
// Steps from little to much, after cividis (Nunez, Anderton, Renslow 2018).
const STEPS = {
  light: ["#00204d", "#31446b", "#666970", "#a08a4c", "#d3a500"],
  dark: ["#5f86d6", "#8a93b8", "#a9a9a0", "#cdbb6e", "#ffea46"],
};
const VERDICTS = {
  light: { right: "#5b8fb9", wrong: "#c23b00", unknown: "#8a6d00", unlabelled: "#8a929b" },
  dark: { right: "#4d7ea8", wrong: "#ff8b4d", unknown: "#f0d060", unlabelled: "#77818c" },
};
const SHAPES = 5;
const darkness = matchMedia("(prefers-color-scheme: dark)");
const theme = () => (darkness.matches ? "dark" : "light");

function colourOf(field, category) {
  if (category < 0) return darkness.matches ? "#6b7683" : "#a3abb4";
  if (field.scale === "steps") return STEPS[theme()][category];
  if (field.scale === "verdict") return VERDICTS[theme()][field.names[category]];
  if (field.names.length <= NAMED.light.length) return NAMED[theme()][category];
  const hue = (category * 137.508) % 360; // the golden angle: neighbours in the list are far apart
  const lightness = (darkness.matches ? 62 : 34) + 12 * (category % 3) - 6;
  return `hsl(${hue.toFixed(1)} ${60 + 15 * (category % 2)}% ${lightness}%)`;
}

function shapeOf(field, category) {
  if (category < 0 || field.scale === "steps") return 0;
  if (field.scale === "verdict") return { right: 0, wrong: 3, unknown: 2, unlabelled: 0 }[field.names[category]];
  return category % SHAPES;
}

// The outline of a shape of radius r around (x, y): circle, square, triangle, diamond, plus; all of about one area.
function outline(context, shape, x, y, r) {
  const corners = [
    null,
    [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]],
    [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
    [[-0.42, -1.2], [0.42, -1.2], [0.42, -0.42], [1.2, -0.42], [1.2, 0.42], [0.42, 0.42], [0.42, 1.2], [-0.42, 1.2],
      [-0.42, 0.42], [-1.2, 0.42], [-1.2, -0.42], [-0.42, -0.42]],
  ][shape];
  context.beginPath();
  if (!corners) context.arc(x, y, r, 0, 7);
  else for (const [dx, dy] of corners) context.lineTo(x + dx * r, y + dy * r);
  context.closePath();
}

// A picture of one marker: stamping ten thousand of them is much faster than drawing ten thousand paths.
const stamps = new Map();
function stamp(field, category, radius, ratio) {
  const key = `${theme()} ${field.key} ${category} ${radius} ${ratio}`;
  if (stamps.has(key)) return stamps.get(key);
  if (stamps.size > 2000) stamps.clear();
  const side = Math.ceil((radius * 2.8 + 2) * ratio);
  const canvas = make("canvas", "", { width: side, height: side });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  outline(context, shapeOf(field, category), side / ratio / 2, side / ratio / 2, radius);
  context.fillStyle = colourOf(field, category);
  context.fill();
  context.lineWidth = 0.75;
  context.strokeStyle = darkness.matches ? "#1b2128" : "#ffffff";
  context.stroke();
  stamps.set(key, canvas);
  return canvas;
}
