// What is drawn beside uPlot's axes: cells, the colour bar, boxes of events, gaps, error bars.

const COLOURS = {I: "#1b1b1b", Q: "#0072b2", U: "#00805e", V: "#c04a00"};
const EVENT = "#d6006c";

function colourTable(hexes) {
  return Uint32Array.from(hexes, hex => {
    const n = parseInt(hex.slice(1), 16);
    return 0xff000000 | (n & 255) << 16 | (n >> 8 & 255) << 8 | n >> 16;
  });
}

// For each of `number` pixels from `from` to `to`, the cells [start, stop) that it shows: those
// whose middle it holds, else the one that it lies in; none (start = stop) in a gap.
function cellsOfPixels(edges, from, to, number) {
  const start = new Int32Array(number), stop = new Int32Array(number);
  const {low, high, middle} = edges;
  let first = firstFrom(middle, from);
  for (let pixel = 0; pixel < number; pixel++) {
    const end = from + (pixel + 1) / number * (to - from);
    let next = first;
    while (next < middle.length && middle[next] < end) next++;
    start[pixel] = first;
    stop[pixel] = next;
    if (next === first) {
      const centre = from + (pixel + 0.5) / number * (to - from);
      const inside = [first - 1, first].find(i => i >= 0 && i < middle.length
        && low[i] <= centre && centre < high[i]);
      if (inside !== undefined) {
        start[pixel] = inside;
        stop[pixel] = inside + 1;
      }
    }
    first = next;
  }
  return {start, stop};
}

// An image of the cells between places [x0, x1] and [y0, y1]; a pixel is the weighted mean of all
// cells that fall on it, so that nothing is left out. Gaps are transparent.
function cellImage(F, plane, xEdges, yEdges, view, width, height, limits, table, flagged) {
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const columns = cellsOfPixels(xEdges, view.x0, view.x1, width);
  const rows = cellsOfPixels(yEdges, view.y0, view.y1, height);
  const scale = 255 / (limits[1] - limits[0]);
  for (let x = 0; x < width; x++) {
    const t0 = columns.start[x], t1 = columns.stop[x];
    if (t1 === t0) continue;
    for (let y = 0; y < height; y++) {
      const f0 = rows.start[y], f1 = rows.stop[y];
      if (f1 === f0) continue;
      let sum = 0, total = 0;
      for (let t = t0; t < t1; t++) {
        for (let cell = t * F + f0; cell < t * F + f1; cell++) {
          const w = plane.weight[cell];
          if (w > 0) {
            total += w;
            sum += w * plane.flux[cell];
          }
        }
      }
      const colour = Math.round((sum / total - limits[0]) * scale);
      pixels[(height - 1 - y) * width + x] =
        total > 0 ? table[Math.min(255, Math.max(0, colour))] : flagged;
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Within the frame, and not in the shortened gaps, if they are given: there is nothing to mark.
function clipped(u, draw, gaps) {
  const {ctx, bbox} = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  for (const gap of gaps || []) {
    const left = u.valToPos(gap.from, "x", true), right = u.valToPos(gap.to, "x", true);
    ctx.rect(left, bbox.top, right - left, bbox.height);
  }
  ctx.clip("evenodd");
  draw(ctx, bbox, devicePixelRatio);
  ctx.restore();
}

// A shortened gap: hatched, so that it is not taken for data.
function drawBreaks(u, breaks, key) {
  clipped(u, (ctx, {left, top, width, height}, ratio) => {
    ctx.strokeStyle = "#b5b5b5";
    ctx.lineWidth = ratio;
    for (const gap of breaks) {
      const a = u.valToPos(gap.from, key, true), b = u.valToPos(gap.to, key, true);
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const box = key === "x" ? [low, top, high - low, height] : [left, low, width, high - low];
      ctx.save();
      ctx.beginPath();
      ctx.rect(...box);
      ctx.clip();
      ctx.beginPath();
      const size = box[2] + box[3];
      for (let offset = -box[3]; offset < size; offset += 7 * ratio) {
        ctx.moveTo(box[0] + offset, box[1] + box[3]);
        ctx.lineTo(box[0] + offset + box[3], box[1]);
      }
      ctx.stroke();
      ctx.restore();
    }
  });
}

function drawEventBoxes(u, boxes, chosen, gaps) {
  clipped(u, (ctx, bbox, ratio) => {
    for (const box of boxes) {
      const x0 = u.valToPos(box.x0, "x", true), x1 = u.valToPos(box.x1, "x", true);
      const y0 = u.valToPos(box.y1, "y", true), y1 = u.valToPos(box.y0, "y", true);
      if (x1 < bbox.left || x0 > bbox.left + bbox.width
          || y1 < bbox.top || y0 > bbox.top + bbox.height) continue;
      const isChosen = box.event === chosen;
      for (const [colour, width] of [["#fff", 3.5], [EVENT, isChosen ? 2.2 : 1.3]]) {
        ctx.strokeStyle = colour;
        ctx.lineWidth = width * ratio;
        ctx.setLineDash(box.isOwn ? [] : [5 * ratio, 4 * ratio]);
        ctx.strokeRect(x0, y0, Math.max(x1 - x0, ratio), Math.max(y1 - y0, ratio));
      }
      ctx.setLineDash([]);
      const text = String(box.event.number);
      ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
      const wide = ctx.measureText(text).width + 8 * ratio, tall = 16 * ratio;
      const left = Math.min(Math.max(x0, bbox.left), bbox.left + bbox.width - wide);
      const top = y0 - tall >= bbox.top ? y0 - tall : Math.max(y0, bbox.top);
      ctx.fillStyle = isChosen ? EVENT : "#fff";
      ctx.fillRect(left, top, wide, tall);
      ctx.strokeStyle = EVENT;
      ctx.lineWidth = ratio;
      ctx.strokeRect(left, top, wide, tall);
      ctx.fillStyle = isChosen ? "#fff" : EVENT;
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      ctx.fillText(text, left + 4 * ratio, top + tall / 2);
    }
  }, gaps);
}

function drawEventTimes(u, boxes, chosen, gaps) {
  clipped(u, (ctx, {top, height}) => {
    for (const box of boxes) {
      const x0 = u.valToPos(box.x0, "x", true), x1 = u.valToPos(box.x1, "x", true);
      ctx.fillStyle = box.event === chosen ? "#d6006c33" : "#d6006c18";
      ctx.fillRect(x0, top, Math.max(x1 - x0, 1), height);
    }
  }, gaps);
}

function drawZero(u) {
  const {min, max} = u.scales.y;
  if (!(min < 0 && max > 0)) return;
  clipped(u, (ctx, {left, width}, ratio) => {
    const y = u.valToPos(0, "y", true);
    ctx.strokeStyle = "#888";
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
  });
}

function drawErrorBars(u, x, value, error, colour) {
  clipped(u, (ctx, {left, width}, ratio) => {
    ctx.strokeStyle = colour;
    ctx.globalAlpha = 0.45;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    for (let i = 0; i < x.length; i++) {
      if (value[i] === null || value[i] === undefined || !(error[i] > 0)) continue;
      const place = u.valToPos(x[i], "x", true);
      if (place < left || place > left + width) continue;
      ctx.moveTo(place, u.valToPos(value[i] - error[i], "y", true));
      ctx.lineTo(place, u.valToPos(value[i] + error[i], "y", true));
    }
    ctx.stroke();
  });
}

// The bar beside the spectrum, its top and bottom those of the spectrum's frame.
function drawColourBar(canvas, top, height, limits, hexes, label) {
  const ratio = devicePixelRatio, wide = 84, tall = canvas.parentElement.clientHeight;
  canvas.width = wide * ratio;
  canvas.height = tall * ratio;
  canvas.style.width = `${wide}px`;
  canvas.style.height = `${tall}px`;
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  for (let y = 0; y < height; y++) {
    ctx.fillStyle = hexes[Math.round(255 * (1 - (y + 0.5) / height))];
    ctx.fillRect(8, top + y, 14, 1.5);
  }
  ctx.strokeStyle = "#444";
  ctx.strokeRect(8, top, 14, height);
  const [unit, size] = fluxUnit(Math.max(Math.abs(limits[0]), Math.abs(limits[1])));
  const range = (limits[1] - limits[0]) / size;
  const step = ROUND_STEPS.find(one => one >= range / Math.max(2, Math.floor(height / 34)));
  ctx.fillStyle = "#1b1b1b";
  ctx.font = "12px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  for (const {value} of multiples(step, limits[0] / size, limits[1] / size)) {
    const y = top + height * (1 - (value - limits[0] / size) / range);
    ctx.fillRect(22, y - 0.5, 4, 1);
    ctx.fillText(minus((value + 0).toFixed(decimals(step))).replace(/^−(0\.?0*)$/, "$1"), 29, y);
  }
  ctx.translate(wide - 9, top + height / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.textAlign = "center";
  ctx.fillText(`${label} (${unit})`, 0, 0);
  canvas.setAttribute("aria-label", `Colours from ${minus((limits[0] / size).toPrecision(3))} to `
    + `${minus((limits[1] / size).toPrecision(3))} ${unit}`);
}
