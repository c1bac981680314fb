// Small pictures: many in one sheet, each sheet unpacked when the first of its pictures is wanted.
const packed = $("map-sheets") ? JSON.parse($("map-sheets").textContent) : [];
const sheets = packed.map(() => null);
const { side, columns, per_sheet: perSheet } = data.sprites;
const hasPicture = (i) => data.sprites.place[i] >= 0;

function sheetOf(i) {
  const number = Math.floor(data.sprites.place[i] / perSheet);
  if (!sheets[number]) {
    sheets[number] = new Image();
    sheets[number].addEventListener("load", () => {
      refresh();
      for (const [canvas, row] of strips) if (Math.floor(data.sprites.place[row] / perSheet) === number) paint(canvas, row);
    });
    sheets[number].src = `data:image/webp;base64,${packed[number]}`;
  }
  return sheets[number];
}

// Draws picture i into a square of a canvas; false while its sheet is not unpacked yet, or where there is none.
function drawPicture(context, i, x, y, size) {
  if (!hasPicture(i)) return false;
  const sheet = sheetOf(i);
  if (!sheet.complete || !sheet.naturalWidth) return false;
  const place = data.sprites.place[i] % perSheet;
  const left = (place % columns) * side;
  const top = Math.floor(place / columns) * side;
  context.drawImage(sheet, left, top, side, side, x, y, size, size);
  return true;
}

const strips = new Map(); // canvas elements in the page, and the row that each shows

function paint(canvas, i) {
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  drawPicture(context, i, 0, 0, canvas.width);
}

// A canvas element with picture i, or a dash where there is none.
function pictureElement(i, size) {
  if (!hasPicture(i)) return make("span", "no picture", { class: "gone" });
  const canvas = make("canvas", "", { width: Math.max(side, size), height: Math.max(side, size), class: "pic" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", data.uri[i]);
  strips.set(canvas, i);
  paint(canvas, i);
  return canvas;
}
