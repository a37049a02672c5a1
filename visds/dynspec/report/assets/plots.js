// The two plots, their axes, and what is drawn again whenever the state has changed.

function scaleOf(low, high) {
  return {time: false, auto: false, range: () => [state.view[low], state.view[high]]};
}

function timeTicks(u) {
  const {x0, x1} = state.view;
  const room = 84 * (x1 - x0) / (spectrumPlot.width - sideSize() - NAME_SIZE - RIGHT);
  state.ticks = state.time.ticks(x0, x1, room, TIME_STEPS);
  return state.ticks.map(tick => tick.place);
}

function timeLabels() {
  const {data, ticks} = state;
  const step = Math.min(...ticks.map(tick => tick.step));
  let day = null;
  return ticks.map(tick => {
    const text = data.utc(tick.value + 2e-4, step < 1);
    const isNew = day !== null && text.slice(0, 10) !== day;
    const clock = text.slice(11, step < 1 ? 23 : step < 60 ? 19 : 16);
    day = text.slice(0, 10);
    return isNew ? `${clock}\n${day}` : clock;
  });
}

function dayText() {
  const from = state.data.utc(state.time.value(state.view.x0)).slice(0, 10);
  return `Time (UTC) from ${from}`;
}

function bandUnit() {
  return state.data.high[state.data.F - 1] >= 3e9 ? ["GHz", 1e9] : ["MHz", 1e6];
}

function bandTicks(u) {
  const {y0, y1} = state.view, [, size] = bandUnit();
  const room = 36 * (y1 - y0) / (u.height - 18);
  state.bandSteps = state.band.ticks(y0, y1, room, ROUND_STEPS.map(step => step * size));
  return state.bandSteps.map(tick => tick.place);
}

function bandLabels() {
  const [, size] = bandUnit();
  const digits = decimals(Math.min(...state.bandSteps.map(tick => tick.step)) / size);
  return state.bandSteps.map(tick => (tick.value / size).toFixed(digits));
}

// Both plots leave the room at their left that the longer numbers of the two need.
function sideSize(u, texts) {
  if (texts) state.sides.set(u, Math.ceil(Math.max(0, ...texts.map(textWidth))) + NUMBER_GAP);
  return Math.max(LEAST_SIDE, ...state.sides.values());
}

function cursor(drag) {
  return {drag: {dist: 4, uni: 14, setScale: false, ...drag}, points: {show: false},
          // The cross hairs go together; what is dragged on one plot is dragged there alone.
          sync: {key: "visds", scales: ["x", null],
                 filters: {pub: type => type === "mousemove" || type === "mouseleave"}},
          bind: {mousedown: (u, target, handle) => event => isPan(event) ? null : handle(event),
                 dblclick: () => () => act("all")}};
}

const spectrumPlot = new uPlot({
  width: 600, height: 340, padding: [10, RIGHT, 0, 0], legend: {show: false},
  cursor: cursor({x: true, y: true}),
  scales: {x: scaleOf("x0", "x1"), y: scaleOf("y0", "y1")},
  axes: [{...AXIS, size: 8, splits: u => timeTicks(u), values: (u, places) => places.map(() => "")},
         {...AXIS, size: sideSize, labelSize: NAME_SIZE,
          label: () => `Frequency (${bandUnit()[0]})`,
          splits: u => bandTicks(u), values: () => bandLabels()}],
  series: [{}, {paths: () => null, points: {show: false}}],
  hooks: {drawClear: [drawCells], setSelect: [zoomToSelection],
          draw: [u => {
            drawBreaks(u, state.time.breaks, "x");
            drawBreaks(u, state.band.breaks, "y");
            drawEventBoxes(u, shownBoxes(), state.event, visibleGaps());
            drawFrame(u);
          }]},
}, [[0, 1], [0, 1]], null);

const curvePlot = new uPlot({
  width: 600, height: 190, padding: [6, RIGHT + BEYOND, 0, 0], legend: {show: false},
  cursor: {...cursor({x: true, y: false}), y: false},
  scales: {x: scaleOf("x0", "x1"), y: {auto: false, range: () => state.range}},
  axes: [{...AXIS, size: 42, labelSize: 18, label: () => dayText(), splits: u => timeTicks(u),
          values: () => timeLabels()},
         {...AXIS, size: sideSize, labelSize: NAME_SIZE, incrs: ROUND_STEPS,
          label: () => `Stokes ${state.label} (${state.unit[0]})`,
          values: (u, splits, index, space, step) => splits.map(value =>
            minus((value / state.unit[1]).toFixed(decimals(step / state.unit[1]))))}],
  series: [{}, {paths: () => null, stroke: "#1b1b1b",
                points: {show: true, size: 4, width: 0, fill: () => COLOURS[state.label]}}],
  hooks: {setSelect: [zoomToSelection],
          drawAxes: [u => {
            drawEventTimes(u, shownBoxes(), state.event, visibleGaps());
            drawZero(u);
          }],
          draw: [u => {
            drawErrorBars(u, state.x.middle, state.curve.value, state.curve.error,
                          COLOURS[state.label]);
            drawBreaks(u, state.time.breaks, "x");
            drawFrame(u);
          }]},
}, [[0, 1], [0, 1]], null);

function drawFrame(u) {
  const {ctx, bbox} = u;
  ctx.strokeStyle = "#444";
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeRect(bbox.left, bbox.top, bbox.width, bbox.height);
}

function drawCells(u) {
  const {data, view} = state, {ctx, bbox} = u;
  const width = Math.round(bbox.width), height = Math.round(bbox.height);
  if (width < 1 || height < 1) return;
  const plane = data.plane(state.label);
  const key = JSON.stringify([state.number, state.label, view, width, height, limits()]);
  if (key !== state.imageKey) {
    const hexes = plane.isSigned ? maps.signed : maps.unsigned;
    state.image = cellImage(data.F, plane, state.x, state.y, view, width, height, limits(),
                            colourTable(hexes), colourTable([maps.flagged])[0]);
    state.imageKey = key;
  }
  ctx.drawImage(state.image, Math.round(bbox.left), Math.round(bbox.top));
}

// Those that lie in the view, cut at its ends.
function visibleGaps() {
  const {view: {x0, x1}, time} = state;
  return time.breaks.filter(gap => gap.to > x0 && gap.from < x1).map(gap => ({
    from: Math.max(gap.from, x0), to: Math.min(gap.to, x1)}));
}

function shownBoxes() {
  return state.boxes.map(box => ({...box, isOwn: box.event.stokes === state.label}));
}

function refresh() {
  const {data, view} = state, plane = data.plane(state.label);
  state.channels = data.channels(state.band.value(view.y0), state.band.value(view.y1));
  state.curve = data.curve(plane, ...state.channels);
  state.range = curveRange();
  state.unit = fluxUnit(Math.max(Math.abs(state.range[0]), Math.abs(state.range[1])));
  curvePlot.batch(() => {
    curvePlot.setData([state.x.middle, state.curve.value], false);
    curvePlot.setScale("x", {min: view.x0, max: view.x1});
    curvePlot.setScale("y", {min: state.range[0], max: state.range[1]});
  });
  spectrumPlot.batch(() => {
    spectrumPlot.setScale("x", {min: view.x0, max: view.x1});
    spectrumPlot.setScale("y", {min: view.y0, max: view.y1});
  });
  // The second time the curve knows how long the numbers beside the spectrum are.
  for (const plot of [curvePlot, spectrumPlot, curvePlot]) plot.redraw(false, true);
  const {top, height} = spectrumPlot.bbox;
  drawColourBar(find("colour-bar"), top / devicePixelRatio, height / devicePixelRatio, limits(),
                plane.isSigned ? maps.signed : maps.unsigned, `Stokes ${state.label}`);
  for (const button of document.querySelectorAll("[data-stokes]")) {
    const label = button.dataset.stokes;
    button.setAttribute("aria-pressed", String(label === state.label));
    button.hidden = !data.polarizations.includes(label);
  }
  for (const mode of ["zoom", "pan"]) {
    document.querySelector(`[data-do=drag-${mode}]`).setAttribute("aria-pressed",
                                                                  String(state.drag === mode));
  }
  document.querySelector("[data-do=gaps]").setAttribute("aria-pressed", String(state.shorten));
  find("plots").classList.toggle("pans", state.drag === "pan");
  const [first, last] = state.channels;
  find("shown").textContent = `Stokes ${state.label}, ${data.utc(state.time.value(view.x0))} to `
    + `${data.utc(state.time.value(view.x1))} UTC, light curve of ${last - first} `
    + `${last - first === 1 ? "channel" : "channels"} from `
    + `${frequencyText(data.low[first], data.high[first] - data.low[first])} to `
    + `${frequencyText(data.high[last - 1], data.high[last - 1] - data.low[last - 1])}`;
}

// All shown points and the typical error, so that one huge error does not flatten the curve.
function curveRange() {
  const {view, curve, x} = state, values = [], errors = [];
  for (let t = firstFrom(x.middle, view.x0); t < x.middle.length && x.middle[t] <= view.x1; t++) {
    if (curve.value[t] === null) continue;
    values.push(curve.value[t]);
    if (curve.error[t] > 0) errors.push(curve.error[t]);
  }
  if (!values.length) return [-1, 1];
  errors.sort((a, b) => a - b);
  const typical = errors.length ? errors[errors.length >> 1] : 0;
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const pad = 1.3 * typical + MARGIN * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - pad, high + pad];
}
