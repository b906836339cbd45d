// What the map looks like: dots, or pictures where there is room for them, and the number of each group in its middle.

const FADED = "#8d8a84";
const PICTURE = 46; // CSS pixels from one picture of the map to the next
const LABELLED_GROUPS = 40;

// One small picture of a dot per colour: stamping it is several times faster than filling a path at 50,000 points.
function dotStamps(ids, radius, ratio) {
  const side = Math.ceil(2 * (radius + 1) * ratio);
  const columns = 64;
  const canvas = el("canvas", { width: columns * side, height: side * Math.ceil((ids.length + 1) / columns) });
  const context = canvas.getContext("2d");
  const places = new Map();
  [...ids, "faded"].forEach((id, index) => {
    const x = (index % columns) * side;
    const y = Math.floor(index / columns) * side;
    context.globalAlpha = id === "faded" ? 0.16 : 0.82;
    context.fillStyle = id === "faded" ? FADED : colourOf(id);
    context.beginPath();
    context.arc(x + side / 2, y + side / 2, radius * ratio, 0, 2 * Math.PI);
    context.fill();
    places.set(id, [x, y]);
  });
  return { canvas, side, places };
}

function middles(groups, xs, ys) {
  const middle = (values) => values.sort()[Math.floor(values.length / 2)];
  return groups.map((group) => ({
    id: group.id,
    x: middle(Float32Array.from(group.images, (i) => xs[i])),
    y: middle(Float32Array.from(group.images, (i) => ys[i])),
  }));
}

// Every `stride`-th point: all of them at rest, an even sample of a large map while it moves under the hand.
function paintDots(context, camera, stamps, { xs, ys, isolated, stride }) {
  const { view } = camera;
  const ratio = context.canvas.width / view.width;
  const half = stamps.side / 2;
  const passes = isolated === null ? [null] : ["others", "own"];
  for (const pass of passes) {
    for (let i = 0; i < xs.length; i += stride) {
      const own = state.labels[i] === isolated;
      if (pass !== null && own !== (pass === "own")) continue;
      const x = camera.screenX(xs[i]) * ratio - half;
      const y = camera.screenY(ys[i]) * ratio - half;
      if (x < -half || y < -half || x > context.canvas.width || y > context.canvas.height) continue;
      const [sx, sy] = stamps.places.get(pass === "others" ? "faded" : state.labels[i]);
      context.drawImage(stamps.canvas, sx, sy, stamps.side, stamps.side, Math.round(x), Math.round(y), stamps.side, stamps.side);
    }
  }
}

// As many pictures as fit without covering each other, the more typical image first. Only the best image of each small cell of
// the screen is a candidate, so that the work does not grow with the number of images beyond one look at each.
function pickPictures(camera, xs, ys, isolated) {
  const { view } = camera;
  const cellEdge = PICTURE / 2;
  const columns = Math.ceil(view.width / cellEdge) + 1;
  const best = new Map();
  for (let i = 0; i < xs.length; i++) {
    if (!hasThumb(i) || (isolated !== null && state.labels[i] !== isolated)) continue;
    const x = camera.screenX(xs[i]);
    const y = camera.screenY(ys[i]);
    if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
    const cell = Math.floor(y / cellEdge) * columns + Math.floor(x / cellEdge);
    const held = best.get(cell);
    if (held === undefined || rank[i] < rank[held]) best.set(cell, i);
  }
  const placed = [];
  for (const i of [...best.values()].sort((a, b) => rank[a] - rank[b])) {
    const [x, y] = [camera.screenX(xs[i]), camera.screenY(ys[i])];
    const free = placed.every((other) => Math.abs(other.x - x) >= PICTURE || Math.abs(other.y - y) >= PICTURE);
    if (free) placed.push({ image: i, x, y });
  }
  return placed.map(({ image }) => image).sort((a, b) => tileOf[a] - tileOf[b]); // sheet by sheet
}

function paintPicture(context, source, image, x, y, ratio) {
  const edge = (PICTURE - 6) * ratio;
  const left = Math.round(x * ratio - edge / 2);
  const top = Math.round(y * ratio - edge / 2);
  context.fillStyle = colourOf(state.labels[image]);
  context.fillRect(left - 2 * ratio, top - 2 * ratio, edge + 4 * ratio, edge + 4 * ratio);
  drawThumb(context, source, image, left, top, edge);
}

function paintNumbers(context, camera, centres, isolated, ink, paper) {
  if (centres.length > LABELLED_GROUPS) return;
  const ratio = context.canvas.width / camera.view.width;
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const { id, x, y } of centres) {
    if (id < 0 || (isolated !== null && id !== isolated)) continue;
    const [px, py] = [camera.screenX(x) * ratio, camera.screenY(y) * ratio];
    const mark = groupMark(id);
    const half = Math.max(12 * ratio, context.measureText(mark).width / 2 + 6 * ratio);
    context.beginPath();
    context.roundRect(px - half, py - 12 * ratio, 2 * half, 24 * ratio, 12 * ratio);
    context.fillStyle = paper;
    context.fill();
    context.lineWidth = 2.5 * ratio;
    context.strokeStyle = colourOf(id);
    context.stroke();
    context.fillStyle = ink;
    context.fillText(mark, px, py + ratio);
  }
}
