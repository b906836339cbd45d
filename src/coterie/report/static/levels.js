// The groups at more and at fewer groups than the run's answer, from one label per image and the mergers between levels.
// A merger is a pair: the label that disappears and the one it becomes; the first of them leaves one group less than the most.

const letterOf = (index) => (index < 26 ? "" : letterOf(Math.floor(index / 26) - 1)) + String.fromCharCode(97 + (index % 26));

function makeLevels({ finest, mergers, n_clusters: answer, most, fewest }) {
  const finestOf = new Int32Array(bytesOf(finest));
  const pairs = new Int32Array(bytesOf(mergers));
  // The merger that leaves k groups, as [child, parent].
  const mergerTo = (k) => [pairs[2 * (most - 1 - k)], pairs[2 * (most - 1 - k) + 1]];

  function labelsAt(k) {
    const label = Int32Array.from({ length: most }, (_, id) => id);
    for (let left = k; left < most; left++) {
      const [child, parent] = mergerTo(left);
      label[child] = label[parent]; // mergers to fewer groups come later, so the parent's is final already
    }
    return finestOf.map((id) => label[id]);
  }

  // Above the answer, parts of group 3 are 3a, 3b, 3c in the order in which they split off.
  function partNames(k) {
    const parts = new Map(); // label of the run -> its parts
    const whole = Array.from({ length: answer }, (_, id) => id);
    for (let child = answer; child < k; child++) {
      const origin = whole[mergerTo(child)[1]];
      whole.push(origin);
      parts.set(origin, [...(parts.get(origin) ?? [origin]), child]);
    }
    const names = new Map();
    for (const [origin, ids] of parts) {
      ids.forEach((id, index) => names.set(id, { mark: origin + letterOf(index), long: origin + letterOf(index), place: origin + index / most }));
    }
    return names;
  }

  // Below it, groups 0 and 3 together are 0 + 3.
  function sumNames(k) {
    const sums = new Map();
    for (let left = answer - 1; left >= k; left--) {
      const [child, parent] = mergerTo(left);
      sums.set(parent, [...(sums.get(parent) ?? [parent]), ...(sums.get(child) ?? [child])]);
      sums.delete(child);
    }
    const names = new Map();
    for (const [id, ids] of sums) {
      ids.sort((a, b) => a - b);
      const listed = ids.length > 4 ? `${ids.slice(0, 3).join(" + ")} and ${ids.length - 3} more` : ids.join(" + ");
      names.set(id, { mark: ids.length > 2 ? `${ids[0]}+…` : ids.join("+"), long: listed, place: id });
    }
    return names;
  }

  const namesAt = (k) => (k > answer ? partNames(k) : sumNames(k));
  return { answer, most, fewest, mergerTo, labelsAt, namesAt };
}
