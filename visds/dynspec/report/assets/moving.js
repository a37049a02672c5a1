// Zooming and panning by whatever means, and the pointer on the plots.

function bounded(low, high, length, least) {
  const width = Math.min(Math.max(high - low, least), length);
  const middle = (low + high) / 2;
  const from = Math.min(Math.max(middle - width / 2, 0), length - width);
  return [from, from + width];
}

function look(change) {
  const {view, time, band, data} = state;
  const next = {...view, ...change};
  const shortest = data.stop.reduce((least, stop, t) => Math.min(least, stop - data.start[t]), Infinity);
  const narrowest = data.high.reduce((least, high, f) => Math.min(least, high - data.low[f]), Infinity);
  [next.x0, next.x1] = bounded(next.x0, next.x1, time.length, Math.min(2 * shortest, time.length));
  [next.y0, next.y1] = bounded(next.y0, next.y1, band.length, Math.min(narrowest, band.length));
  state.view = next;
  refresh();
}

function zoom(key, factor, at) {
  const low = state.view[`${key}0`], high = state.view[`${key}1`];
  const middle = at === undefined ? (low + high) / 2 : at;
  look({[`${key}0`]: middle + (low - middle) * factor, [`${key}1`]: middle + (high - middle) * factor});
}

function pan(key, share) {
  const low = state.view[`${key}0`], high = state.view[`${key}1`];
  const axis = key === "x" ? state.time : state.band;
  let step = share * (high - low);
  step = Math.max(-low, Math.min(step, axis.length - high));
  look({[`${key}0`]: low + step, [`${key}1`]: high + step});
}

function zoomToSelection(u) {
  const {left, top, width, height} = u.select;
  if (width < 4 && height < 4) return;
  const change = {};
  if (width >= 4) {
    change.x0 = u.posToVal(left, "x");
    change.x1 = u.posToVal(left + width, "x");
  }
  if (u === spectrumPlot && height >= 4) {
    change.y0 = u.posToVal(top + height, "y");
    change.y1 = u.posToVal(top, "y");
  }
  u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
  look(change);
}

function isPan(event) {
  return state.drag === "pan" || event.shiftKey || event.button === 1;
}

function listen(u) {
  let grabbed = null, pressed = null;
  u.over.addEventListener("pointerdown", event => {
    pressed = [event.clientX, event.clientY];
    if (!isPan(event) && event.pointerType !== "touch") return;
    grabbed = {x: event.clientX, y: event.clientY, view: {...state.view}};
    u.over.setPointerCapture(event.pointerId);
  });
  u.over.addEventListener("pointermove", event => {
    read(u, event);
    if (!grabbed) return;
    const {view} = grabbed;
    const x = (event.clientX - grabbed.x) / u.over.clientWidth * (view.x1 - view.x0);
    const y = u === spectrumPlot
      ? (event.clientY - grabbed.y) / u.over.clientHeight * (view.y1 - view.y0) : 0;
    look({x0: view.x0 - x, x1: view.x1 - x, y0: view.y0 + y, y1: view.y1 + y});
  });
  for (const end of ["pointerup", "pointercancel"]) {
    u.over.addEventListener(end, () => { grabbed = null; });
  }
  u.over.addEventListener("pointerleave", () => {
    if (!grabbed) find("readout").textContent = "Point at the spectrum to read it.";
  });
  u.over.addEventListener("click", event => {
    find("plots").focus({preventScroll: true});
    if (!pressed || Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4) return;
    const hit = eventAt(u, event);
    if (hit) choose(hit);
  });
  u.over.addEventListener("wheel", event => {
    // Until the spectrum was clicked the wheel scrolls the page.
    if (!find("plots").contains(document.activeElement)) return;
    event.preventDefault();
    const turn = event.deltaY || event.deltaX, factor = turn > 0 ? 1.25 : 0.8;
    const [left, top] = within(u, event);
    if (event.shiftKey && u === spectrumPlot) zoom("y", factor, u.posToVal(top, "y"));
    else zoom("x", factor, u.posToVal(left, "x"));
  }, {passive: false});
}

function within(u, event) {
  const box = u.over.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
