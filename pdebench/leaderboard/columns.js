// The table's columns: what a cell shows and what sorting goes by.
const rankText = (row) => (!row.rank ? "—" : row.rank[0] === row.rank[1] ? String(row.rank[0]) : `${row.rank[0]}–${row.rank[1]}`);
const scoreOf = (row, split, metric) => (row.scores[split] || {})[metric];
const peak = (row) => Math.max(0, ...Object.values(row.costs).map((cost) => cost.peak_bytes || 0));

const scoreCell = (row, split, metric) => {
  const score = scoreOf(row, split, metric);
  if (!score) return h("td", { class: "opt" }, "—");
  if (score.not_applicable) return h("td", { class: "opt", title: score.not_applicable }, score.not_applicable.startsWith("diverged") ? "diverged" : "n/a");
  return h("td", { class: "opt", title: `${number(score.mean)} ${spanOf(score.low, score.high)}` }, number(score.mean));
};

const forestScale = (table, width, view = { split: table.splits[0], metric: table.headline }) => {
  const found = table.rows.filter((row) => row.place).map((row) => scoreOf(row, view.split, view.metric) || {}).flatMap((score) => [score.mean, score.low ?? score.mean, score.high ?? score.mean]).filter(finite);
  return found.length ? scaleFor(found, 6, width - 6, 0.03) : null;
};
const FOREST = 132;
const forest = (row, view, x) => {
  const score = scoreOf(row, view.split, view.metric);
  if (!x || !score || !finite(score.mean) || !row.place) return null;
  const at = (value) => x.at(x.log ? Math.max(value, x.low) : value);
  return s("svg", { class: "forest", width: FOREST, height: 18, "aria-hidden": "true" },
    x.ticks.map((tick) => s("line", { class: "rule", x1: x.at(tick), x2: x.at(tick), y1: 0, y2: 18 })),
    finite(score.low) ? s("line", { x1: at(score.low), x2: at(score.high), y1: 9, y2: 9, style: { stroke: row.look.colour, "stroke-width": "2" } }) : null,
    s("g", { transform: `translate(${at(score.mean)},9)` }, marker(row.look, 4)));
};

const errorCell = (row, view, best) => {
  const score = scoreOf(row, view.split, view.metric);
  if (!score || score.not_applicable) return h("td", { title: score ? score.not_applicable : null }, score ? "n/a" : "—");
  return h("td", { class: row === best ? "best" : null }, number(score.mean), " ", h("span", { class: "span" }, spanOf(score.low, score.high)));
};

const seconds1 = (phase) => (row) => {
  const cost = row.costs[phase];
  return h("td", { class: "opt", title: cost ? timed(cost) : null }, cost ? seconds(cost.seconds) : "—");
};
const solveCell = (row) => {
  const cost = row.costs.solve;
  if (!cost) return h("td", null, "—");
  const factor = cost.seconds ? unitOf(cost.seconds)[2] : 1;
  return h("td", { title: cost.retimed ? "measured again in turns" : null }, seconds(cost.seconds), " ", h("span", { class: "span opt" }, spanOf(cost.low, cost.high, factor)),
    cost.noisy ? h("span", { class: "badge ill", title: "the interval is wider than the clock was asked for" }, "noisy") : null);
};

const statusCell = (row) => h("td", { class: "left opt" }, row.status === "ok" ? "ok" : h("span", { class: "badge ill", title: row.reason }, words(row.status)));
const before = (row) => (row.pretrained ? h("span", { class: "badge labels", title: `weights from ${row.pretrained.source}, trained on ${row.pretrained.data.join(", ") || "data not stated"}${row.pretrained.related ? ", related to this task's data" : ""}` }, row.pretrained.related ? "pretrained †" : "pretrained") : null);
const badges = (row) => (row.uses.length || row.pretrained ? [...row.uses.map((use) => h("span", { class: `badge ${use === "labels" ? "labels" : "equation"}` }, use)), before(row)] : h("span", { class: "muted" }, "nothing"));

const versusCell = (row) => {
  const versus = row.versus;
  if (!versus) return h("td", { class: "opt" }, "—");
  if (!finite(versus.speedup)) return h("td", { class: "opt left why", title: versus.verdict }, versus.verdict);
  const none = versus.speedup < 1 && !(versus.high >= 1) ? "none, " : "";
  return h("td", { class: "opt", title: versus.verdict }, `${none}× ${number(versus.speedup)} `, h("span", { class: "span" }, spanOf(versus.low, versus.high)));
};
const breakEvenCell = (row) => {
  const versus = row.versus || {};
  if (!finite(versus.break_even)) return h("td", { class: "opt", title: versus.verdict || null }, "—");
  const high = finite(versus.break_even_high) ? `${count(versus.break_even_high)}]` : "never)";
  return h("td", { class: "opt", title: versus.verdict }, `${count(versus.break_even)} `, finite(versus.break_even_low) ? h("span", { class: "span" }, `[${count(versus.break_even_low)}, ${high}`) : null);
};
const behindCell = (row) => {
  const own = row.behind;
  if (!own) return h("td", { class: "opt" }, "—");
  const p = own.p_value < 1e-3 ? "p < 0.001" : `p = ${number(own.p_value)}`;
  return h("td", { class: "opt", title: `Cliff's delta ${number(own.delta)}${finite(own.standardised) ? `, paired standardised difference ${number(own.standardised)}` : ""}; p adjusted for all pairs (Holm)` },
    `${finite(own.ratio) ? `× ${number(own.ratio)} ` : ""}`, h("span", { class: "span" }, p));
};
const protocolCell = (row) => {
  const own = row.protocol || {};
  if (!own.examined) return h("td", { class: "opt left muted" }, "not examined");
  const trials = own.trials ? `${own.trials} trial${own.trials === 1 ? "" : "s"}` : "trials not declared";
  if (!own.violations.length) return h("td", { class: "opt left" }, `ok, ${trials}`);
  const guards = [...new Set(own.violations.map((one) => one.guard))].join(", ");
  return h("td", { class: "opt left" }, h("span", { class: "badge ill", title: own.violations.map((one) => `${one.guard}: ${one.reason}`).join("\n") }, guards), ` ${trials}`);
};

// {name, group, by: row -> number or text, cell: row -> td, high: whether large is good}
// `view` names the metric and the split that stand in the headline's place.
const columnsOf = (table, view) => {
  const x = forestScale(table, FOREST, view), { split, metric: chosen } = view;
  const mean = (own, metric) => (row) => { const score = scoreOf(row, own, metric); return score && finite(score.mean) ? score.mean : null; };
  const better = (metric) => table.metrics[metric].better;
  const by = (own, metric) => (better(metric) === "zero" ? (row) => { const value = mean(own, metric)(row); return value === null ? null : Math.abs(value); } : mean(own, metric));
  const best = ordered(table.rows.filter((row) => row.place), by(split, chosen), better(chosen) === "higher")[0];
  const columns = [
    { name: "rank", classes: "stick c-rank", by: (row) => row.place, cell: (row) => h("td", { class: "stick c-rank" }, rankText(row)) },
    { name: "solver", classes: "stick c-solver", by: (row) => row.label, cell: null },
    { name: "uses", classes: "opt left", group: "runs", by: (row) => row.uses.join(), cell: (row) => h("td", { class: "opt left" }, badges(row)) },
    { name: `${chosen}${unitName(table, chosen)} on ${split}`, chosen: true, about: "mean over seeds and samples with its 95 % interval", by: by(split, chosen), cell: (row) => errorCell(row, view, best), high: better(chosen) === "higher" },
    { name: "interval", classes: "opt left", group: "intervals", cell: (row) => h("td", { class: "opt" }, forest(row, view, x)),
      foot: x ? `${(x.log ? errorTick : number)(x.ticks[0] ?? x.low)} … ${(x.log ? errorTick : number)(x.ticks[x.ticks.length - 1] ?? x.high)}` : "" },
  ];
  const phase = (name) => (row) => (row.costs[name] || {}).seconds;
  columns.push(
    { name: "solve per sample", about: "online, median with interval", by: phase("solve"), cell: solveCell },
    ...(table.rows.some((row) => row.costs.pretrain) ? [{ name: "pretrain", classes: "opt", group: "costs", about: "once, before any fit", by: phase("pretrain"), cell: seconds1("pretrain") }] : []),
    { name: "fit", classes: "opt", group: "costs", about: "once per data set", by: phase("fit"), cell: seconds1("fit") },
    { name: "prepare", classes: "opt", group: "costs", about: "once per discretisation", by: phase("prepare"), cell: seconds1("prepare") });
  if (table.rows.some((row) => row.versus)) columns.push(
    { name: "speed-up at equal error", classes: "opt", group: "costs", about: "against the classical ladder", by: (row) => (row.versus || {}).speedup, cell: versusCell, high: true },
    { name: "break-even solves", classes: "opt", group: "costs", about: "after which the fit has paid for itself", by: (row) => (row.versus || {}).break_even, cell: breakEvenCell });
  if (table.rows.some((row) => row.behind)) columns.push(
    { name: "against the first", classes: "opt", group: "intervals", about: "ratio of the means, and p of the paired test corrected for all pairs", by: (row) => (row.behind || {}).ratio, cell: behindCell });
  for (const metric of Object.keys(table.metrics).filter((name) => name !== chosen))
    columns.push({ name: metric, classes: "opt", group: "further metrics", by: by(split, metric), cell: (row) => scoreCell(row, split, metric), high: better(metric) === "higher" });
  for (const own of table.splits.filter((name) => name !== split))
    columns.push({ name: `on ${own}`, classes: "opt", group: "shifted splits", about: (table.card.shifts || {})[own], by: by(own, chosen), cell: (row) => scoreCell(row, own, chosen), high: better(chosen) === "higher" });
  columns.push(
    { name: "parameters", classes: "opt", group: "costs", by: (row) => row.parameters || null, cell: (row) => h("td", { class: "opt" }, count(row.parameters)) },
    { name: "memory", classes: "opt", group: "costs", about: "largest peak of all phases", by: (row) => peak(row) || null, cell: (row) => h("td", { class: "opt", title: Object.entries(row.costs).filter(([, cost]) => cost.peak_bytes).map(([name, cost]) => `${name} ${memory(cost.peak_bytes)}`).join(", ") }, memory(peak(row))) },
    { name: "precision", classes: "opt left", group: "runs", by: (row) => (row.protocol || {}).precision || null, cell: (row) => h("td", { class: "opt left" }, (row.protocol || {}).precision || "—") },
    { name: "protocol", classes: "opt left", group: "runs", about: "guards the row violates, and configurations tried for it", by: (row) => ((row.protocol || {}).violations || []).length, cell: protocolCell },
    { name: "seeds × samples", classes: "opt", group: "runs", by: (row) => row.seeds_ok * row.samples, cell: (row) => h("td", { class: "opt" }, `${row.seeds_ok} × ${row.samples}`) },
    { name: "status", classes: "opt left", group: "runs", by: (row) => row.status, cell: statusCell });
  return columns;
};
