// The map: every image as a dot, near others that the method sees as similar.

const NEAR = 14; // CSS pixels within which a dot counts as pointed at
const DOTS_IN_MOTION = 8000; // what a browser without a graphics card still draws many times a second
const REST = 140; // ms without a movement

function startMap() {
  const section = document.getElementById("map");
  if (!data.map) return null;
  const box = document.getElementById("map-box");
  const canvas = document.getElementById("map-canvas");
  const tip = document.getElementById("map-tip");
  const ring = document.getElementById("map-ring");
  const legend = document.getElementById("map-legend");
  const all = document.getElementById("map-all");
  const pictures = document.getElementById("map-pictures");
  const context = canvas.getContext("2d");
  const flat = new Uint16Array(bytesOf(data.map));
  const xs = Float32Array.from({ length: flat.length / 2 }, (_, i) => flat[2 * i]);
  const ys = Float32Array.from({ length: flat.length / 2 }, (_, i) => flat[2 * i + 1]);
  const camera = makeCamera(xs, ys);
  const grid = makeGrid(xs, ys);
  const radius = xs.length > 20000 ? 1.7 : xs.length > 4000 ? 2.3 : 3.2;
  let isolated = null;
  let stamps = null;
  let centres = [];
  let pending = 0;
  let drawing = 0;
  let pointed = -1;
  let resting = 0; // the timer that runs while the map moves

  const redraw = () => (pending ||= requestAnimationFrame(paintAll));

  function paintAll() {
    pending = 0;
    drawing += 1;
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const showPictures = pictures.getAttribute("aria-pressed") === "true";
    const stride = resting ? Math.ceil(xs.length / DOTS_IN_MOTION) : 1;
    paintDots(context, camera, stamps, { xs, ys, isolated, stride });
    if (showPictures) paintPictures(drawing);
    else paintNumbers(context, camera, centres, isolated, style.color, style.backgroundColor);
    canvas.dataset.drawn = String(drawing);
  }

  async function paintPictures(mine) {
    const ratio = canvas.width / camera.view.width;
    for (const image of pickPictures(camera, xs, ys, isolated)) {
      const source = await sheet(sheetOf(image));
      if (mine !== drawing) return; // the view has moved on
      paintPicture(context, source, image, camera.screenX(xs[image]), camera.screenY(ys[image]), ratio);
    }
  }

  function resize() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = box.getBoundingClientRect();
    if (!width) return;
    const first = camera.view.width === 1;
    const moved = camera.view.scale / camera.view.fitted;
    const { x, y } = camera.view;
    Object.assign(camera.view, { width, height });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    camera.fit();
    if (!first && moved !== 1) Object.assign(camera.view, { x, y, scale: camera.view.fitted * moved });
    recolour();
  }

  function recolour() {
    if (camera.view.width === 1) return;
    stamps = dotStamps(state.groups.map((group) => group.id), radius, canvas.width / camera.view.width);
    redraw();
  }

  function isolate(id) {
    isolated = isolated === id ? null : id;
    for (const button of legend.querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.group) === isolated));
    all.hidden = isolated === null;
    point(-1);
    redraw();
  }

  function entry(group) {
    const words = { type: "button", "data-group": group.id, "aria-pressed": "false", onclick: () => isolate(group.id) };
    return el("li", {}, el("button", words, dot(group.id), el("span", {}, groupName(group.id)), el("span", { class: "size" }, count.format(group.size))));
  }

  function point(image) {
    if (image === pointed) return;
    pointed = image;
    tip.hidden = ring.hidden = image < 0;
    canvas.style.cursor = image < 0 ? "" : "pointer";
    if (image < 0) return;
    const x = camera.screenX(xs[image]);
    const y = camera.screenY(ys[image]);
    const facts = [el("span", { class: "small" }, dot(state.labels[image]), groupName(state.labels[image]))];
    if (Number.isFinite(confidenceOf(image))) facts.push(el("span", { class: "small" }, `Confidence ${share(confidenceOf(image))}`));
    tip.replaceChildren(thumb(image, { now: true, decorative: true }), el("b", {}, el("bdi", {}, lastPart(data.names[image]))), ...facts);
    tip.style.left = `${Math.max(4, Math.min(x + 16, camera.view.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 16 + tip.offsetHeight > camera.view.height ? Math.max(4, y - tip.offsetHeight - 16) : y + 16}px`;
    ring.style.left = `${x}px`;
    ring.style.top = `${y}px`;
    ring.style.borderColor = colourOf(state.labels[image]);
  }

  function under(px, py) {
    const allowed = (i) => isolated === null || state.labels[i] === isolated;
    return grid.nearest(camera.mapX(px), camera.mapY(py), NEAR / camera.view.scale, allowed);
  }

  function rest() {
    resting = 0;
    redraw();
  }

  function move(change) {
    clearTimeout(resting);
    resting = setTimeout(rest, REST);
    point(-1);
    change();
    redraw();
  }

  const tools = { canvas, camera, under, point, move, open: (image) => openGroup(state.labels[image], image) };
  listenToMap(tools);
  for (const [id, factor] of [["map-in", 1.6], ["map-out", 1 / 1.6]]) {
    document.getElementById(id).addEventListener("click", () => move(() => camera.zoom(factor, camera.view.width / 2, camera.view.height / 2)));
  }
  document.getElementById("map-fit").addEventListener("click", () => move(camera.fit));
  all.addEventListener("click", () => isolate(isolated));
  pictures.addEventListener("click", () => {
    pictures.setAttribute("aria-pressed", String(pictures.getAttribute("aria-pressed") !== "true"));
    redraw();
  });
  pictures.hidden = !data.tiles;
  section.hidden = false;
  new ResizeObserver(resize).observe(box);
  onTheme(recolour);
  onLabels(() => {
    isolated = null;
    all.hidden = true;
    centres = middles(state.groups, xs, ys);
    legend.replaceChildren(...state.groups.map(entry));
    clearTimeout(resting); // a sample of the dots while the groups change, all of them once they rest
    resting = setTimeout(rest, REST);
    point(-1);
    recolour();
  });
  return { camera, xs, ys };
}
