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

const board = (table, content) => {
  const ranking = grid(table, content.shared);
  const curves = [overTime(table), convergenceCurves(table), trainingCurves(table)].filter(Boolean);
  return [heading(table), scatter(table, ranking.reveal), ranking.node,
    h("ul", { class: "notes" }, table.notes.map((note) => h("li", null, note))),
    curves.length ? h("div", { class: "figures" }, curves) : null, pictures(table, content.bar)];
};
