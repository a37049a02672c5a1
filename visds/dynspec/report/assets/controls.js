// What every button and key does; copying; the beginning.

function nextStokes() {
  const {polarizations} = state.data;
  state.label = polarizations[(polarizations.indexOf(state.label) + 1) % polarizations.length];
  refresh();
}

function setContrast(factor) {
  state.contrast = Math.min(1e4, Math.max(1e-4, state.contrast * factor));
  refresh();
}

function setDrag(mode) {
  state.drag = mode;
  refresh();
}

function toggleGaps() {
  const {view} = state;
  const kept = [state.time.value(view.x0), state.time.value(view.x1),
                state.band.value(view.y0), state.band.value(view.y1)];
  state.shorten = !state.shorten;
  layOut();
  look({x0: state.time.place(kept[0]), x1: state.time.place(kept[1]),
        y0: state.band.place(kept[2]), y1: state.band.place(kept[3])});
}

const ACTIONS = {
  "earlier": () => pan("x", -0.25), "later": () => pan("x", 0.25),
  "lower": () => pan("y", -0.25), "higher": () => pan("y", 0.25),
  "time-in": () => zoom("x", 0.5), "time-out": () => zoom("x", 2),
  "band-in": () => zoom("y", 0.5), "band-out": () => zoom("y", 2),
  "all": () => look(whole()), "stokes": nextStokes,
  "target": () => load((state.number + 1) % sources.length),
  "next": () => step(1), "previous": () => step(-1), "event": zoomToEvent,
  "close": () => choose(null), "gaps": toggleGaps,
  "fainter": () => setContrast(1 / 1.5), "stronger": () => setContrast(1.5),
  "drag-zoom": () => setDrag("zoom"), "drag-pan": () => setDrag("pan"),
  "drag": () => setDrag(state.drag === "zoom" ? "pan" : "zoom"),
};
const KEYS = {
  ArrowLeft: "earlier", ArrowRight: "later", ArrowUp: "higher", ArrowDown: "lower",
  "+": "time-in", "=": "time-in", "-": "time-out", "]": "band-in", "[": "band-out", "0": "all",
  s: "stokes", t: "target", n: "next", p: "previous", z: "event", Escape: "close", d: "drag",
  g: "gaps", ",": "fainter", ".": "stronger",
};

function act(name) {
  ACTIONS[name]();
}

function say() {
  const {data} = state;
  find("target-name").textContent = `of ${data.name}${data.role === "off source" ? " (off source)" : ""}`;
  find("target-position").replaceChildren(...(data.position.text ? [
    "Position (ICRS) ", copied(data.position.text, "position"), " or in degrees ",
    copied(data.position.degrees, "position in degrees")] : []));
  find("spectrum-note").textContent = data.note;
  const pick = find("pick-target");
  if (pick) pick.value = String(state.number);
  for (const row of document.querySelectorAll("tr[data-direction]")) {
    row.classList.toggle("chosen", row.dataset.direction === data.name);
  }
}

async function copy(text, place) {
  let isCopied = false;
  try {
    await navigator.clipboard.writeText(text);
    isCopied = true;
  } catch {
    // A page that was opened as a file may not use the clipboard: what is selected can be copied.
    const range = document.createRange();
    range.selectNodeContents(place);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    isCopied = document.execCommand("copy");
  }
  find("copied").textContent = isCopied ? `Copied: ${text}` : "Selected: press Ctrl+C to copy it";
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const {dataset} = button;
  if (dataset.copy) copy(dataset.copy, button.parentElement.querySelector(".text"));
  if (dataset.do) act(dataset.do);
  if (dataset.stokes) {
    state.label = dataset.stokes;
    refresh();
  }
  if (dataset.show) {
    const names = sources.map(source => JSON.parse(source.textContent).name);
    load(names.indexOf(dataset.show));
    find("explorer").scrollIntoView();
  }
});

find("explorer").addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select, input")) return;
  const name = KEYS[event.key];
  if (!name) return;
  event.preventDefault();
  act(name);
});

if (find("pick-target")) {
  find("pick-target").addEventListener("change", event => load(Number(event.target.value)));
}

find("spectrum-plot").append(spectrumPlot.root);
find("curve-plot").append(curvePlot.root);
listen(spectrumPlot);
listen(curvePlot);
load(0);
new ResizeObserver(() => {
  const width = find("plots").clientWidth - find("colour-bar").clientWidth - 2;
  if (width < 50 || width === spectrumPlot.width) return;
  spectrumPlot.setSize({width, height: 340});
  curvePlot.setSize({width: width + BEYOND, height: 190});
  refresh();
}).observe(find("plots"));
