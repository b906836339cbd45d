// The order in which the page comes to life.

startTheme();
startGroups();
const map = startMap();
startSizes();
startCurves();
const clouds = startClouds();
startAttention();
startSkipped();
setLabels(answerLabels);
const slider = startSlider();

// The seam for controls that change the grouping, and for tests.
window.coteriePage = { data, state, setLabels, openGroup, map, slider, clouds };
document.documentElement.dataset.ready = "true";
