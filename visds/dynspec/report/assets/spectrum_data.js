// The numbers of a spectrum, decoded, and the weighted means that are made of them.

class SpectrumData {
  constructor(json) {
    Object.assign(this, json);
    this.T = this.start.length;
    this.F = this.low.length;
    this.time = this.start.map((start, t) => (start + this.stop[t]) / 2);
    this.frequency = this.low.map((low, f) => (low + this.high[f]) / 2);
    this.weights = [];
    this.planes = this.polarizations.map((label, p) => {
      const weight = json.weight[p];
      this.weights.push(typeof weight === "number" ? this.weights[weight] : positives(weight));
      return {label, isSigned: label !== "I", limits: this.limits[p], weight: this.weights[p],
              flux: linearNumbers(json.flux[p]), sigma: positives(json.sigma[p])};
    });
    this.flux = this.sigma = this.weight = null;
  }

  plane(label) {
    return this.planes[Math.max(0, this.polarizations.indexOf(label))];
  }

  // Seconds since the first day as a UTC date and time.
  utc(seconds, digits) {
    const text = new Date((this.day - 40587) * 864e5 + Math.round(seconds * 1e3)).toISOString();
    return text.slice(0, 10) + " " + text.slice(11, digits ? 20 + digits : 19);
  }

  // The weighted mean over channels [from, to) of every integration, with its standard error.
  curve(plane, from, to) {
    const value = new Array(this.T), error = new Array(this.T);
    for (let t = 0; t < this.T; t++) {
      let sum = 0, total = 0, variance = 0;
      for (let cell = t * this.F + from; cell < t * this.F + to; cell++) {
        const w = plane.weight[cell];
        if (!(w > 0)) continue;
        total += w;
        sum += w * plane.flux[cell];
        variance += (w * plane.sigma[cell]) ** 2;
      }
      value[t] = total > 0 ? sum / total : null;
      error[t] = total > 0 && variance >= 0 ? Math.sqrt(variance) / total : NaN;
    }
    return {value, error};
  }

  // The channels whose centres lie between two frequencies, at least one.
  channels(low, high) {
    let from = firstFrom(this.frequency, low), to = firstFrom(this.frequency, high);
    if (to <= from) {
      const middle = (low + high) / 2;
      from = this.frequency.reduce((best, frequency, f) =>
        Math.abs(frequency - middle) < Math.abs(this.frequency[best] - middle) ? f : best, 0);
      to = from + 1;
    }
    return [from, to];
  }
}

function bytes(text) {
  const raw = atob(text), data = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) data[i] = raw.charCodeAt(i);
  return new DataView(data.buffer);
}

function linearNumbers({data, middle, step}) {
  const view = bytes(data);
  if (!step) {
    return Float32Array.from({length: view.byteLength / 4}, (_, i) => view.getFloat32(4 * i, true));
  }
  const numbers = new Float32Array(view.byteLength / 2);
  for (let i = 0; i < numbers.length; i++) {
    const code = view.getInt16(2 * i, true);
    numbers[i] = code === -32768 ? NaN : middle + step * code;
  }
  return numbers;
}

// NaN where there is none.
function positives({data, least, step}) {
  const view = bytes(data), numbers = new Float64Array(view.byteLength / 2);
  for (let i = 0; i < numbers.length; i++) {
    const code = view.getUint16(2 * i, true);
    numbers[i] = code ? least * Math.exp(step * (code - 1)) : NaN;
  }
  return numbers;
}

const UNITS = [["kJy", 1e3], ["Jy", 1], ["mJy", 1e-3], ["µJy", 1e-6], ["nJy", 1e-9]];

function fluxUnit(largest) {
  const size = Math.abs(largest);
  return UNITS.find(([, unit]) => size >= 0.9995 * unit) || UNITS[1];
}

function minus(text) {
  return text.replace("-", "−");
}

// A value and its error to the second digit of the error.
function fluxText(value, error) {
  const [unit, size] = fluxUnit(Math.max(Math.abs(value), error || 0));
  if (!(error > 0)) return `${minus((value / size).toPrecision(3))} ${unit}`;
  const digits = Math.min(9, Math.max(0, 1 - Math.floor(Math.log10(error / size))));
  return `${minus((value / size).toFixed(digits))} ± ${(error / size).toFixed(digits)} ${unit}`;
}

function frequencyText(hertz, width) {
  const [unit, size] = hertz >= 3e9 ? ["GHz", 1e9] : ["MHz", 1e6];
  return `${(hertz / size).toFixed(decimals(width / size) + 1)} ${unit}`;
}
