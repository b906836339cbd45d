// One card per group: its most typical images large, its most doubtful ones small. A card opens the group.

const TYPICAL = 12;
const DOUBTFUL = 6;
const CARDS_AT_ONCE = 48;

const ORDERS = {
  number: (a, b) => placeOf(a.id) - placeOf(b.id),
  largest: (a, b) => b.size - a.size || placeOf(a.id) - placeOf(b.id),
  smallest: (a, b) => a.size - b.size || placeOf(a.id) - placeOf(b.id),
  surest: (a, b) => b.mean - a.mean || placeOf(a.id) - placeOf(b.id),
  doubtful: (a, b) => a.mean - b.mean || placeOf(a.id) - placeOf(b.id),
};

function dot(id) {
  const mark = el("span", { class: "dot", "aria-hidden": "true" });
  mark.style.background = colourOf(id);
  return mark;
}

function meter(value) {
  const fill = el("span", { class: "fill" });
  fill.style.width = `${100 * (Number.isFinite(value) ? value : 0)}%`;
  return el("span", { class: "meter", "aria-hidden": "true" }, fill);
}

function card(group) {
  const split = Math.max(TYPICAL, group.size - DOUBTFUL);
  const typical = [...group.images.subarray(0, TYPICAL)];
  const doubtful = [...group.images.subarray(split)].reverse();
  const open = el("button", { type: "button", class: "open", onclick: () => openGroup(group.id) }, groupName(group.id));
  const head = el("header", {}, dot(group.id), el("h3", {}, open), el("span", { class: "size" }, plural(group.size, "image")));
  const node = el("article", { class: "card", "data-group": group.id }, head);
  node.append(el("div", { class: "typical" }, ...typical.map((image) => thumb(image))));
  if (doubtful.length) {
    node.append(el("p", { class: "small" }, "Least sure"), el("div", { class: "doubtful" }, ...doubtful.map((image) => thumb(image))));
  }
  if (Number.isFinite(group.mean)) {
    node.append(el("p", { class: "confidence" }, el("span", {}, "Mean confidence"), meter(group.mean), el("b", {}, share(group.mean))));
  }
  return node;
}

// The first screen: the most typical images of the largest groups, so that the result is seen before it is read.
function drawMosaic() {
  const groups = [...state.groups].sort(ORDERS.largest).slice(0, TYPICAL).sort(ORDERS.number);
  const images = [];
  for (let rank = 0; images.length < TYPICAL && groups.some((group) => rank < group.size); rank++) {
    images.push(...groups.filter((group) => rank < group.size).map((group) => group.images[rank]));
  }
  const pictured = images.filter(hasThumb).slice(0, TYPICAL);
  document.getElementById("mosaic").replaceChildren(...pictured.map((image) => thumb(image, { decorative: true })));
}

function startGroups() {
  const grid = document.getElementById("cards");
  const order = document.getElementById("card-order");
  const more = document.getElementById("more-cards");
  const cards = new WeakMap(); // group -> its card, under the name it had
  let sorted = [];
  let drawn = 0;

  // Pictures that were drawn stay drawn: a step along the levels changes two cards.
  function cardOf(group) {
    const name = groupName(group.id);
    const before = cards.get(group);
    const node = before?.name === name ? before.node : card(group);
    cards.set(group, { name, node });
    return node;
  }

  function append() {
    const next = sorted.slice(drawn, drawn + CARDS_AT_ONCE);
    grid.append(...next.map(cardOf));
    drawn += next.length;
    more.hidden = drawn >= sorted.length;
    more.textContent = `Show ${Math.min(CARDS_AT_ONCE, sorted.length - drawn)} more of ${count.format(sorted.length)} groups`;
  }

  function redraw() {
    sorted = [...state.groups].sort(ORDERS[order.value]);
    drawn = 0;
    grid.replaceChildren();
    append();
  }

  order.addEventListener("change", redraw);
  more.addEventListener("click", append);
  onLabels(redraw);
  onLabels(drawMosaic);
}
