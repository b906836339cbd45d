// How many images each group holds, largest first.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function sizeSentence(sorted) {
  const [largest, smallest] = [sorted[0], sorted[sorted.length - 1]];
  if (sorted.length === 1) return `All ${plural(largest.size, "image")} are in one group.`;
  const middle = sorted[Math.ceil(sorted.length / 2) - 1].size;
  return (
    `The largest group (${groupName(largest.id)}) holds ${plural(largest.size, "image")}, ` +
    `the smallest (${groupName(smallest.id)}) ${count.format(smallest.size)}; half of the groups hold ${count.format(middle)} or more.`
  );
}

function drawSizes(box, sorted) {
  const width = box.clientWidth;
  const height = 220;
  const base = height - 24;
  const step = width / sorted.length;
  const bar = Math.max(1, Math.min(64, step * 0.72));
  const tallest = sorted[0].size;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": sizeSentence(sorted) });
  const mean = sorted.reduce((sum, group) => sum + group.size, 0) / sorted.length;
  const level = base - ((base - 22) * mean) / tallest;
  chart.append(svg("line", { class: "mean", x1: 0, x2: width, y1: level, y2: level }));
  sorted.forEach((group, index) => {
    const middle = step * (index + 0.5);
    const tall = Math.max(1.5, ((base - 22) * group.size) / tallest);
    const mark = svg("g", { class: "bar", "data-group": group.id });
    mark.append(svg("title", {}, `${groupName(group.id)}: ${plural(group.size, "image")}`));
    mark.append(svg("rect", { class: "reach", x: step * index, y: 0, width: step, height: base }));
    mark.append(svg("rect", { x: middle - bar / 2, y: base - tall, width: bar, height: tall, rx: Math.min(3, bar / 4), fill: colourOf(group.id) }));
    if (step > 34) mark.append(svg("text", { class: "value", x: middle, y: base - tall - 7 }, count.format(group.size)));
    if (step > 18) mark.append(svg("text", { x: middle, y: height - 6 }, groupMark(group.id)));
    mark.addEventListener("click", () => openGroup(group.id));
    chart.append(mark);
  });
  chart.append(svg("line", { class: "floor", x1: 0, x2: width, y1: base, y2: base }));
  box.replaceChildren(chart);
}

function startSizes() {
  const box = document.getElementById("size-chart");
  const sentence = document.getElementById("size-sentence");
  const redraw = () => {
    const sorted = [...state.groups].sort(ORDERS.largest);
    if (!sorted.length || !box.clientWidth) return;
    sentence.textContent = sizeSentence(sorted);
    drawSizes(box, sorted);
  };
  new ResizeObserver(redraw).observe(box);
  onLabels(redraw);
}
