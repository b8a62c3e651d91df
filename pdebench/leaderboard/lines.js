// Lines over time or over a fit, with a reading of all lines at one place by pointer or arrow keys.
const rowsById = (table) => new Map(table.rows.map((row) => [row.id, row]));

// series: [{row, name, xs, ys, low, high, dash, thin}]
const lineFigure = ({ title, remark, series, xName, yName, xTick, xLog, tools, wide, head }) => {
  const tip = tooltip();
  let held = null, at = 0;
  const xs = [...new Set(series.flatMap((line) => line.xs.filter(finite)))].sort((a, b) => a - b);
  const place = responsive((width) => {
    const height = width < 480 ? 260 : 290;
    const box = { width, height, left: 56, right: 14, top: 24, bottom: 40 };
    const x = xLog ? logScale(xs[0], xs[xs.length - 1], box.left, width - box.right) : linearScale(xs[0], xs[xs.length - 1], box.left, width - box.right, width < 480 ? 4 : 6);
    const y = scaleFor(series.flatMap((line) => (held === line.row.id && line.low ? [...line.low, ...line.high, ...line.ys] : line.ys)), height - box.bottom, box.top, 0.04);
    const root = frame({ ...box, x, y, xName, yName, xTick: xTick ? (value) => xTick(value, xs[xs.length - 1]) : String, yTick: y.log ? errorTick : number,
      label: `${title}. ${new Set(series.map((line) => line.name)).size} lines. Arrow keys read the values at one place.` });
    root.setAttribute("tabindex", "0");
    const cursor = s("line", { class: "rule strong", y1: box.top, y2: height - box.bottom, visibility: "hidden" });
    root.append(cursor);
    for (const line of series) root.append(...drawLine(line, x, y, held));
    const read = (k, aloud) => {
      at = Math.min(Math.max(k, 0), xs.length - 1);
      const px = x.at(xs[at]);
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, px);
      cursor.setAttribute("visibility", "visible");
      const text = reading(series, xs[at], xTick ? seconds(xs[at]) : `${xName} ${number(xs[at])}`, held);
      tip.show(px + root.parentElement.offsetLeft, box.top + 60 + root.parentElement.offsetTop, text);
      if (aloud) say(text);
    };
    const leave = () => { cursor.setAttribute("visibility", "hidden"); tip.hide(); };
    root.addEventListener("pointermove", (event) => {
      const [px] = inside(root, event, width);
      const near = xs.reduce((best, value, k) => (Math.abs(x.at(value) - px) < Math.abs(x.at(xs[best]) - px) ? k : best), 0);
      read(near, false);
    });
    root.addEventListener("pointerleave", leave);
    root.addEventListener("blur", leave);
    root.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -xs.length, End: xs.length }[event.key];
      if (!step) return;
      event.preventDefault();
      read(at + step, true);
    });
    return root;
  });
  const hold = (id) => { held = held === id ? null : id; place.redraw(); return held; };
  return h("figure", wide ? { class: "wide" } : null, h("div", { class: "caption" }, h("h2", null, title), h("p", null, remark), tools), place, tip,
    lineLegend(series, hold), values(head || ["solver", xName, yName], () => series.flatMap((line) => line.xs.map((value, k) => [line.name, number(value), number(line.ys[k])]))));
};

const drawLine = (line, x, y, held) => {
  const faded = held !== null && held !== line.row.id;
  const points = line.xs.map((value, k) => [x.at(value), finite(line.ys[k]) ? y.at(line.ys[k]) : NaN]);
  const nodes = [];
  if (line.low && held === line.row.id) {
    const floor = (value) => (y.log ? Math.max(value, y.low) : value);
    const band = [...line.xs.map((value, k) => [x.at(value), y.at(floor(line.high[k]))]), ...line.xs.map((value, k) => [x.at(value), y.at(floor(line.low[k]))]).reverse()];
    nodes.push(s("path", { d: `${path(band)}z`, style: { fill: line.row.look.colour, opacity: "0.16" } }));
  }
  nodes.push(s("path", { d: path(points), class: faded ? "faded" : null, style: {
    fill: "none", stroke: line.row.look.colour, "stroke-width": line.heavy ? "3.5" : line.thin ? "1" : "2", "stroke-dasharray": line.dash, "stroke-linejoin": "round", "stroke-linecap": line.heavy ? "round" : "butt" } }));
  return nodes;
};

const reading = (series, value, title, held) => {
  const found = new Map();
  for (const line of series) {
    if (line.thin || (held !== null && held !== line.row.id)) continue;
    const k = nearest(line.xs, value);
    if (finite(line.ys[k]) && !found.has(line.name)) found.set(line.name, line.ys[k]);
  }
  return [title, ...[...found].sort((a, b) => a[1] - b[1]).slice(0, 12).map(([name, own]) => `${number(own)}  ${name}`)].join("\n");
};
const nearest = (sorted, value) => sorted.reduce((best, own, k) => (Math.abs(own - value) < Math.abs(sorted[best] - value) ? k : best), 0);

const lineLegend = (series, hold) => {
  const seen = new Map([...series].sort((a, b) => Boolean(b.thin) - Boolean(a.thin)).map((line) => [line.row.id, line]));
  return h("ul", { class: "legend", "aria-label": "Lines; press one to set it off" }, [...seen].map(([id, line]) => h("li", null,
    h("button", { type: "button", "aria-pressed": "false", onclick: (event) => {
      const list = event.currentTarget.closest("ul"), button = event.currentTarget, held = hold(id);
      for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && held !== null));
    } }, s("svg", { width: 22, height: 8, "aria-hidden": "true" }, s("line", { x1: 0, x2: 22, y1: 4, y2: 4, style: {
      stroke: line.row.look.colour, "stroke-width": line.heavy ? "3.5" : "2.5", "stroke-dasharray": line.dash, "stroke-linecap": line.heavy ? "round" : "butt" } })), h("span", null, line.row.label)))));
};

const overTime = (table) => {
  if (!table.over_time) return null;
  const rows = rowsById(table), lines = table.over_time.lines;
  const dash = dashes(lines.map((line) => rows.get(line.row)));
  const series = lines.map((line, k) => ({ row: rows.get(line.row), name: rows.get(line.row).label, xs: table.over_time.times, ys: line.mean, low: line.low, high: line.high, dash: dash[k] }));
  return lineFigure({ title: "Error over time", remark: `Mean ${table.headline} on ${table.splits[0]} at each time; press a name for the quartiles over samples.`,
    series, xName: "time", yName: table.headline + unitName(table) });
};

// The reference is a line like the others, in ink; it has no row.
const REFERENCE = { id: "reference", label: "reference", look: { colour: "var(--ink)", kind: "reference" } };
const spectra = (table) => {
  const found = table.spectra;
  if (!found) return null;
  const rows = rowsById(table), dash = dashes(found.lines.map((line) => rows.get(line.row)));
  const series = found.lines.map((line, k) => ({ row: rows.get(line.row), name: rows.get(line.row).label, xs: found.wavenumbers, ys: line.energy, dash: dash[k] }));
  const least = 1e-12 * found.reference.reduce((a, b) => Math.max(a, b), 0); // below is round-off of single precision
  const positive = (line) => ({ ...line, ys: line.ys.map((value) => (value > least ? value : NaN)) });
  return lineFigure({ title: "Energy spectrum", remark: `E(k) of the answers${finite(found.time) ? ` at t = ${number(found.time)}` : ""}, mean over the first batch of ${table.splits[0]}, beside that of the reference.`,
    series: [{ row: REFERENCE, name: "reference", xs: found.wavenumbers, ys: found.reference, dash: "1 5", heavy: true }, ...series].map(positive), xName: "wavenumber", yName: "E(k)", xLog: true });
};

const convergenceCurves = (table) => {
  if (!(table.convergence || []).length) return null;
  const rows = rowsById(table), dash = dashes(table.convergence.map((line) => rows.get(line.row)));
  const series = table.convergence.map((line, k) => ({ row: rows.get(line.row), name: rows.get(line.row).label, xs: line.seconds, ys: line.error, dash: dash[k] }));
  return lineFigure({ title: "Error against seconds", remark: `Mean ${table.headline} of the iterates of one solve on the first batch; the clock runs inside the iteration only.`,
    series, xName: "seconds per sample", yName: table.headline + unitName(table), xTick: secondsTick });
};

const trainingCurves = (table) => {
  if (!table.training.length) return null;
  const rows = rowsById(table), ids = [...new Set(table.training.map((line) => line.row))];
  const dash = dashes(ids.map((id) => rows.get(id)));
  const holder = h("div", { class: "figure-holder" });
  const show = (unit) => {
    const series = table.training.flatMap((line) => {
      const base = { row: rows.get(line.row), name: rows.get(line.row).label, xs: line[unit], dash: dash[ids.indexOf(line.row)] };
      return [{ ...base, ys: line.valid }, { ...base, ys: line.train, thin: true, dash: "1 3" }].filter((own) => own.ys.some(finite) && own.xs.some(finite));
    });
    const tools = segments("Horizontal axis", [["seconds", "seconds"], ["epoch", "epochs"]], unit, show);
    holder.replaceChildren(lineFigure({ title: "Training", remark: "Validation loss, and dotted the training loss, of every seed. Losses of different solvers may be different functionals.",
      series, xName: unit === "seconds" ? "seconds of fit" : "epoch", yName: "loss", xTick: unit === "seconds" ? secondsTick : null, tools }));
  };
  show("seconds");
  return holder;
};
