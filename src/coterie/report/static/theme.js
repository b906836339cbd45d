// Light or dark: as the system says, until the button is pressed.

const themeListeners = [];
const onTheme = (redraw) => themeListeners.push(redraw);
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

function startTheme() {
  const button = document.getElementById("theme");
  const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";

  function tell() {
    button.setAttribute("aria-pressed", String(isDark()));
    for (const redraw of themeListeners) redraw();
  }

  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  systemDark.addEventListener("change", tell);
  tell();
}
