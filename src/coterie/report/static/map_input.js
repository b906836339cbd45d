// Hands on the map: drag or two fingers to move, wheel or pinch to zoom, arrows and + - 0 on the keyboard.

function listenToMap({ canvas, camera, under, point, move, open }) {
  const down = new Map(); // pointer id -> last place
  let dragged = false;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    down.set(event.pointerId, place(event));
    dragged = down.size > 1;
  });

  function pinch(event, [x, y]) {
    const [ox, oy] = [...down].find(([id]) => id !== event.pointerId)[1];
    const [lx, ly] = down.get(event.pointerId);
    const grown = Math.hypot(x - ox, y - oy) / Math.max(1, Math.hypot(lx - ox, ly - oy));
    move(() => {
      camera.zoom(grown, (x + ox) / 2, (y + oy) / 2);
      camera.pan((x - lx) / 2, (y - ly) / 2);
    });
  }

  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = down.get(event.pointerId);
    if (!before) {
      point(under(...now));
      return;
    }
    if (down.size === 2) {
      pinch(event, now);
    } else if (event.pointerType !== "touch") {
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      if (!dragged && Math.hypot(dx, dy) < 3) return;
      dragged = true;
      canvas.setPointerCapture(event.pointerId);
      move(() => camera.pan(dx, dy));
    }
    down.set(event.pointerId, now);
  });

  canvas.addEventListener("pointerup", (event) => {
    const image = under(...place(event));
    const tapped = down.delete(event.pointerId) && !dragged;
    if (!tapped || image < 0) return;
    if (event.pointerType === "touch") point(image);
    else open(image);
  });
  canvas.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && point(-1));

  // A plain wheel scrolls the page past the map; it zooms once the map was clicked, or with Ctrl, or by pinching a trackpad.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
      event.preventDefault();
      move(() => camera.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), ...place(event)));
    },
    { passive: false },
  );

  canvas.addEventListener("keydown", (event) => {
    const middle = [camera.view.width / 2, camera.view.height / 2];
    const moves = {
      ArrowLeft: () => camera.pan(60, 0),
      ArrowRight: () => camera.pan(-60, 0),
      ArrowUp: () => camera.pan(0, 60),
      ArrowDown: () => camera.pan(0, -60),
      "+": () => camera.zoom(1.4, ...middle),
      "=": () => camera.zoom(1.4, ...middle),
      "-": () => camera.zoom(1 / 1.4, ...middle),
      0: () => camera.fit(),
    };
    if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(moves[event.key]);
  });
}
