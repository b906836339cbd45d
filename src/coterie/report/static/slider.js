// The slider along the levels: everything on the page shows the groups of the level it stands at.

function startSlider() {
  if (!data.levels) return null;
  const levels = makeLevels(data.levels);
  const { answer, fewest, most } = levels;
  const range = document.getElementById("level");
  const number = document.getElementById("level-number");
  const sentence = document.getElementById("level-step");
  const fewer = document.getElementById("level-fewer");
  const more = document.getElementById("level-more");
  const back = document.getElementById("level-back");
  let level = answer;
  let pending = 0;

  const named = (id, names) => names.get(id)?.long ?? String(id);
  const sizeOf = (id) => state.byId.get(id)?.size ?? 0;

  function answerSentence() {
    const parts = [];
    if (most > answer) parts.push(`one more would split group ${levels.mergerTo(answer)[1]}`);
    if (fewest < answer) parts.push(`one fewer would merge groups ${levels.mergerTo(answer - 1).sort((a, b) => a - b).join(" and ")}`);
    return `The answer of the run, as in assignments.csv; ${parts.join(", ")}.`;
  }

  // What the step from the neighbour on the answer's side to this level does.
  function stepSentence(k) {
    if (k === answer) return answerSentence();
    const names = levels.namesAt(k);
    if (k < answer) {
      const before = levels.namesAt(k + 1);
      const [child, parent] = levels.mergerTo(k);
      const [one, other] = [parent, child].map((id) => named(id, before));
      return `From ${k + 1} to ${k}: groups ${one} and ${other} merge into one group of ${plural(sizeOf(parent), "image")}.`;
    }
    const before = levels.namesAt(k - 1);
    const [child, parent] = levels.mergerTo(k - 1);
    const [kept, left] = [parent, child].map((id) => named(id, names));
    const [keptSize, leftSize] = [parent, child].map((id) => count.format(sizeOf(id)));
    if (before.has(parent)) return `From ${k - 1} to ${k}: group ${left} (${leftSize} images) splits off ${kept}, which keeps ${keptSize}.`;
    return `From ${k - 1} to ${k}: group ${parent} splits into ${kept} (${keptSize} images) and ${left} (${leftSize}).`;
  }

  function markCards(k) {
    const ids = k === answer ? [] : k < answer ? [levels.mergerTo(k)[1]] : levels.mergerTo(k - 1);
    for (const node of document.querySelectorAll(".card")) node.classList.toggle("fresh", ids.includes(Number(node.dataset.group)));
  }

  function show() {
    pending = 0;
    setLabels(level === answer ? answerLabels : levels.labelsAt(level), levels.namesAt(level));
    tell();
  }

  function tell() {
    range.value = level;
    range.setAttribute("aria-valuetext", `${plural(level, "group")}${level === answer ? ", the answer of the run" : ""}`);
    number.textContent = plural(level, "group");
    sentence.textContent = stepSentence(level);
    fewer.disabled = level <= fewest;
    more.disabled = level >= most;
    back.disabled = level === answer;
    markCards(level);
    for (const button of document.querySelectorAll(".level-goto")) button.setAttribute("aria-pressed", String(Number(button.dataset.level) === level));
  }

  // One redrawing per frame, however fast the slider moves.
  function go(k) {
    const wanted = Math.max(fewest, Math.min(most, k));
    if (wanted === level) return;
    level = wanted;
    pending ||= requestAnimationFrame(show);
  }

  function markAt(k, kind) {
    const mark = el("span", { class: `level-mark ${kind}` });
    mark.style.left = `${(100 * (k - fewest)) / (most - fewest)}%`;
    return mark;
  }

  Object.assign(range, { min: fewest, max: most });
  const runnersUp = data.levels.runners_up;
  document.getElementById("level-marks").append(...runnersUp.map((k) => markAt(k, "next-best")), markAt(answer, "answer"));
  document.getElementById("level-ends").replaceChildren(el("span", {}, String(fewest)), el("span", {}, String(most)));
  const choices = document.getElementById("level-choices");
  for (const k of runnersUp) choices.append(el("button", { type: "button", class: "button level-goto", "data-level": k, onclick: () => go(k) }, String(k)));
  range.addEventListener("input", () => go(Number(range.value)));
  fewer.addEventListener("click", () => go(level - 1));
  more.addEventListener("click", () => go(level + 1));
  back.addEventListener("click", () => go(answer));
  document.getElementById("levels").hidden = document.getElementById("level-bar").hidden = false;
  document.getElementById("card-order").addEventListener("change", () => markCards(level));
  document.getElementById("more-cards").addEventListener("click", () => markCards(level));
  tell();
  return { go, levels, at: () => level };
}
