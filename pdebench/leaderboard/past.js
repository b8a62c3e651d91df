// The history of a row: what the same solver in the same setting scored with other versions of plugin, task, data or code.
const past = (row, table) => {
  const entries = row.history || [];
  if (entries.length < 2) return null;
  const scored = entries.filter((one) => finite(one.mean));
  const lines = entries.map((one) => [
    `${plainDate(one.created)}${one.row === row.id && one.table === table.slug ? " (this row)" : ""}`,
    one.table && one.table !== table.slug ? h("a", { href: `#/${encodeURIComponent(one.table)}` }, one.version || "—") : one.version || "—",
    one.task_version, h("code", null, one.dataset), one.replaced ? "replaced" : words(one.status),
    finite(one.mean) ? `${number(one.mean)} ${spanOf(one.low, one.high)}` : "—", finite(one.seconds) ? seconds(one.seconds) : "—"]);
  return h("section", null, h("h3", null, "History"), scored.length > 1 ? spark(scored, row, table) : null,
    simple(["made", "version", "task", "data", "status", table.headline, "solve"], lines));
};

const spark = (scored, row, table) => {
  const width = 300, height = 64, all = scored.flatMap((one) => [one.mean, one.low ?? one.mean, one.high ?? one.mean]);
  const y = scaleFor(all, height - 8, 8, 0.08), x = (k) => 10 + (k / (scored.length - 1)) * (width - 20);
  const within = (value) => y.at(y.log ? Math.max(value, y.low) : value);
  return s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `${table.headline} over ${scored.length} versions, from ${number(scored[0].mean)} to ${number(scored[scored.length - 1].mean)}; the table below has the values` },
  s("path", { d: path(scored.map((one, k) => [x(k), y.at(one.mean)])), style: { fill: "none", stroke: row.look.colour, "stroke-width": "1.5" } }),
  scored.map((one, k) => (finite(one.low) ? s("line", { x1: x(k), x2: x(k), y1: within(one.low), y2: within(one.high), style: { stroke: row.look.colour, "stroke-width": "1.5" } }) : null)),
  scored.map((one, k) => s("g", { transform: `translate(${x(k)},${y.at(one.mean)})` }, marker(row.look, 4))));
};
