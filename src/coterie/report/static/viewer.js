// The opened group: all its images, a page at a time, and one of them large.

const TILES_PER_PAGE = 200;
const FRAGMENT_NOTE = "This image lay in a small fragment, which was joined to the group its edges point to.";

function startViewer() {
  const dialog = document.getElementById("viewer");
  const title = document.getElementById("viewer-title");
  const size = document.getElementById("viewer-size");
  const order = document.getElementById("viewer-order");
  const find = document.getElementById("viewer-find");
  const tiles = document.getElementById("viewer-tiles");
  const detail = document.getElementById("viewer-detail");
  const pages = pager(TILES_PER_PAGE, "images", draw);
  const names = new Intl.Collator("en", { numeric: true });
  let group = null;
  let listed = [];
  let chosen = -1;

  document.getElementById("viewer-pager").append(pages.nav);

  function list(showing = -1) {
    const wanted = find.value.trim().toLowerCase();
    listed = [...group.images].filter((image) => !wanted || shown(data.names[image]).toLowerCase().includes(wanted));
    if (order.value === "doubtful") listed.reverse();
    if (order.value === "name") listed.sort((a, b) => names.compare(data.names[a], data.names[b]));
    size.textContent = wanted ? `${count.format(listed.length)} of ${plural(group.size, "image")}` : plural(group.size, "image");
    pages.reset(listed.length, Math.max(0, listed.indexOf(showing)));
  }

  function tile(image) {
    const name = shown(data.names[image]);
    const joined = isFragment(image);
    const words = `${name}, confidence ${share(confidenceOf(image))}${joined ? ", joined from a fragment" : ""}`;
    const label = el("span", { class: "name" }, el("bdi", {}, lastPart(data.names[image])));
    const value = el("span", { class: "value" }, share(confidenceOf(image)));
    if (joined) value.append(el("span", { class: "joined" }, "fragment"));
    const attributes = { type: "button", class: "tile", "data-image": image, "aria-label": words, title: name };
    const button = el("button", attributes, thumb(image, { decorative: true }), label, value);
    button.setAttribute("aria-pressed", String(image === chosen));
    button.addEventListener("click", () => choose(image));
    return button;
  }

  function draw(first, end) {
    tiles.replaceChildren(...listed.slice(first, end).map(tile));
    if (!listed.length) tiles.append(el("p", { class: "empty" }, "No name in this group holds these letters."));
    tiles.scrollTop = 0;
  }

  function choose(image) {
    chosen = image;
    for (const button of tiles.querySelectorAll(".tile")) button.setAttribute("aria-pressed", String(Number(button.dataset.image) === image));
    const name = data.names[image];
    const address = addressOf(name);
    const note = el("p", { class: "small note", role: "status" });
    const actions = el("p", { class: "actions" }, copyButton(pathOf(name)));
    if (address !== null) actions.prepend(el("a", { class: "button", href: address, target: "_blank", rel: "noopener" }, "Open original"));
    const close = el("button", { type: "button", class: "quiet close-detail", "aria-label": "Close this image", onclick: clear }, "×");
    const confidence = el("p", { class: "confidence" }, el("span", {}, "Confidence"), meter(confidenceOf(image)), el("b", {}, share(confidenceOf(image))));
    const told = isFragment(image) ? [el("p", { class: "small joined-note" }, FRAGMENT_NOTE)] : [];
    detail.replaceChildren(close, bestPicture(image, note), el("h3", { class: "path" }, el("bdi", {}, shown(name))), confidence, ...told, actions, note);
    detail.hidden = false;
  }

  function clear() {
    const before = tiles.querySelector('[aria-pressed="true"]');
    chosen = -1;
    detail.hidden = true;
    detail.replaceChildren();
    before?.setAttribute("aria-pressed", "false");
    before?.focus();
  }

  function open(id, image = -1) {
    group = state.byId.get(id);
    title.replaceChildren(dot(id), groupName(id));
    find.value = "";
    clear();
    list(image);
    if (!dialog.open) dialog.showModal();
    document.documentElement.classList.add("viewing");
    if (image < 0) return;
    choose(image);
    tiles.querySelector(`[data-image="${image}"]`)?.scrollIntoView({ block: "center" });
  }

  function step(by) {
    const at = state.groups.indexOf(group);
    open(state.groups[(at + by + state.groups.length) % state.groups.length].id);
  }

  function walk(event) {
    const buttons = [...tiles.querySelectorAll(".tile")];
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    const columns = buttons.filter((button) => button.offsetTop === buttons[0].offsetTop).length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!by || !buttons[at + by]) return;
    event.preventDefault();
    buttons[at + by].focus();
  }

  order.addEventListener("change", () => list(chosen));
  find.addEventListener("input", () => list());
  tiles.addEventListener("keydown", walk);
  document.getElementById("viewer-before").addEventListener("click", () => step(-1));
  document.getElementById("viewer-after").addEventListener("click", () => step(1));
  document.getElementById("viewer-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => document.documentElement.classList.remove("viewing"));
  onLabels(() => dialog.close());
  return open;
}

const openGroup = startViewer();
