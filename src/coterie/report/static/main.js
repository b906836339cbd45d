// The order in which the page comes to life.

startTheme();
startGroups();
const map = startMap();
startSizes();
startSkipped();
setLabels(new Int32Array(bytesOf(data.labels)));

// The seam for controls that change the grouping, and for tests.
window.coteriePage = { data, state, setLabels, openGroup, map };
document.documentElement.dataset.ready = "true";
