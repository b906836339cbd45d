// The figures of a training from epoch to epoch, one small chart for each.

const CURVE_HEIGHT = 132;
const MOST_STEPS = 10;
const CURVE_EDGE = { left: 8, right: 8, top: 18, bottom: 20 };

function figure(value) {
  if (Number.isInteger(value)) return count.format(value);
  return Math.abs(value) >= 1000 ? count.format(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function makeScales(chart, width) {
  const values = chart.lines.flatMap((line) => line.values).filter((value) => value !== null);
  const bend = chart.log ? Math.log10 : (value) => value;
  const [low, high] = [bend(Math.min(...values)), bend(Math.max(...values))];
  const { left, right, top, bottom } = CURVE_EDGE;
  const [first, last] = [chart.epochs[0], chart.epochs[chart.epochs.length - 1]];
  const x = (epoch) => (last === first ? width / 2 : left + ((width - left - right) * (epoch - first)) / (last - first));
  const share = (value) => (high === low ? 0.5 : (bend(value) - low) / (high - low));
  const y = (value) => CURVE_HEIGHT - bottom - (CURVE_HEIGHT - top - bottom) * share(value);
  return { x, y, least: Math.min(...values), most: Math.max(...values) };
}

function strokeOf(chart, line, { x, y }) {
  let path = "";
  let before = null; // the height of the point before, null across a gap
  line.values.forEach((value, index) => {
    if (value === null) return (before = null);
    const [px, py] = [x(chart.epochs[index]).toFixed(1), y(value).toFixed(1)];
    if (before === null) path += `M${px} ${py}h0.01`; // a dot where a value stands alone
    else path += chart.steps ? `L${px} ${before}L${px} ${py}` : `L${px} ${py}`;
    before = py;
  });
  return path;
}

// A staircase says how high each of its steps is, where there are few.
function stepTexts(chart, { x, y }) {
  const { values } = chart.lines[0];
  const starts = values.map((value, index) => index).filter((index) => values[index] !== null && values[index] !== values[index - 1]);
  if (!chart.steps || starts.length > MOST_STEPS) return [];
  return starts.slice(1).map((index) => svg("text", { class: "scale step", x: x(chart.epochs[index]) + 4, y: y(values[index]) - 5 }, figure(values[index])));
}

const kindOf = (index) => `line line-${index % 3}`;

function readingAt(chart, index) {
  const values = chart.lines.map((line) => line.values[index]);
  return values.map((value) => (value === null ? "–" : figure(value))).join(" / ");
}

function chartSentence(chart) {
  const parts = chart.lines.map((line) => {
    const values = line.values.filter((value) => value !== null);
    const name = chart.lines.length > 1 ? `${line.name} ` : "";
    return `${name}from ${figure(values[0])} to ${figure(values[values.length - 1])}`;
  });
  return `${chart.title}: ${parts.join("; ")}${chart.log ? " (logarithmic scale)" : ""}`;
}

function drawCurve(box, chart, breaks) {
  const width = box.clientWidth;
  if (!width) return null;
  const scales = makeScales(chart, width);
  const base = CURVE_HEIGHT - CURVE_EDGE.bottom;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${CURVE_HEIGHT}`, width, height: CURVE_HEIGHT, role: "img", "aria-label": chartSentence(chart) });
  for (const epoch of breaks) drawing.append(svg("line", { class: "break", x1: scales.x(epoch - 0.5), x2: scales.x(epoch - 0.5), y1: 0, y2: base }));
  drawing.append(svg("line", { class: "floor", x1: 0, x2: width, y1: base, y2: base }));
  chart.lines.forEach((line, index) => drawing.append(svg("path", { class: kindOf(index), d: strokeOf(chart, line, scales) })));
  const [first, last] = [chart.epochs[0], chart.epochs[chart.epochs.length - 1]];
  drawing.append(svg("text", { class: "scale", x: 0, y: 11 }, figure(scales.most)));
  if (chart.log) drawing.append(svg("text", { class: "scale end", x: width, y: 11 }, "log scale"));
  drawing.append(...stepTexts(chart, scales));
  if (scales.least !== scales.most) drawing.append(svg("text", { class: "scale", x: 0, y: base - 4 }, figure(scales.least)));
  drawing.append(svg("text", { class: "scale", x: 0, y: CURVE_HEIGHT - 4 }, `epoch ${figure(first)}`));
  if (last !== first) drawing.append(svg("text", { class: "scale end", x: width, y: CURVE_HEIGHT - 4 }, figure(last)));
  const pointer = svg("line", { class: "pointer", x1: 0, x2: 0, y1: 0, y2: base, visibility: "hidden" });
  drawing.append(pointer);
  box.replaceChildren(drawing);
  return { drawing, pointer, x: scales.x };
}

function makeCurve(chart, breaks) {
  const reading = el("span", { class: "reading" });
  const box = el("div", { class: "curve-box" });
  const legend = chart.lines.length > 1 ? [el("p", { class: "small curve-legend" }, ...chart.lines.map((line, index) => el("span", { class: kindOf(index) }, line.name)))] : [];
  const panel = el("figure", { class: "curve" }, el("figcaption", {}, el("h4", {}, chart.title), reading), ...legend, box);
  let drawn = null;

  function read(index) {
    const at = index === null ? chart.epochs.length - 1 : index;
    reading.textContent = index === null ? readingAt(chart, at) : `epoch ${figure(chart.epochs[at])}: ${readingAt(chart, at)}`;
    if (!drawn) return;
    drawn.pointer.setAttribute("visibility", index === null ? "hidden" : "visible");
    for (const end of ["x1", "x2"]) drawn.pointer.setAttribute(end, drawn.x(chart.epochs[at]));
  }

  function nearest(event) {
    const place = event.clientX - box.getBoundingClientRect().left;
    let best = 0;
    chart.epochs.forEach((epoch, index) => {
      if (Math.abs(drawn.x(epoch) - place) < Math.abs(drawn.x(chart.epochs[best]) - place)) best = index;
    });
    return best;
  }

  box.addEventListener("pointermove", (event) => drawn && read(nearest(event)));
  box.addEventListener("pointerleave", () => read(null));
  new ResizeObserver(() => (drawn = drawCurve(box, chart, breaks))).observe(box);
  read(null);
  return panel;
}

function startCurves() {
  const box = document.getElementById("curves");
  if (box) box.append(...data.learned.curves.map((chart) => makeCurve(chart, data.learned.breaks)));
}
