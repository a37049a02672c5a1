// Events in words: the list of a direction's events, and the panel of the one that was chosen.

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "text") element.textContent = value;
    else if (name === "do") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

function copyButton(text, what) {
  return made("button", {type: "button", class: "copy", "data-copy": text, text: "copy",
                         "aria-label": `Copy ${what}: ${text}`});
}

function copied(text, what) {
  return made("span", {class: "copied"}, made("span", {class: "text", text}),
              copyButton(text, what));
}

function tableOf(heads, rows, caption) {
  const head = made("tr", {}, ...heads.map(text => made("th", {scope: "col", text})));
  return made("div", {class: "wide"}, made("table", {}, made("caption", {text: caption}),
    made("thead", {}, head), made("tbody", {}, ...rows)));
}

function eventList(events, chosen, choose) {
  const holder = document.getElementById("events");
  holder.replaceChildren();
  if (!events.length) {
    holder.append(made("p", {class: "note", text: "No events in this direction."}));
    return;
  }
  const heads = ["event", ...Object.keys(events[0].summary)];
  holder.append(tableOf(heads, events.map(event => {
    const button = made("button", {type: "button", text: event.number,
                                   "aria-label": `Show event ${event.number}`,
                                   "aria-pressed": String(event === chosen)});
    const row = made("tr", {"data-event": event.number, do: () => choose(event),
                            class: event === chosen ? "chosen" : ""},
      made("td", {}, button), ...Object.values(event.summary).map(text => made("td", {text})));
    return row;
  }), "Events of this direction: choose one to see its images, polarization and matches"));
}

function eventPanel(data, event, actions) {
  const panel = document.getElementById("event");
  panel.hidden = !event;
  panel.replaceChildren();
  if (!event) return;
  panel.append(made("div", {class: "head"},
    made("h3", {text: `Event ${event.number}: ${event.name}`}),
    made("span", {class: "group"},
      made("button", {type: "button", text: "Previous", title: "previous event (p)",
                      do: actions.previous}),
      made("button", {type: "button", text: "Next", title: "next event (n)", do: actions.next}),
      made("button", {type: "button", text: "Zoom to it", title: "zoom to the event (z)",
                      do: actions.zoom}),
      made("button", {type: "button", text: "Close", title: "close (Escape)",
                      do: actions.close}))));
  const {position} = event;
  if (position.text) {
    panel.append(made("p", {class: "position"}, "Position (ICRS) ",
      copied(position.text, "position"), " or in degrees ",
      copied(position.degrees, "position in degrees"),
      ` ${position.error}, ${position.how}`));
  }
  panel.append(made("h4", {text: "Polarization"}), made("div", {id: "event-curves"}));
  const groups = Object.entries(event.numbers);
  panel.append(made("div", {class: "groups"}, ...groups.map(([name, lines]) =>
    made("div", {}, made("h4", {text: name}), made("dl", {}, ...lines.flatMap(
      ([what, value, meaning]) => [made("dt", {text: what.replaceAll("_", " "), title: meaning}),
                                   made("dd", {text: value})]))))));
  panel.append(made("h4", {text: "Images"}));
  if (event.pictures.length) {
    panel.append(made("div", {class: "images"}, ...event.pictures.map(([id, caption]) => {
      const image = made("img", {alt: caption});
      image.src = document.getElementById(id).src;
      return made("figure", {}, image, made("figcaption", {text: caption}));
    })));
  } else {
    panel.append(made("p", {class: "note", text: "No images of this event were made."}));
  }
  panel.append(made("h4", {text: "Matches"}));
  if (event.matches.length) {
    const heads = Object.keys(event.matches[0]);
    panel.append(tableOf(heads, event.matches.map(match => made("tr", {}, ...heads.map(head =>
      head === "position" ? made("td", {}, copied(match[head], "position"))
        : made("td", {text: match[head]})))), "Sources of catalogues near it"));
  } else {
    panel.append(made("p", {class: "note", text: "No source of a catalogue is near it."}));
  }
  eventCurves(data, event);
}

// The light curves of all Stokes parameters in the band of an event, and around its time.
function eventCurves(data, event) {
  const holder = document.getElementById("event-curves");
  const [from, to] = data.channels(event.low, event.high);
  const around = 1.5 * (event.stop - event.start) + 5 * (data.stop[0] - data.start[0]);
  const t0 = firstFrom(data.time, event.start - around);
  const t1 = firstFrom(data.time, event.stop + around);
  const time = [], cells = [];
  for (let t = t0; t < t1; t++) {
    // A place without a value breaks the line where nothing was observed.
    if (t > t0 && data.start[t] - data.stop[t - 1] > 0.5 * (data.stop[t] - data.start[t])) {
      time.push((data.stop[t - 1] + data.start[t]) / 2);
      cells.push(-1);
    }
    time.push(data.time[t]);
    cells.push(t);
  }
  if (!time.length) return;
  const curves = data.planes.map(plane => {
    const {value, error} = data.curve(plane, from, to);
    return {label: plane.label, value: cells.map(t => t < 0 ? null : value[t]),
            error: cells.map(t => t < 0 ? NaN : error[t])};
  });
  const all = curves.flatMap(({value, error}) => value.flatMap((v, i) =>
    v === null ? [] : [v - (error[i] || 0), v + (error[i] || 0)]));
  const low = Math.min(...all, 0), high = Math.max(...all, 0), pad = 0.05 * (high - low) || 1;
  const [unit, size] = fluxUnit(Math.max(-low, high));
  const axis = new Axis([[time[0], time[time.length - 1] + 1e-6]], false, 0);
  const zero = time[0];
  const u = new uPlot({
    width: Math.min(holder.clientWidth, 900), height: 230,
    legend: {show: true, live: false}, cursor: {show: false},
    scales: {x: {time: false, range: () => [time[0] - 0.02 * around, time[time.length - 1] + 0.02 * around]},
             y: {range: () => [low - pad, high + pad]}},
    axes: [
      {...AXIS, size: 34, label: `${data.utc(event.start).slice(0, 10)} (UTC)`, labelSize: 18,
       splits: u => axis.ticks(0, axis.length, 90 * axis.length / (u.width - 90), TIME_STEPS)
         .map(tick => zero + tick.place),
       values: (u, places) => places.map(place => clockText(data, place, places))},
      {...AXIS, size: 62, incrs: ROUND_STEPS, label: `Flux density (${unit})`, labelSize: 18,
       values: (u, splits, axisIndex, space, step) => splits.map(value =>
         minus((value / size).toFixed(decimals(step / size))))}],
    series: [{}, ...curves.map(({label}) => ({
      label: `Stokes ${label}`, stroke: COLOURS[label], width: 1.3, spanGaps: false,
      points: {show: true, size: 4, fill: COLOURS[label]}}))],
    hooks: {drawAxes: [u => {
      drawEventTimes(u, [{x0: event.start, x1: event.stop, event}], null);
      drawZero(u);
    }], draw: [u => curves.forEach(({label, value, error}) =>
      drawErrorBars(u, time, value, error, COLOURS[label]))]},
  }, [time, ...curves.map(curve => curve.value)], holder);
  u.root.setAttribute("role", "img");
  u.root.setAttribute("aria-label", `Light curves of Stokes ${data.polarizations.join(", ")} from `
    + `${frequencyText(event.low, 1e6)} to ${frequencyText(event.high, 1e6)} around the event`);
  holder.append(made("p", {class: "note", text:
    `Means over the band of the event, ${frequencyText(event.low, event.high - event.low)} to `
    + `${frequencyText(event.high, event.high - event.low)}; its time is shaded.`}));
}
