// The table: sorted, filtered, with rows that open.
const AT_FIRST = 60;

const grid = (table, shared) => {
  const columns = columnsOf(table);
  const state = { sort: 0, down: false, text: "", uses: "", hidden: new Set(), all: false, open: new Set() };
  const head = h("tr");
  const body = h("tbody");
  const visible = () => columns.filter((column) => !state.hidden.has(column.group));

  const headings = () => {
    head.replaceChildren(...visible().map((column) => {
      const k = columns.indexOf(column), sorted = state.sort === k;
      const inner = column.by ? h("button", { type: "button", onclick: () => order(k) }, column.name) : column.name;
      return h("th", { scope: "col", class: column.classes || null, title: column.about || null, "aria-sort": sorted ? (state.down ? "descending" : "ascending") : null },
        inner, column.foot ? h("div", null, column.foot) : null);
    }));
  };
  const order = (k) => {
    state.down = state.sort === k ? !state.down : Boolean(columns[k].high);
    state.sort = k;
    headings();
    refill();
    head.children[visible().indexOf(columns[k])].querySelector("button").focus();
    say(`Sorted by ${columns[k].name}, ${state.down ? "descending" : "ascending"}`);
  };
  const sorted = () => {
    const wanted = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = table.rows.filter((row) => {
      const text = `${row.label} ${row.family} ${row.plugin} ${row.status}`.toLowerCase();
      return wanted.every((word) => text.includes(word)) && usesFit(row, state.uses);
    });
    if (state.sort === 0 && !state.down) return found; // as built: ranked rows first
    const { by } = columns[state.sort], sign = state.down ? -1 : 1;
    const compare = (a, b) => {
      const x = by(a), y = by(b), xs = x === null || x === undefined || (typeof x === "number" && !finite(x)), ys = y === null || y === undefined || (typeof y === "number" && !finite(y));
      if (xs || ys) return xs - ys; // what has no value stays below, whichever way
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    };
    const [ranked, rest] = [found.filter((row) => row.place), found.filter((row) => !row.place)];
    return [...ranked.sort(compare), ...rest];
  };
  const refill = () => {
    const rows = sorted(), shown = state.all ? rows : rows.slice(0, AT_FIRST);
    body.replaceChildren(...shown.flatMap((row) => rowNodes(row)));
    if (shown.length < rows.length)
      body.append(h("tr", null, h("td", { class: "left more", colspan: visible().length }, h("button", { type: "button", onclick: () => { state.all = true; refill(); } }, `Show all ${rows.length} rows`))));
    if (!rows.length) body.append(h("tr", null, h("td", { class: "left more", colspan: visible().length }, "No row matches the filter.")));
    return rows.length;
  };
  const rowNodes = (row) => {
    const id = `detail-${row.id}`, open = state.open.has(row.id);
    const opener = h("button", { type: "button", class: "opener", "aria-expanded": String(open), "aria-controls": id, title: row.label, onclick: () => toggle(row) },
      key(row.look), h("b", null, breakable(row.solver)), row.label === row.solver ? null : h("span", { class: "over" }, row.label.slice(row.solver.length).trim()));
    const node = h("tr", { class: `row${row.place ? "" : " ill"}${open ? " open" : ""}`, id: `row-${row.id}` });
    node.append(...cells(row, opener));
    return open ? [node, detailRow(row, id)] : [node];
  };
  const cells = (row, opener) => {
    const own = visible(), first = [columns[0].cell(row), h("th", { scope: "row", class: "stick c-solver" }, opener)];
    const empty = !row.place && !(scoreOf(row, table.splits[0], table.headline) || {}).mean;
    if (empty) return [...first, h("td", { class: "why", colspan: own.length - 2 }, h("span", { class: "badge ill" }, words(row.status)), ` ${row.reason || ""}`)];
    if (row.status !== "ok") opener.append(h("span", { class: "badge ill" }, words(row.status)));
    return [...first, ...own.slice(2).map((column) => column.cell(row))];
  };
  const detailRow = (row, id) => h("tr", { class: "details", id }, h("td", { colspan: visible().length }, detail(row, table, shared)));
  const toggle = (row) => {
    const node = document.getElementById(`row-${row.id}`);
    const open = !state.open.delete(row.id);
    if (open) state.open.add(row.id);
    node.classList.toggle("open", open);
    node.querySelector(".opener").setAttribute("aria-expanded", String(open));
    if (open) node.after(detailRow(row, `detail-${row.id}`)); else node.nextElementSibling.remove();
  };
  const reveal = (row) => {
    state.all = true;
    state.open.add(row.id);
    state.text = state.uses = "";
    tools.reset();
    refill();
    const node = document.getElementById(`row-${row.id}`);
    node.scrollIntoView({ block: "center" });
    node.querySelector(".opener").focus({ preventScroll: true });
  };

  const tools = toolbar(table, columns, state, () => { headings(); return refill(); });
  headings();
  refill();
  const node = h("section", { "aria-labelledby": "table-name" }, tools.node,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "table-name" }, h("table", { class: "board" }, h("thead", null, head), body)));
  return { node, reveal };
};

const usesFit = (row, asked) => ({ "": true, labels: row.uses.includes("labels"), "label-free": !row.uses.includes("labels"), equation: row.uses.includes("equation"), classical: row.look.kind === "ladder" })[asked];

const toolbar = (table, columns, state, refresh) => {
  const told = () => { const left = refresh(); say(`${left} of ${table.rows.length} rows`); };
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter rows by solver, family or status", oninput: () => { state.text = search.value; told(); } });
  const uses = h("select", { "aria-label": "Filter rows by what the solver may see", onchange: () => { state.uses = uses.value; told(); } },
    [["", "all solvers"], ["labels", "uses labels"], ["label-free", "label-free"], ["equation", "uses the equation"], ["classical", "classical ladder"]].map(([value, text]) => h("option", { value }, text)));
  const groups = [...new Set(columns.map((column) => column.group).filter(Boolean))];
  const boxes = groups.map((group) => h("label", { class: "opt" }, h("input", { type: "checkbox", checked: true, onchange: (event) => {
    if (event.target.checked) state.hidden.delete(group); else state.hidden.add(group);
    refresh();
  } }), group));
  const node = h("div", { class: "tools" }, h("h2", { id: "table-name" }, "Ranking"), h("span", { class: "groups" }, boxes), uses, h("label", null, search));
  return { node, reset: () => { search.value = ""; uses.value = ""; } };
};
