// What the network had made of the images at some moments of its training: clouds of points that can be turned.

const FROM_THE_SIDE = { turn: 0.5, tilt: 0.35 };
const TURN_PER_KEY = 0.15; // radians
const RADIANS_PER_PIXEL = 0.01;

// Screen positions and depths (-1 far to 1 near) of points whose farthest is 1 away from the middle.
function turned(points, { turn, tilt }) {
  const [cosTurn, sinTurn, cosTilt, sinTilt] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  const n = points.length / 3;
  const [xs, ys, depths] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  for (let i = 0; i < n; i++) {
    const [x, y, z] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
    const away = cosTurn * z - sinTurn * x;
    xs[i] = cosTurn * x + sinTurn * z;
    ys[i] = cosTilt * y - sinTilt * away;
    depths[i] = sinTilt * y + cosTilt * away;
  }
  return { xs, ys, depths };
}

function makeCloud(shot, index) {
  const points = Float32Array.from(new Int16Array(bytesOf(shot.positions)), (step) => step / 32767);
  const labels = new Int32Array(bytesOf(shot.labels));
  const order = Uint32Array.from(labels, (_, i) => i);
  const words = `${shown(shot.title)}: ${plural(shot.n_clusters, "group")}`;
  const canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": `${words}. A cloud of ${plural(labels.length, "point")}; arrow keys turn it.` });
  const title = el("figcaption", {}, el("h4", {}, el("bdi", {}, shown(shot.title))), el("span", { class: "reading" }, plural(shot.n_clusters, "group")));
  const panel = el("figure", { class: "cloud", "data-cloud": index }, title, canvas);
  const view = { ...FROM_THE_SIDE };
  let stamps = null;
  let pending = 0;
  let held = null;

  function paint() {
    pending = 0;
    if (!stamps) return;
    const context = canvas.getContext("2d");
    const { xs, ys, depths } = turned(points, view);
    const middle = canvas.width / 2;
    const reach = middle - stamps.side;
    order.sort((a, b) => depths[a] - depths[b]); // the nearest last, on top
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const i of order) {
      const [sx, sy] = stamps.places.get(labels[i]);
      const side = stamps.side * (0.85 + 0.3 * depths[i]);
      context.globalAlpha = 0.65 + 0.35 * depths[i];
      context.drawImage(stamps.canvas, sx, sy, stamps.side, stamps.side, middle + reach * xs[i] - side / 2, middle - reach * ys[i] - side / 2, side, side);
    }
    canvas.dataset.drawn = String(Number(canvas.dataset.drawn ?? 0) + 1);
  }

  const redraw = () => (pending ||= requestAnimationFrame(paint));

  function resize() {
    const ratio = window.devicePixelRatio || 1;
    const side = Math.round(canvas.clientWidth * ratio);
    if (!side) return;
    canvas.width = canvas.height = side;
    stamps = dotStamps([...new Set(labels)], labels.length > 600 ? 2.1 : 2.6, ratio);
    redraw();
  }

  function turnBy(across, up) {
    view.turn += across;
    view.tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.tilt + up));
    redraw();
  }

  canvas.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    turnBy((event.clientX - held[0]) * RADIANS_PER_PIXEL, (event.clientY - held[1]) * RADIANS_PER_PIXEL);
    held = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (held = null));
  canvas.addEventListener("keydown", (event) => {
    const [across, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!across && !up) return;
    event.preventDefault();
    turnBy(across * TURN_PER_KEY, up * TURN_PER_KEY);
  });
  return { panel, canvas, view, resize };
}

function startClouds() {
  const box = document.getElementById("clouds");
  if (!box) return [];
  const clouds = data.learned.clouds.map(makeCloud);
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => clouds[target.dataset.cloud].resize()));
  // A cloud is drawn when it first comes near the window.
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        sizes.observe(target);
      }
    },
    { rootMargin: "200px" },
  );
  for (const { panel } of clouds) {
    box.append(panel);
    near.observe(panel);
  }
  return clouds;
}
