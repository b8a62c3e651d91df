// The same rules as numbers.py: three significant digits and a unit that fits.
const finite = (value) => typeof value === "number" && Number.isFinite(value);
const NOT_FINITE = { inf: "∞", "-inf": "−∞", nan: "NaN" };

const number = (value) => {
  if (value === null || value === undefined) return "—";
  if (!finite(value)) return NOT_FINITE[value] || "NaN";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (value >= 0.99 && value < 1) return value.toFixed(Math.min(1 - Math.floor(Math.log10(1 - value)), 7)); // a correlation: what is missing to 1 counts
  if (size >= 1e-3 && size < 1e4) return value.toFixed(Math.max(2 - Math.floor(Math.log10(size)), 0)).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(2).split("e");
  return `${mantissa}e${Number(exponent)}`.replaceAll("-", "−");
};

const SECONDS = [[1e-6, "ns", 1e9], [1e-3, "µs", 1e6], [1, "ms", 1e3], [120, "s", 1], [7200, "min", 1 / 60], [Infinity, "h", 1 / 3600]];
const unitOf = (value) => SECONDS.find(([limit]) => value < limit);
const seconds = (value) => {
  if (!finite(value)) return "—";
  if (value === 0) return "0 s";
  const [, unit, factor] = unitOf(value);
  return `${number(value * factor)} ${unit}`;
};
const spanOf = (low, high, factor = 1) => (finite(low) && finite(high) ? `[${number(low * factor)}, ${number(high * factor)}]` : "");
const timed = (cost) => {
  if (!cost) return "—";
  const factor = cost.seconds ? unitOf(cost.seconds)[2] : 1;
  return `${seconds(cost.seconds)} ${spanOf(cost.low, cost.high, factor)}`.trim();
};

const scaled = (value, step, names) => {
  let k = 0;
  while (Math.abs(value) >= step && k < names.length - 1) { value /= step; k += 1; }
  return [value, names[k]];
};
const memory = (value) => {
  if (!value) return "—";
  const [size, unit] = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  return `${number(size)} ${unit}`;
};
const count = (value) => {
  if (!value) return "—";
  const [size, unit] = scaled(value, 1000, ["", "k", "M", "G", "T"]);
  return unit ? `${number(size)} ${unit}` : String(Math.trunc(size));
};

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = (exponent) => "10" + (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
const errorTick = (value) => {
  const exponent = Math.log10(value);
  return Math.abs(exponent - Math.round(exponent)) < 1e-9 && (exponent < -3.5 || exponent > 3.5) ? power(Math.round(exponent)) : String(Number(value.toPrecision(3)));
};
const secondsTick = (value, of = value) => { // in the unit of `of`
  const [, unit, factor] = unitOf(of * (1 + 1e-9));
  return value === 0 ? "0" : `${Number((value * factor).toPrecision(3))} ${unit}`;
};

const plainDate = (iso) => (iso ? iso.slice(0, 10) : "unknown date");
const words = (status) => status.replaceAll("_", " ");
