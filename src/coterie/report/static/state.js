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

const byRank = new Int32Array(rank.length);
rank.forEach((place, image) => (byRank[place] = image));

const state = { labels: new Int32Array(0), groups: [], byId: new Map(), names: new Map() };
const listeners = [];
const onLabels = (redraw) => listeners.push(redraw);

// One pass, so that 50,000 images regroup well within a frame. A group whose images stay the same stays the same object,
// so that what was drawn for it can be kept.
function gather(labels) {
  const members = new Map();
  for (const image of byRank) {
    const id = labels[image];
    if (!members.has(id)) members.set(id, []);
    members.get(id).push(image); // most typical first
  }
  const groups = [...members].map(([id, images]) => {
    const before = state.byId.get(id);
    return before?.size === images.length && images.every((image, place) => before.images[place] === image) ? before : makeGroup(id, images);
  });
  return groups.sort((a, b) => placeOf(a.id) - placeOf(b.id));
}

function makeGroup(id, images) {
  const mean = images.reduce((sum, image) => sum + confidenceOf(image), 0) / images.length;
  return { id, images: Int32Array.from(images), size: images.length, mean };
}

// `names` are those of groups that are not the run's: label -> { mark, long, place }, place being its turn by number.
function setLabels(labels, names = new Map()) {
  state.labels = labels;
  state.names = names;
  state.groups = gather(labels);
  state.byId = new Map(state.groups.map((group) => [group.id, group]));
  for (const redraw of listeners) redraw();
}

const groupName = (id) => (id < 0 ? "Left over" : `Group ${state.names.get(id)?.long ?? id}`);
const groupMark = (id) => (id < 0 ? "–" : (state.names.get(id)?.mark ?? String(id)));
const placeOf = (id) => state.names.get(id)?.place ?? id;
const answerLabels = new Int32Array(bytesOf(data.labels));
