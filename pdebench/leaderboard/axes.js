// Scales, ticks and the frame of a plot.
const logScale = (low, high, start, stop) => {
  const a = Math.log10(low), b = Math.log10(high);
  const at = (value) => start + ((Math.log10(value) - a) / (b - a || 1)) * (stop - start);
  const steps = b - a < 1.3 ? [1, 2, 5] : [1];
  const ticks = [];
  const skip = Math.max(1, Math.ceil((b - a) / (Math.abs(stop - start) / 46)));
  for (let k = Math.floor(a); k <= Math.ceil(b); k += 1) {
    if (k % skip) continue;
    for (const step of steps) {
      const value = step * 10 ** k;
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push(value);
    }
  }
  return { at, ticks, low, high };
};
const linearScale = (low, high, start, stop, about = 5) => {
  const rough = (high - low || 1) / about;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * magnitude >= rough) * magnitude;
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) ticks.push(Number(value.toPrecision(12)));
  return { at: (value) => start + ((value - low) / (high - low || 1)) * (stop - start), ticks, low, high };
};

// Logarithmic where all values are positive and spread, with room at both ends; linear otherwise.
const scaleFor = (found, start, stop, room = 0.06) => {
  const numbers = found.filter(finite);
  const low = numbers.reduce((a, b) => Math.min(a, b), Infinity), high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  if (low > 0) {
    const margin = Math.max((high / low) ** room, 1.15);
    return { ...logScale(low / margin, high * margin, start, stop), log: true };
  }
  const margin = (high - low || 1) * room;
  return { ...linearScale(low - margin, high + margin, start, stop), log: false };
};

const frame = ({ width, height, left, right, top, bottom, x, y, xName, yName, xTick, yTick, label }) => {
  const root = s("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "group", "aria-label": label });
  for (const value of y.ticks) {
    const at = Math.round(y.at(value)) + 0.5;
    root.append(s("line", { class: "rule", x1: left, x2: width - right, y1: at, y2: at }),
      s("text", { class: "tick", x: left - 8, y: at + 4, "text-anchor": "end" }, yTick(value)));
  }
  for (const value of x.ticks) {
    const at = Math.round(x.at(value)) + 0.5;
    root.append(s("line", { class: "rule strong", x1: at, x2: at, y1: height - bottom, y2: height - bottom + 4 }),
      s("text", { class: "tick", x: at, y: height - bottom + 17, "text-anchor": "middle" }, xTick(value)));
  }
  root.append(s("line", { class: "rule strong", x1: left, x2: width - right, y1: height - bottom + 0.5, y2: height - bottom + 0.5 }),
    s("text", { class: "axis-name", x: width - right, y: height - 4, "text-anchor": "end" }, xName),
    s("text", { class: "axis-name", x: 0, y: 11 }, yName));
  return root;
};

const path = (points) => points.filter(([x, y]) => finite(x) && finite(y)).map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// A box beside a point that stays inside its figure.
const tooltip = () => {
  const box = h("div", { class: "tip", hidden: true });
  box.show = (x, y, text) => {
    box.textContent = text;
    box.hidden = false;
    const room = box.parentElement.clientWidth;
    const left = Math.min(Math.max(8, x + 14), room - box.offsetWidth - 8);
    box.style.left = `${left}px`;
    box.style.top = `${Math.max(4, y - box.offsetHeight - 12)}px`;
  };
  box.hide = () => { box.hidden = true; };
  return box;
};
