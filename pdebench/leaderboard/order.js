// Which rows a table shows and in which order: filter, sort, groups, and the rows that are open.
const collate = new Intl.Collator("en", { numeric: true }).compare;
const usesFit = (row, asked) => ({ "": true, labels: row.uses.includes("labels"), "label-free": !row.uses.includes("labels"), equation: row.uses.includes("equation"), classical: row.look.kind === "ladder" })[asked];
const blank = (value) => value === null || value === undefined || (typeof value === "number" && !finite(value));

const filtered = (rows, text, uses) => {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    row.text = row.text || `${row.label} ${row.family} ${row.plugin} ${row.status}`.toLowerCase();
    return wanted.every((word) => row.text.includes(word)) && usesFit(row, uses);
  });
};

// Ranked rows before the others; what has no value stays below, whichever way. Without `by` the order is as built.
const ordered = (rows, by, down) => {
  if (!by) return rows;
  const keyed = rows.map((row) => { const value = by(row); return [row.place ? 0 : 1, blank(value) ? 1 : 0, value, row]; });
  keyed.sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[1] ? 0 : (down ? -1 : 1) * (typeof a[2] === "string" ? collate(a[2], b[2]) : a[2] - b[2])));
  return keyed.map((one) => one[3]);
};

const GROUPS = { family: (row) => (row.look.kind === "ladder" ? "classical ladder" : row.family), plugin: (row) => row.plugin || "unknown plugin",
  uses: (row) => row.uses.join(" and ") || "neither labels nor equation", status: (row) => words(row.status) };

// Items of the body: {key, row}, {key, row, detail: true} below a row that is open, {key, group, rows} above a group.
const itemsOf = (rows, { group, folded, open }) => {
  const opened = (row) => (open.has(row.id) ? [{ key: `row-${row.id}`, row }, { key: `detail-${row.id}`, row, detail: true }] : [{ key: `row-${row.id}`, row }]);
  if (!group) return rows.flatMap(opened);
  const groups = new Map(); // in the order of their first rows
  for (const row of rows) {
    const name = GROUPS[group](row);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return [...groups].flatMap(([name, own]) => [{ key: `group-${name}`, group: name, rows: own }, ...(folded.has(name) ? [] : own.flatMap(opened))]);
};
