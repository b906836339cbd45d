// Where the map looks, and which point lies under the pointer. Positions are in map units, the screen in CSS pixels.

function makeCamera(xs, ys) {
  const view = { x: 0, y: 0, scale: 1, width: 1, height: 1, fitted: 1 };

  // One far outlier must not shrink everybody else to a speck: the first view holds the middle 99% when the rest is far out.
  function span(values) {
    const sorted = Float32Array.from(values).sort();
    const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    const [low, high] = [at(0.005), at(0.995)];
    const whole = sorted[sorted.length - 1] - sorted[0];
    return whole > 1.6 * (high - low) && high > low ? [low, high] : [sorted[0], sorted[sorted.length - 1]];
  }
  const [left, right] = span(xs);
  const [bottom, top] = span(ys);

  function fit() {
    view.x = (left + right) / 2;
    view.y = (bottom + top) / 2;
    const margin = 28;
    const across = (view.width - 2 * margin) / Math.max(right - left, 1e-6);
    const down = (view.height - 2 * margin) / Math.max(top - bottom, 1e-6);
    view.scale = view.fitted = Math.max(1e-6, Math.min(across, down));
  }

  function zoom(factor, px, py) {
    const scale = Math.max(view.fitted / 4, Math.min(view.fitted * 400, view.scale * factor));
    view.x += (px - view.width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (py - view.height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
  }

  function pan(dx, dy) {
    view.x -= dx / view.scale;
    view.y += dy / view.scale;
  }

  const screenX = (x) => (x - view.x) * view.scale + view.width / 2;
  const screenY = (y) => (view.y - y) * view.scale + view.height / 2;
  const mapX = (px) => (px - view.width / 2) / view.scale + view.x;
  const mapY = (py) => view.y - (py - view.height / 2) / view.scale;
  return { view, fit, zoom, pan, screenX, screenY, mapX, mapY };
}

// A grid over the map: the points of each cell in one flat array, so that a look-up touches a handful of cells.
function makeGrid(xs, ys, side = 128) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (let i = 0; i < xs.length; i++) {
    low[0] = Math.min(low[0], xs[i]);
    low[1] = Math.min(low[1], ys[i]);
    high[0] = Math.max(high[0], xs[i]);
    high[1] = Math.max(high[1], ys[i]);
  }
  const column = (x) => Math.max(0, Math.min(side - 1, Math.floor(((x - low[0]) / (high[0] - low[0] || 1)) * side)));
  const row = (y) => Math.max(0, Math.min(side - 1, Math.floor(((y - low[1]) / (high[1] - low[1] || 1)) * side)));
  const start = new Int32Array(side * side + 1);
  for (let i = 0; i < xs.length; i++) start[row(ys[i]) * side + column(xs[i]) + 1]++;
  for (let c = 0; c < side * side; c++) start[c + 1] += start[c];
  const next = start.slice();
  const points = new Int32Array(xs.length);
  for (let i = 0; i < xs.length; i++) points[next[row(ys[i]) * side + column(xs[i])]++] = i;

  // The nearest point within `radius` that `allowed` accepts; -1 when there is none.
  function nearest(x, y, radius, allowed) {
    let best = -1;
    let closest = radius * radius;
    for (let r = row(y - radius); r <= row(y + radius); r++) {
      const last = start[r * side + column(x + radius) + 1];
      for (let k = start[r * side + column(x - radius)]; k < last; k++) {
        const i = points[k];
        const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
        if (distance <= closest && allowed(i)) [best, closest] = [i, distance];
      }
    }
    return best;
  }

  return { nearest };
}
