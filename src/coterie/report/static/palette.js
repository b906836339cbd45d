// A colour per group. The first twelve are told apart by most colour-blind readers (after Okabe and Ito, evened out for
// both themes); further ones walk round the hue circle by the golden angle. Colour is never the only sign: every dot names its group.

const FEW = [
  "#0072b2", "#e08214", "#009e73", "#c85a9e", "#4fb3e8", "#d1490c", "#b5a100", "#7a68c9",
  "#8c6d4f", "#7f8790", "#94b447", "#b3324f",
];

function colourOf(id) {
  if (id < 0) return "#8a8a8a";
  if (id < FEW.length) return FEW[id];
  const step = id - FEW.length;
  const hue = (step * 137.508 + 20) % 360;
  return `hsl(${hue.toFixed(1)} ${[62, 48, 74][step % 3]}% ${[52, 42, 62][Math.floor(step / 3) % 3]}%)`;
}
