// All boards at a glance: the first places, and every ranked row as a mark on one axis.
const strip = (table) => {
  const place = responsive((width) => {
    const x = forestScale(table, width);
    const root = s("svg", { height: 44, viewBox: `0 0 ${width} 44`, role: "img", "aria-label": `${table.headline} of ${table.rows.filter((row) => row.place).length} ranked rows` });
    if (!x) return root;
    const ends = [x.ticks[0] ?? x.low, x.ticks[x.ticks.length - 1] ?? x.high];
    root.append(s("line", { class: "rule strong", x1: 0, x2: width, y1: 14, y2: 14 }));
    for (const tick of x.ticks) root.append(s("line", { class: "rule strong", x1: x.at(tick), x2: x.at(tick), y1: 14, y2: 25 }));
    ends.forEach((value, k) => root.append(s("text", { class: "tick", x: Math.min(Math.max(x.at(value), 12), width - 12), y: 38, "text-anchor": "middle" }, (k && ends[0] === ends[1]) ? "" : (x.log ? errorTick : number)(value))));
    for (const row of table.rows.slice(0, 200).reverse()) {
      const score = scoreOf(row, table.splits[0], table.headline);
      if (row.place) root.append(s("g", { transform: `translate(${x.at(score.mean)},14)` }, marker(row.look, 4.5)));
    }
    return root;
  });
  return place;
};

const card = (table) => {
  const { key: own } = table, first = table.rows.filter((row) => row.place).slice(0, 3);
  return h("article", { class: "card" }, h("h2", null, h("a", { href: link(table) }, own.task)),
    h("p", null, [own.track, deviceName(own)].filter(Boolean).join(" · ")), strip(table),
    first.length ? h("ol", null, first.map((row) => h("li", null, h("span", { class: "place" }, rankText(row)), h("span", null, row.label), h("span", null, number(scoreOf(row, table.splits[0], table.headline).mean)))))
      : h("p", null, "No row is ranked yet."));
};

const overview = (content) => {
  const solvers = new Set(content.tables.flatMap((table) => table.rows.map((row) => row.solver)));
  const tasks = new Set(content.tables.map((table) => table.key.task));
  const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  return [h("header", { class: "head" }, h("h1", null, "Leaderboard"),
    h("p", { class: "lead" }, "One clock and one set of metrics for learned and classical PDE solvers. Every number is pooled from stored runs; rows are compared on one device only."),
    h("ul", { class: "chips" }, [plural(content.tables.length, "board"), plural(tasks.size, "task"), plural(solvers.size, "solver"), plural(content.records, "record"), `newest ${plainDate(content.newest)}`].map((text) => h("li", { class: "chip" }, text)))),
    h("div", { class: "cards" }, content.tables.map(card)),
    content.diagrams.map((one) => h("figure", { class: "wide" }, h("div", { class: "caption" }, h("h2", null, `Over tasks: ${one.name}`), h("p", null, one.said)),
      h("img", { src: one.picture, alt: one.said })))];
};
