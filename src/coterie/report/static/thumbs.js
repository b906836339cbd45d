// Thumbnails lie in JPEG sheets at the end of the document. A sheet is decoded when a picture on it comes into view and
// forgotten again when many others were needed since, so that memory does not grow with the number of images.

const KEPT_SHEETS = 40;
const tileOf = data.tiles ? new Int32Array(bytesOf(data.tiles.of)) : null;
const kept = new Map(); // sheet number -> promise of its <img>, least recently used first

const parsed = new Promise((resolve) => {
  if (document.readyState !== "loading") resolve();
  else document.addEventListener("DOMContentLoaded", resolve, { once: true });
});

async function decodeSheet(number) {
  const id = `sheet-${number}`;
  // This script stands before the sheets, so that the page is drawn while they are still being read.
  if (!document.getElementById(id)?.nextElementSibling) await parsed;
  const image = new Image();
  image.src = "data:image/jpeg;base64," + document.getElementById(id).textContent;
  await image.decode();
  return image;
}

function sheet(number) {
  const found = kept.get(number) ?? decodeSheet(number);
  kept.delete(number);
  kept.set(number, found);
  if (kept.size > KEPT_SHEETS) kept.delete(kept.keys().next().value);
  return found;
}

const hasThumb = (image) => tileOf !== null && tileOf[image] >= 0;
const sheetOf = (image) => Math.floor(tileOf[image] / data.tiles.per_sheet);

function drawThumb(context, source, image, x, y, size) {
  const edge = data.tiles.size;
  const place = tileOf[image] % data.tiles.per_sheet;
  const column = place % data.tiles.columns;
  const row = Math.floor(place / data.tiles.columns);
  context.drawImage(source, column * edge, row * edge, edge, edge, x, y, size, size);
}

const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      inView.unobserve(entry.target);
      paint(entry.target);
    }
  },
  { rootMargin: "300px", scrollMargin: "300px" }, // the second inside the opened group, which scrolls by itself
);

async function paint(canvas) {
  const image = Number(canvas.dataset.image);
  try {
    const source = await sheet(sheetOf(image));
    drawThumb(canvas.getContext("2d"), source, image, 0, 0, canvas.width);
    canvas.classList.add("drawn");
  } catch {
    canvas.replaceWith(nameTile(image));
  }
}

const nameTile = (image) => el("span", { class: "thumb named" }, el("bdi", {}, lastPart(data.names[image])));

// The picture of one image; its name in a tile where the run has no thumbnail of it.
function thumb(image, { decorative = false, now = false } = {}) {
  if (!hasThumb(image)) return nameTile(image);
  const edge = data.tiles.size;
  const words = decorative ? { "aria-hidden": "true" } : { role: "img", "aria-label": shown(data.names[image]) };
  const canvas = el("canvas", { class: "thumb", width: edge, height: edge, "data-image": image, ...words });
  if (now) paint(canvas);
  else inView.observe(canvas);
  return canvas;
}
