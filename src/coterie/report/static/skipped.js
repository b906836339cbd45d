// The files that were left out, a page at a time.

const SKIPPED_PER_PAGE = 50;

function startSkipped() {
  const rows = document.getElementById("skipped-rows");
  if (!rows) return;
  const pages = pager(SKIPPED_PER_PAGE, "files left out", (first, end) => {
    rows.replaceChildren(
      ...data.skipped.slice(first, end).map(([name, reason]) => el("tr", {}, el("td", { class: "path" }, el("bdi", {}, shown(name))), el("td", {}, shown(reason)))),
    );
  });
  document.getElementById("skipped-pager").append(pages.nav);
  pages.reset(data.skipped.length);
}
