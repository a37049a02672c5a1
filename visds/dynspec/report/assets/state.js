// What is shown: the direction, the Stokes parameter, the part of it, the event.

const AXIS = {stroke: "#1b1b1b", font: "12px system-ui, sans-serif", grid: {show: false},
              labelFont: "12px system-ui, sans-serif", ticks: {stroke: "#444", size: 5, width: 1}};
// In pixels: the least room for numbers beside an axis, what they stand apart from it, the room
// for its name, the margin at the right, and how far a label of time may reach beyond that.
const LEAST_SIDE = 46, NUMBER_GAP = 12, NAME_SIZE = 20, RIGHT = 4, BEYOND = 40;

const find = id => document.getElementById(id);
const maps = JSON.parse(find("colour-maps").textContent);
const sources = [...document.querySelectorAll("script.spectrum-data")];
const decoded = sources.map(() => null);
// The view is in places along the axes of time (x) and frequency (y).
const state = {number: 0, data: null, label: "I", view: {x0: 0, x1: 1, y0: 0, y1: 1}, contrast: 1,
               shorten: true, drag: "zoom", event: null, image: null, imageKey: "",
               range: [-1, 1], unit: ["Jy", 1], sides: new Map()};
const ruler = document.createElement("canvas").getContext("2d");

function textWidth(text) {
  ruler.font = AXIS.font;
  return ruler.measureText(text).width;
}

function clockText(data, seconds, among) {
  const step = among.length > 1
    ? Math.min(...among.slice(1).map((place, i) => place - among[i])) : 60;
  const text = data.utc(seconds + 5e-4, step < 1);
  return text.slice(11, step < 1 ? 23 : step < 59.9 ? 19 : 16);
}

function load(number) {
  decoded[number] = decoded[number] || new SpectrumData(JSON.parse(sources[number].textContent));
  state.number = number;
  state.data = decoded[number];
  state.contrast = 1;
  if (!state.data.polarizations.includes(state.label)) state.label = state.data.polarizations[0];
  layOut();
  state.view = whole();
  say();
  choose(null);
}

function layOut() {
  const {data} = state;
  state.time = new Axis(data.runs, state.shorten, 0.025);
  state.band = new Axis(data.windows, state.shorten, 0.06);
  state.x = placed(state.time, data.start, data.stop);
  state.y = placed(state.band, data.low, data.high);
  state.boxes = data.events.map(event => ({event,
    x0: state.time.place(event.start), x1: state.time.place(event.stop),
    y0: state.band.place(event.low), y1: state.band.place(event.high)}));
  state.imageKey = "";
}

function placed(axis, low, high) {
  const edges = {low: low.map(value => axis.place(value)), high: high.map(value => axis.place(value))};
  edges.middle = edges.low.map((edge, i) => (edge + edges.high[i]) / 2);
  return edges;
}

function whole() {
  return {x0: 0, x1: state.time.length, y0: 0, y1: state.band.length};
}

function limits() {
  const {isSigned, limits: [low, high]} = state.data.plane(state.label);
  if (isSigned) return [low / state.contrast, high / state.contrast];
  return [low / state.contrast, low / state.contrast + (high - low) / state.contrast];
}
