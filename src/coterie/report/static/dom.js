// Small pieces that every section uses: elements, numbers, names, pages of a long list.

// Names and other words of the run only ever become text nodes; nothing here parses HTML.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const count = new Intl.NumberFormat("en");
const plural = (n, word) => `${count.format(n)} ${word}${n === 1 ? "" : "s"}`;
const share = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");

// Control characters, direction overrides and bytes that are no text are spelled out, so that a name cannot pass for another.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function spell(character) {
  const code = character.charCodeAt(0);
  if (code >= 0xdc80 && code <= 0xdcff) return "\\x" + (code - 0xdc00).toString(16);
  if (code < 0x100) return { 9: "\\t", 10: "\\n", 13: "\\r" }[code] ?? "\\x" + code.toString(16).padStart(2, "0");
  return "\\u" + code.toString(16).padStart(4, "0");
}

const shown = (name) => name.replace(UNPRINTABLE, spell);
const lastPart = (name) => shown(name.slice(name.lastIndexOf("/") + 1) || name);

// A page turner: calls draw(first, end) for the rows to show. Returns its <nav> and reset(total).
function pager(size, what, draw) {
  let page = 0;
  let total = 0;
  const earlier = el("button", { type: "button", class: "quiet", onclick: () => turn(page - 1) }, "Previous");
  const later = el("button", { type: "button", class: "quiet", onclick: () => turn(page + 1) }, "Next");
  const where = el("span", { class: "where", "aria-live": "polite" });
  const nav = el("nav", { class: "pager", "aria-label": `Pages of ${what}` }, earlier, where, later);

  function turn(to) {
    page = Math.max(0, Math.min(to, Math.ceil(total / size) - 1));
    const first = page * size;
    const end = Math.min(total, first + size);
    where.textContent = total ? `${count.format(first + 1)}–${count.format(end)} of ${count.format(total)}` : "";
    earlier.disabled = page === 0;
    later.disabled = end >= total;
    nav.hidden = total <= size;
    draw(first, end);
  }

  function reset(newTotal, showing = 0) {
    total = newTotal;
    turn(Math.floor(showing / size));
  }

  return { nav, reset };
}
