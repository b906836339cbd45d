// The way from a thumbnail to the file it was made from.

// Names that are not UTF-8 arrive with each stray byte b as the code unit 0xdc00 + b; in an address it stands as %b.
function encodePart(part) {
  return part.replace(/[\udc80-\udcff]|[^\udc80-\udcff]+/g, (piece) => {
    const code = piece.charCodeAt(0);
    if (piece.length === 1 && code >= 0xdc80 && code <= 0xdcff) return "%" + (code - 0xdc00).toString(16);
    return encodeURIComponent(piece);
  });
}

function addressOf(name) {
  if (data.originals.base === null) return null;
  try {
    return data.originals.base + name.split("/").map(encodePart).join("/");
  } catch {
    return null; // a name no address can hold
  }
}

const pathOf = (name) => data.originals.prefix + name;

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "off-screen", "aria-hidden": "true" });
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "button" }, "Copy path");
  button.addEventListener("click", async () => {
    button.textContent = (await copyText(text)) ? "Copied" : "Select the path to copy it";
    setTimeout(() => (button.textContent = "Copy path"), 1600);
  });
  return button;
}

// The original where it still lies, else the thumbnail with a sentence that says so.
function bestPicture(image, note) {
  const frame = el("div", { class: "picture" }, thumb(image, { now: true }));
  const address = addressOf(data.names[image]);
  if (address === null) {
    note.textContent = data.originals.note;
    return frame;
  }
  const original = el("img", { alt: shown(data.names[image]) });
  original.addEventListener("load", () => {
    original.classList.toggle("tiny", Math.max(original.naturalWidth, original.naturalHeight) <= 64);
    frame.replaceChildren(original);
  });
  original.addEventListener("error", () => {
    note.textContent =
      "The original could not be shown: it is missing (the folder or this page was moved), or the browser does not read its format.";
  });
  original.src = address;
  return frame;
}
