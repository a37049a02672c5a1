// What the pointer reads, and which event is chosen.

function cellAt(edges, place) {
  const i = firstFrom(edges.high, place);
  return i < edges.low.length && edges.low[i] <= place ? i : -1;
}

function read(u, event) {
  const {data} = state, [left, top] = within(u, event), plane = data.plane(state.label);
  const t = cellAt(state.x, u.posToVal(left, "x"));
  const readout = find("readout");
  if (t < 0) {
    readout.textContent = "no data here";
    return;
  }
  const length = data.stop[t] - data.start[t];
  const words = [`${data.utc(data.time[t], length < 2 || length % 1)} UTC`];
  let value, error;
  if (u === spectrumPlot) {
    const f = cellAt(state.y, u.posToVal(top, "y"));
    if (f < 0) {
      readout.textContent = "no data here";
      return;
    }
    words.push(frequencyText(data.frequency[f], data.high[f] - data.low[f]));
    value = plane.flux[t * data.F + f];
    error = plane.sigma[t * data.F + f];
  } else {
    words.push("light curve");
    value = state.curve.value[t];
    error = state.curve.error[t];
  }
  if (value === null || Number.isNaN(value)) words.push("flagged");
  else {
    words.push(`${state.label} = ${fluxText(value, error)}`);
    if (error > 0) words.push(`S/N ${minus((value / error).toFixed(1))}`);
  }
  readout.textContent = [...words, `scan ${data.scan[t]}`].join(" · ");
}

function eventAt(u, pointer) {
  const [left, top] = within(u, pointer);
  const hits = state.boxes.filter(box => {
    const inTime = left >= u.valToPos(box.x0, "x") - 4 && left <= u.valToPos(box.x1, "x") + 4;
    return inTime && (u === curvePlot
      || (top >= u.valToPos(box.y1, "y") - 18 && top <= u.valToPos(box.y0, "y") + 4));
  });
  hits.sort((a, b) => (a.x1 - a.x0) * (a.y1 - a.y0) - (b.x1 - b.x0) * (b.y1 - b.y0));
  return hits.length ? hits[0].event : null;
}

function choose(event) {
  state.event = event;
  if (event) {
    if (state.data.polarizations.includes(event.stokes)) state.label = event.stokes;
    const x0 = state.time.place(event.start), x1 = state.time.place(event.stop);
    const y0 = state.band.place(event.low), y1 = state.band.place(event.high), {view} = state;
    if (x1 < view.x0 || x0 > view.x1) {
      const half = (view.x1 - view.x0) / 2, middle = (x0 + x1) / 2;
      Object.assign(view, {x0: middle - half, x1: middle + half});
    }
    if (y1 < view.y0 || y0 > view.y1) Object.assign(view, {y0: 0, y1: state.band.length});
  }
  look({});
  eventList(state.data.events, event, choose);
  eventPanel(state.data, event, {next: () => act("next"), previous: () => act("previous"),
                                 zoom: () => act("event"), close: () => act("close")});
}

function step(by) {
  const {events} = state.data;
  if (!events.length) return;
  const now = events.indexOf(state.event);
  choose(events[now < 0 ? (by > 0 ? 0 : events.length - 1)
    : (now + by + events.length) % events.length]);
}

function zoomToEvent() {
  const {event, time, band} = state;
  if (!event) return;
  const x0 = time.place(event.start), x1 = time.place(event.stop);
  const y0 = band.place(event.low), y1 = band.place(event.high);
  look({x0: x0 - 1.5 * (x1 - x0), x1: x1 + 1.5 * (x1 - x0),
        y0: y0 - 0.5 * (y1 - y0), y1: y1 + 0.5 * (y1 - y0)});
}
