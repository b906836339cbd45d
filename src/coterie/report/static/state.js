// What the page knows. Every section reads state.labels and state.groups and redraws when setLabels is called,
// so that a control which moves along the merge history only has to hand over new labels.

const data = JSON.parse(document.getElementById("data").textContent);

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

const rank = new Int32Array(bytesOf(data.rank)); // 0 for the most typical image of all
const NO_CONFIDENCE = 65535;
const stored = new Uint16Array(bytesOf(data.confidence));
const confidenceOf = (image) => (stored[image] === NO_CONFIDENCE ? NaN : stored[image] / 10000);

// An image that lay in a small fragment when the merging stopped, and was joined to its group afterwards.
const fragmentBits = data.fragments ? new Uint8Array(bytesOf(data.fragments)) : null;
const isFragment = (image) => fragmentBits !== null && ((fragmentBits[image >> 3] >> (image & 7)) & 1) === 1;

const state = { labels: new Int32Array(0), groups: [], byId: new Map() };
const listeners = [];
const onLabels = (redraw) => listeners.push(redraw);

// One pass per step, so that 50,000 images regroup well within a frame or two.
function gather(labels) {
  const members = new Map();
  for (let image = 0; image < labels.length; image++) {
    const id = labels[image];
    if (!members.has(id)) members.set(id, []);
    members.get(id).push(image);
  }
  return [...members].sort((a, b) => a[0] - b[0]).map(([id, images]) => ({
    id,
    images: Int32Array.from(images.sort((a, b) => rank[a] - rank[b])), // most typical first
    size: images.length,
    mean: images.reduce((sum, image) => sum + confidenceOf(image), 0) / images.length,
  }));
}

function setLabels(labels) {
  state.labels = labels;
  state.groups = gather(labels);
  state.byId = new Map(state.groups.map((group) => [group.id, group]));
  for (const redraw of listeners) redraw();
}

const groupName = (id) => (id < 0 ? "Left over" : `Group ${id}`);
