// One board: heading, table, plots, examples.
const deviceName = (key) => `${key.device} · ${key.hardware}`;

const heading = (table) => {
  const { key: own, card } = table, metric = table.metrics[table.headline];
  const chip = (name, value) => (value ? h("li", { class: "chip" }, `${name} `, h("b", null, value)) : null);
  const ranked = table.rows.filter((row) => row.place).length;
  return h("header", { class: "head" },
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "All boards"), ` / ${own.track || "no track"} / ${own.device}`),
    h("h1", null, own.task), card.summary ? h("p", null, card.summary) : null, card.equation ? h("p", { class: "formula" }, card.equation) : null,
    h("ul", { class: "chips" }, chip("track", own.track), chip(own.device, own.hardware), chip("precision", own.precision), chip("data", own.dataset.slice(0, 12)), chip("task version", own.version),
      chip("headline", `${metric.name}, ${metric.better} is better`), chip("rows", `${ranked} ranked of ${table.rows.length}`)),
    h("details", null, h("summary", null, "About the data and the protocol"), h("p", null, card.how || ""), card.reference ? h("p", null, `Recipe: ${card.reference}`) : null,
      h("p", null, "Fixed by the task: ", h("code", null, own.protocol))));
};

// Which metric on which split the plot and the table show; ranks stay those of the headline.
const metricChooser = (table, view, changed) => {
  const options = table.splits.flatMap((split) => Object.keys(table.metrics).filter((metric) => table.rows.some((row) => scoreOf(row, split, metric))).map((metric) => [split, metric]));
  if (options.length < 2) return null;
  const names = options.map(([split, metric]) => `${metric} on ${split}${split === view.split && metric === view.metric ? " (headline)" : ""}`);
  return h("p", { class: "tools" }, h("label", null, "Metric ", h("select", { id: "metric", onchange: (event) => {
    [view.split, view.metric] = options[event.target.value];
    changed();
    say(`Shown: ${names[event.target.value]}; ranks are those of the headline`);
  } }, names.map((name, k) => h("option", { value: k, selected: options[k][0] === view.split && options[k][1] === view.metric }, name)))));
};

const board = (table, content) => {
  const view = { split: table.splits[0], metric: table.headline };
  const ranking = grid(table, content.shared, view);
  const plot = h("div");
  const draw = () => plot.replaceChildren(...[scatter(table, ranking.reveal, view)].filter(Boolean));
  draw();
  const curves = [overTime(table), spectra(table), convergenceCurves(table), trainingCurves(table)].filter(Boolean);
  return [heading(table), metricChooser(table, view, () => { draw(); ranking.look(); }), plot, ranking.node,
    h("ul", { class: "notes" }, table.notes.map((note) => h("li", null, note))),
    curves.length ? h("div", { class: "figures" }, curves) : null, pictures(table, content.bar)];
};
