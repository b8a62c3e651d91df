// Error against online seconds per sample: markers with whiskers, the classical ladder, the front.
const MARKS = 400; // points that are marks of their own; more are dots that only the pointer reads

const scatter = (table, open, view) => {
  const { split, metric } = view, headline = metric === table.headline && split === table.splits[0];
  const points = table.rows.filter((row) => row.place && row.costs.solve && row.costs.solve.seconds > 0 && finite((scoreOf(row, split, metric) || {}).mean)).map((row) => {
    const score = scoreOf(row, split, metric), cost = row.costs.solve;
    return { row, x: cost.seconds, y: score.mean, x0: cost.low, x1: cost.high, y0: score.low, y1: score.high };
  }).sort((a, b) => a.x - b.x);
  if (!points.length) return null;
  const { better } = table.metrics[metric];
  markFront(points, better, headline);
  const weight = (p) => (p.front ? 0 : 1e6) + (p.row.look.kind === "ladder" ? 0 : 5e5) + p.row.place;
  const marked = new Set([...points].sort((a, b) => weight(a) - weight(b)).slice(0, MARKS));
  const stops = points.filter((p) => marked.has(p));
  const tip = tooltip();
  let current = 0;

  const draw = (width) => {
    const narrow = width < 560, height = narrow ? 320 : 400;
    const box = { width, height, left: 56, right: 14, top: 24, bottom: 40 };
    const x = scaleFor(points.flatMap((p) => [p.x, p.x0 ?? p.x, p.x1 ?? p.x]), box.left, width - box.right);
    const y = scaleFor(points.flatMap((p) => [p.y, p.y0 ?? p.y, p.y1 ?? p.y]), height - box.bottom, box.top);
    const root = frame({ ...box, x, y, xName: "online time per sample", yName: metric + unitName(table, metric), xTick: (value) => secondsTick(value),
      yTick: y.log ? errorTick : number, label: summary(points, view) });
    const floor = table.reference_error;
    if (headline && floor && floor > y.low && floor < y.high) {
      const at = y.at(floor);
      root.append(s("line", { x1: box.left, x2: width - box.right, y1: at, y2: at, style: { stroke: "var(--muted)", "stroke-dasharray": "2 4" } }),
        s("text", { class: "tick", x: box.left + 6, y: at - 5 }, "error of the reference"));
    }
    root.append(front(points, x, y, box, better), ladderLine(points, x, y));
    for (const p of points) p.at = [x.at(p.x), y.at(p.y)];
    root.append(...crowd(points.filter((p) => !marked.has(p))), ...stops.map((p) => whiskers(p, x, y)));
    stops.forEach((p, k) => { root.append(p.node = dot(p, k, narrow)); });
    root.append(labels(stops, box, narrow, weight));
    root.addEventListener("pointermove", (event) => {
      const [px, py] = inside(root, event, width);
      const away = (p) => Math.hypot(p.at[0] - px, p.at[1] - py);
      const near = points.reduce((best, p) => (away(p) < away(best) ? p : best));
      if (away(near) < 28) reveal(near, false); else tip.hide();
    });
    root.addEventListener("pointerleave", tip.hide);
    root.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1, Home: -stops.length, End: stops.length }[event.key];
      if (event.key === "Escape") tip.hide();
      if (!step) return;
      event.preventDefault();
      reveal(stops[Math.min(Math.max(current + step, 0), stops.length - 1)], true);
    });
    return root;
  };

  // One stop for the tabulator; arrows move among the points in order of time.
  const dot = (p, k, narrow) => s("g", {
    transform: `translate(${p.at[0].toFixed(1)},${p.at[1].toFixed(1)})`, role: "button", tabindex: k === current ? 0 : -1, class: "dot",
    "aria-label": `${describe(p, view).replaceAll("\n", ", ")}. Open its row.`,
    onclick: () => open(p.row), onblur: tip.hide, onfocus: () => reveal(p, false),
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(p.row); } },
  }, s("circle", { r: 12, style: { fill: "transparent" } }), marker(p.row.look, stops.length > 60 ? 3.6 : narrow ? 4.5 : 5.5));

  const reveal = (p, focus) => {
    if (marked.has(p)) {
      stops[current].node.setAttribute("tabindex", "-1");
      current = stops.indexOf(p);
      p.node.setAttribute("tabindex", "0");
      if (focus) p.node.focus({ preventScroll: true });
    }
    const plot = stops[0].node.ownerSVGElement.parentElement;
    tip.show(p.at[0] + plot.offsetLeft, p.at[1] + plot.offsetTop, describe(p, view));
  };

  const rungs = points.filter((p) => p.row.look.kind === "ladder");
  return h("figure", { class: "wide" },
    h("div", { class: "caption" }, h("h2", null, headline ? "Error against online time" : `${metric} on ${split} against online time`),
      h("p", null, `Down and left is better${better === "higher" ? " (here: up and left)" : ""}. Whiskers are 95 % intervals. `,
        rungs.length ? "Diamonds joined by a line: the classical ladder. " : "", "Stepped line: nothing is both faster and better. Fit and preparation are not in this plot.",
        points.length > MARKS ? ` The ${MARKS} foremost of ${points.length} points are marks to press.` : "")),
    responsive(draw), tip, familyLegend(points),
    values(["solver", metric, "95 % interval", "seconds per sample", "interval", "on the front"], () => stops.map((p) => [
      p.row.label, number(p.y), spanOf(p.y0, p.y1) || "—", number(p.x), spanOf(p.x0, p.x1) || "—", p.front ? "yes" : "no"])));
};

// Points that no other is both faster and better than; the headline's own are those of the Markdown.
const markFront = (points, better, headline) => {
  let best = Infinity;
  for (const p of points) { // in order of time
    const bad = better === "higher" ? -p.y : better === "zero" ? Math.abs(p.y) : p.y;
    p.front = headline ? p.row.front : bad < best;
    best = Math.min(best, bad);
  }
};

// One path for all dots of a look: thousands of elements would make the page slow.
const crowd = (points) => {
  const looks = new Map();
  for (const p of points) {
    const name = p.row.look.colour + p.row.look.kind;
    if (!looks.has(name)) looks.set(name, []);
    looks.get(name).push(p);
  }
  return [...looks.values()].map((own) => {
    const node = s("path", { "aria-hidden": "true", d: own.map((p) => `M${p.at[0].toFixed(1)},${p.at[1].toFixed(1)}h0`).join(""), style: { fill: "none", stroke: own[0].row.look.colour, "stroke-width": "4", "stroke-linecap": "round", opacity: "0.6" } });
    for (const p of own) p.node = node;
    return node;
  });
};

const unitName = (table, metric = table.headline) => {
  const { unit } = table.metrics[metric];
  return unit && unit !== "1" ? ` (${unit})` : "";
};

const inside = (root, event, width) => {
  const box = root.getBoundingClientRect();
  const scale = width / (box.width || 1);
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
};

const describe = (p, view) => [
  `${p.row.label} (rank ${rankText(p.row)})`,
  `${view.metric} ${number(p.y)} ${spanOf(p.y0, p.y1)}`.trim(),
  `${timed(p.row.costs.solve)} per sample`,
  p.row.look.kind === "ladder" ? "classical ladder" : `uses ${p.row.uses.join(" and ") || "neither labels nor equation"}`,
].join("\n");

const summary = (points, view) => {
  const best = points.reduce((a, b) => (a.row.place < b.row.place ? a : b));
  return `Scatter plot of ${points.length} solvers: ${view.metric} against online seconds per sample. Lowest place: ${best.row.label}, `
    + `${number(best.y)} at ${seconds(best.x)}. Fastest: ${points[0].row.label}, ${number(points[0].y)} at ${seconds(points[0].x)}. Arrow keys move between points.`;
};

const whiskers = (p, x, y) => {
  const group = s("g", { style: { stroke: p.row.look.colour, "stroke-width": "1.4", opacity: "0.75" } });
  const [px, py] = p.at;
  if (finite(p.y0)) group.append(s("line", { x1: px, x2: px, y1: y.at(y.log ? Math.max(p.y0, y.low) : p.y0), y2: y.at(p.y1) }));
  if (finite(p.x0)) group.append(s("line", { y1: py, y2: py, x1: x.at(Math.max(p.x0, x.low)), x2: x.at(p.x1) }));
  return group;
};

const ladderLine = (points, x, y) => {
  const rungs = points.filter((p) => p.row.look.kind === "ladder");
  return s("path", { d: path(rungs.map((p) => [x.at(p.x), y.at(p.y)])), style: { fill: "none", stroke: "var(--ink)", "stroke-width": "1.5" } });
};

const front = (points, x, y, box, better) => {
  const best = points.filter((p) => p.front);
  const steps = [];
  best.forEach((p, k) => {
    steps.push([x.at(p.x), y.at(p.y)]);
    steps.push([k + 1 < best.length ? x.at(best[k + 1].x) : box.width - box.right, y.at(p.y)]);
  });
  if (steps.length) steps.unshift([steps[0][0], better === "higher" ? box.height - box.bottom : box.top]);
  return s("path", { d: path(steps), style: { fill: "none", stroke: "var(--line-strong)", "stroke-width": "1", "stroke-dasharray": "1 0" } });
};

// Names where they fit: the front, the ladder and the first places before the rest.
const labels = (points, box, narrow, weight) => {
  const group = s("g", { "aria-hidden": "true", style: { "pointer-events": "none" } });
  const taken = points.map((p) => [p.at[0] - 6, p.at[1] - 6, p.at[0] + 6, p.at[1] + 6]);
  const size = narrow ? 10.5 : 12;
  for (const p of [...points].sort((a, b) => weight(a) - weight(b)).slice(0, narrow ? 10 : 40)) {
    const text = p.row.label.length > 26 ? `${p.row.label.slice(0, 25)}…` : p.row.label;
    const long = text.length * size * 0.56, [px, py] = p.at;
    const places = [[px + 9, py - 5, "start"], [px - 9, py - 5, "end"], [px + 9, py + 13, "start"], [px - 9, py + 13, "end"], [px, py - 11, "middle"], [px, py + 20, "middle"]];
    for (const [tx, ty, anchor] of places) {
      const left = anchor === "start" ? tx : anchor === "end" ? tx - long : tx - long / 2;
      const area = [left, ty - size, left + long, ty + 3];
      const out = area[0] < box.left + 2 || area[2] > box.width - 2 || area[1] < 14 || area[3] > box.height - box.bottom;
      if (out || taken.some((t) => area[0] < t[2] && t[0] < area[2] && area[1] < t[3] && t[1] < area[3])) continue;
      taken.push(area);
      group.append(s("text", { x: tx, y: ty, "text-anchor": anchor, style: { fill: p.row.look.colour, "font-size": `${size}px`, "font-weight": p.front ? "600" : "400" } }, text));
      break;
    }
  }
  return group;
};

const familyLegend = (points) => {
  const seen = new Map();
  for (const p of points) {
    const name = p.row.look.kind === "ladder" ? "classical ladder" : p.row.family;
    if (!seen.has(name)) seen.set(name, p.row.look);
  }
  const entries = [...seen].map(([name, look]) => h("li", null, h("button", { type: "button", "aria-pressed": "false", onclick: (event) => {
    const button = event.currentTarget, on = button.getAttribute("aria-pressed") !== "true";
    for (const other of button.closest("ul").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(on));
    for (const p of points) p.node.classList.toggle("faded", on && p.row.look !== look && (p.row.look.colour !== look.colour || p.row.look.shape !== look.shape));
  } }, key(look), h("span", null, name))));
  return h("ul", { class: "legend", "aria-label": "Families; press one to set it off" }, entries);
};
