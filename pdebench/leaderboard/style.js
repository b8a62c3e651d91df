// Colour and marker of a row: one of each per family; classical rungs in ink, baselines grey.
const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
  (r) => `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
  (r) => `M0,${-r * 1.2}L${r * 1.15},${r * 0.85}H${-r * 1.15}z`,
  (r) => `M0,${r * 1.2}L${r * 1.15},${-r * 0.85}H${-r * 1.15}z`,
  (r) => `M0,${-r * 1.1}L${r * 1.05},${-r * 0.3}L${r * 0.65},${r}H${-r * 0.65}L${-r * 1.05},${-r * 0.3}z`,
  (r) => `M${-r},${-r * 0.45}H${-r * 0.45}V${-r}H${r * 0.45}V${-r * 0.45}H${r}V${r * 0.45}H${r * 0.45}V${r}H${-r * 0.45}V${r * 0.45}H${-r}z`,
];
const DIAMOND = (r) => `M0,${-r * 1.3}L${r * 1.1},0L0,${r * 1.3}L${-r * 1.1},0z`;
const CROSS = (r) => `M${-r},${-r}L${r},${r}M${-r},${r}L${r},${-r}`;
const COLOURS = 8;

const styleRows = (table) => {
  const families = [...new Set(table.rows.filter((row) => row.ladder === null && row.family !== "baseline").map((row) => row.family))];
  for (const row of table.rows) {
    const k = families.indexOf(row.family);
    if (row.ladder !== null) row.look = { colour: "var(--ink)", shape: DIAMOND, kind: "ladder" };
    else if (row.family === "baseline") row.look = { colour: "var(--muted)", shape: CROSS, kind: "baseline" };
    // With more families than colours the shape changes first, so that no two share both until 48 of them.
    else row.look = { colour: `var(--s${k % COLOURS})`, shape: SHAPES[(k + Math.floor(k / COLOURS)) % SHAPES.length], kind: "learned" };
  }
};

const marker = (look, radius, attributes) => s("path", {
  d: look.shape(radius), ...attributes,
  style: look.kind === "baseline" ? { fill: "none", stroke: look.colour, "stroke-width": "2" } : { fill: look.colour, stroke: "var(--raised)", "stroke-width": "1" },
});
const key = (look) => s("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, marker(look, 5));

// Dashes tell rows of one family apart where lines are drawn.
const DASHES = ["none", "6 3", "2 3", "9 3 2 3"];
const dashes = (rows) => {
  const seen = {};
  return rows.map((row) => {
    const colour = row.look.colour;
    seen[colour] = (seen[colour] ?? -1) + 1;
    return DASHES[seen[colour] % DASHES.length];
  });
};
