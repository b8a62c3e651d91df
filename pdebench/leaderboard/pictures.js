// Example fields: every prediction beside its difference from the reference, all on one symmetric scale.
const LINE = { width: 200, height: 110 };
const lineSketch = (curves, scale, label) => {
  const x = (k, count) => 3 + (k / Math.max(count - 1, 1)) * (LINE.width - 6);
  const y = (value) => LINE.height / 2 - (Math.max(-1.15, Math.min(1.15, value / scale)) * LINE.height) / 2.5;
  return s("svg", { viewBox: `0 0 ${LINE.width} ${LINE.height}`, role: "img", "aria-label": label },
    s("line", { class: "rule", x1: 0, x2: LINE.width, y1: LINE.height / 2, y2: LINE.height / 2 }),
    curves.map(([values, colour]) => s("path", { d: path(values.map((value, k) => [x(k, values.length), finite(value) ? y(value) : NaN])), style: { fill: "none", stroke: colour, "stroke-width": "1.8" } })));
};

const pictures = (table, bar) => {
  const shown = table.examples;
  if (!shown) return null;
  const rows = rowsById(table);
  const moment = (k) => (shown.frames.length ? ` at t = ${number(shown.frames[k])}` : "");
  const picture = (content, label, colour) => (typeof content === "string" ? h("img", { src: content, alt: label }) : lineSketch([[content, colour]], shown.scale, label));
  const grid = h("div", { class: "pictures" });
  const show = (k) => {
    grid.replaceChildren(
      h("div", { class: "picture" }, h("h3", null, "Reference"), h("div", { class: "pair" },
        h("div", null, picture(shown.reference[k], `Reference${moment(k)}`, "var(--ink)"), h("small", null, "reference")))),
      ...shown.rows.map((one) => {
        const row = rows.get(one.row), times = one.factor > 1 ? ` × ${one.factor >= 1e4 ? power(Math.round(Math.log10(one.factor))) : one.factor}` : "";
        return h("div", { class: "picture" }, h("h3", null, row.label), h("div", { class: "pair" },
          h("div", null, picture(one.prediction[k], `Prediction of ${row.label}${moment(k)}`, row.look.colour), h("small", null, "prediction")),
          h("div", null, picture(one.difference[k], `Prediction of ${row.label} minus reference${moment(k)}, magnified by ${one.factor}`, row.look.colour), h("small", null, `difference${times}`))));
      }));
  };
  const last = shown.reference.length - 1;
  show(last);
  const tools = last > 0 ? segments("Time", shown.reference.map((_, k) => [k, `t = ${number(shown.frames[k])}`]), last, show) : null;
  const scale = shown.kind === "image" ? h("div", { class: "bar" }, h("span", null, `−${number(shown.scale)}`), h("img", { src: bar, alt: "Colour scale from blue, negative, through white, zero, to red, positive" }), h("span", null, number(shown.scale))) : null;
  return h("figure", { class: "wide" }, h("div", { class: "caption" }, h("h2", null, "Examples"),
    h("p", null, `First sample of the headline split, first channel${shown.remark ? `, ${shown.remark}` : ""}. One symmetric scale for all; differences are multiplied by the power of ten given.`), tools), grid, scale);
};
