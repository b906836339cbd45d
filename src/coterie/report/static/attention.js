// Where the network looked in some images of each group, what its own output said of them, and its labels on a circle.

const CIRCLE_EDGE = 26; // CSS pixels around the rim, for the marks
const RIM_STEPS = 30000;

// The colours of the paper's figures, from blue (0) through green to red (1).
function jet(value) {
  const channel = (middle) => Math.round(255 * Math.max(0, Math.min(1, 1.5 - Math.abs(4 * value - middle))));
  return [channel(3), channel(2), channel(1)];
}

// A canvas of one pixel for each place of the map; the browser smooths it when it is stretched over the picture.
function overlay(map, [height, width], [left, top, wide, high]) {
  const canvas = el("canvas", { class: "over", width, height, "aria-hidden": "true" });
  const pixels = new ImageData(width, height);
  map.forEach((value, i) => pixels.data.set([...jet(value / 255), 255], 4 * i));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const place = { left, top, width: wide, height: high };
  for (const [side, part] of Object.entries(place)) canvas.style[side] = `${100 * part}%`;
  return canvas;
}

function barsOf(shares, groups) {
  const best = shares.indexOf(Math.max(...shares));
  const name = best < groups ? groupName(best) : "a cluster that became no group";
  const words = `The network's own output: ${share(shares[best] / 10000)} for ${name}`;
  const bars = [...shares].map((value, column) => {
    const bar = el("span", {});
    bar.style.height = `${value / 100}%`;
    bar.style.background = column < groups ? colourOf(column) : colourOf(-1);
    return bar;
  });
  return el("div", { class: "bars", role: "img", "aria-label": words }, ...bars);
}

function drawLooks(box, looks, groups) {
  const images = new Int32Array(bytesOf(looks.images));
  const maps = new Uint8Array(bytesOf(looks.maps));
  const shares = new Uint16Array(bytesOf(looks.shares));
  const places = looks.map_shape[0] * looks.map_shape[1];
  const boxes = new Map();
  images.forEach((image, i) => {
    const group = answerLabels[image];
    if (!boxes.has(group)) boxes.set(group, el("div", { class: "of-group" }, el("h4", {}, dot(group), groupName(group))));
    const seen = el("div", { class: "seen" }, thumb(image));
    if (places) seen.append(overlay(maps.subarray(i * places, (i + 1) * places), looks.map_shape, looks.place));
    boxes.get(group).append(el("figure", { class: "look" }, seen, barsOf(shares.subarray(i * looks.k, (i + 1) * looks.k), groups)));
  });
  box.append(...boxes.values());
}

function drawCircle(canvas, looks) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.round(canvas.clientWidth * ratio);
  if (!side) return;
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const steps = new Int16Array(bytesOf(looks.circle));
  const images = new Int32Array(bytesOf(looks.circle_images));
  const [middle, reach] = [side / 2, side / 2 - CIRCLE_EDGE * ratio];
  const style = getComputedStyle(canvas);
  context.strokeStyle = style.color; // a canvas does not read the colours of the style sheet that depend on the theme
  context.globalAlpha = 0.25;
  context.lineWidth = ratio;
  context.beginPath();
  context.arc(middle, middle, reach, 0, 2 * Math.PI);
  context.stroke();
  context.globalAlpha = 1;
  const stamps = dotStamps([...new Set(answerLabels)], 2.4, ratio);
  images.forEach((image, i) => {
    const [sx, sy] = stamps.places.get(answerLabels[image]);
    const [x, y] = [middle + (reach * steps[2 * i]) / RIM_STEPS, middle - (reach * steps[2 * i + 1]) / RIM_STEPS];
    context.drawImage(stamps.canvas, sx, sy, stamps.side, stamps.side, x - stamps.side / 2, y - stamps.side / 2, stamps.side, stamps.side);
  });
  // cluster h of k stands at h / k of the circle, clockwise from above
  context.fillStyle = style.color;
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let h = 1; h <= looks.k && looks.k <= 40; h++) {
    const angle = (2 * Math.PI * h) / looks.k;
    const away = reach + 14 * ratio;
    context.fillText(groupMark(h - 1), middle + away * Math.sin(angle), middle - away * Math.cos(angle));
  }
  canvas.dataset.drawn = "true";
}

function startAttention() {
  const looks = data.attention;
  const box = document.getElementById("looks");
  if (!looks || !box) return;
  const groups = Math.max(...answerLabels) + 1;
  drawLooks(box, looks, groups);
  const button = document.getElementById("looks-overlay");
  button?.addEventListener("click", () => button.setAttribute("aria-pressed", String(!box.classList.toggle("bare"))));
  const canvas = document.getElementById("circle");
  const points = new Int32Array(bytesOf(looks.circle_images)).length;
  canvas.setAttribute("aria-label", `The labels of ${plural(points, "image")} on a circle of ${plural(looks.k, "cluster")}`);
  new ResizeObserver(() => drawCircle(canvas, looks)).observe(canvas);
  onTheme(() => drawCircle(canvas, looks));
}
