// A coordinate along an axis on which wide gaps between stretches of data are shortened.

const MARGIN = 0.06;

class Axis {
  // stretches: ascending [low, high] pairs; share: width of a shortened gap in units of all data.
  constructor(stretches, shorten, share) {
    this.values = [stretches[0][0]];
    this.places = [0];
    this.breaks = [];
    const data = stretches.reduce((sum, [low, high]) => sum + high - low, 0);
    const short = Math.min(share, 0.3 / Math.max(stretches.length - 1, 1)) * data;
    stretches.forEach(([low, high], number) => {
      if (number) {
        const gap = low - this.values[this.values.length - 1];
        const isShort = shorten && gap > 1.5 * short;
        const from = this.places[this.places.length - 1];
        this.values.push(low);
        this.places.push(from + (isShort ? short : gap));
        if (isShort) this.breaks.push({from, to: from + short, low: low - gap, high: low});
      }
      this.values.push(high);
      this.places.push(this.places[this.places.length - 1] + high - low);
    });
    this.length = this.places[this.places.length - 1];
  }

  place(value) {
    return interpolated(value, this.values, this.places);
  }

  value(place) {
    return interpolated(place, this.places, this.values);
  }

  // The stretches without a shortened gap between two places, as pairs of values.
  panels(from, to) {
    const sides = [from];
    for (const gap of this.breaks) {
      if (gap.to > from && gap.from < to) sides.push(gap.from, gap.to);
    }
    sides.push(to);
    const panels = [];
    for (let i = 0; i < sides.length; i += 2) {
      if (sides[i + 1] > sides[i]) panels.push([sides[i], sides[i + 1]]);
    }
    return panels;
  }

  // Ticks at multiples of the finest step for which labels of `room` (a length) do not touch;
  // a panel too short for one of them has the roundest value that is in it, if there is room.
  ticks(from, to, room, steps) {
    const step = steps.find(one => one >= room) || steps[steps.length - 1];
    const ticks = [];
    for (const [start, stop] of this.panels(from, to)) {
      const low = this.value(start + 1e-9 * this.length), high = this.value(stop - 1e-9 * this.length);
      let own = multiples(step, low, high);
      if (!own.length) {
        const finer = steps.filter(one => one < step).reverse()
          .find(one => multiples(one, low, high).length);
        if (finer) own = multiples(finer, low, high).slice(0, 1).map(one => ({...one, step: finer}));
      }
      for (const tick of own) {
        tick.place = this.place(tick.value);
        const last = ticks[ticks.length - 1];
        if (!last || tick.place - last.place >= 0.95 * room) ticks.push(tick);
      }
    }
    return ticks;
  }
}

function interpolated(x, from, to) {
  const last = from.length - 1;
  if (x <= from[0]) return to[0] + (x - from[0]);
  if (x >= from[last]) return to[last] + (x - from[last]);
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= x) low = middle; else high = middle;
  }
  const width = from[high] - from[low];
  return width > 0 ? to[low] + (x - from[low]) / width * (to[high] - to[low]) : to[high];
}

function multiples(step, low, high) {
  const found = [];
  for (let k = Math.ceil(low / step - 1e-6); k <= Math.floor(high / step + 1e-6); k++) {
    found.push({value: k * step, step});
  }
  return found;
}

const TIME_STEPS = [1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120,
  300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000];
const ROUND_STEPS = [];
for (let power = -12; power < 13; power++) {
  for (const times of [1, 2, 5]) ROUND_STEPS.push(Number(`${times}e${power}`));
}

function decimals(step) {
  return Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
}

// Where numbers start from `place`, ascending: the first that is not below it.
function firstFrom(numbers, place) {
  let low = 0, high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < place) low = middle + 1; else high = middle;
  }
  return low;
}
