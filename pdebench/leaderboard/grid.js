// The table: sorted, filtered, grouped, with rows that open.
const grid = (table, shared, view) => {
  let columns = columnsOf(table, view);
  const state = { sort: "rank", down: false, text: "", uses: "", group: "", hidden: new Set(), folded: new Set(), open: new Set() };
  const head = h("tr"), rows = h("tbody");
  const whole = h("table", { class: "board" }, h("caption", { class: "unseen" }, `Ranking of ${table.rows.length} rows`), h("thead", null, head), rows);
  const scroller = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "table-name" }, whole);
  const visible = () => columns.filter((column) => !state.hidden.has(column.group));
  const body = scrolledBody(scroller, rows, (item) => (item.group !== undefined ? groupNode(item) : item.detail ? detailRow(item.row) : rowNode(item.row)), () => visible().length);

  const headings = () => {
    head.replaceChildren(...visible().map((column) => {
      const sorted = state.sort === column.name;
      const inner = column.by ? h("button", { type: "button", onclick: () => order(column) }, column.name) : column.name;
      return h("th", { scope: "col", class: column.classes || null, title: column.about || null, "aria-sort": sorted ? (state.down ? "descending" : "ascending") : null },
        inner, column.foot ? h("div", null, column.foot) : null);
    }));
  };
  const order = (column) => {
    state.down = state.sort === column.name ? !state.down : Boolean(column.high);
    state.sort = column.name;
    headings();
    refill();
    head.children[visible().indexOf(column)].querySelector("button").focus({ preventScroll: true });
    say(`Sorted by ${column.name}, ${state.down ? "descending" : "ascending"}`);
  };
  const refill = () => {
    const column = columns.find((one) => one.name === state.sort);
    const asBuilt = !column || (state.sort === "rank" && !state.down); // ranked rows first
    const found = ordered(filtered(table.rows, state.text, state.uses), asBuilt ? null : column.by, state.down);
    const items = itemsOf(found, state);
    whole.setAttribute("aria-rowcount", items.length + 1);
    body.fill(items);
    if (!found.length) rows.append(h("tr", null, h("td", { class: "left more", colspan: visible().length }, "No row matches the filter.")));
    return found.length;
  };
  const groupNode = ({ group, rows: own }) => {
    const best = own.find((row) => row.place), score = best && scoreOf(best, view.split, view.metric);
    return h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: visible().length }, h("button", { type: "button", class: "opener", "aria-expanded": String(!state.folded.has(group)), onclick: () => {
      if (!state.folded.delete(group)) state.folded.add(group);
      refill();
      body.show(body.find(`group-${group}`)).querySelector("button").focus({ preventScroll: true });
    } }, key(own[0].look), h("b", null, group), h("span", { class: "over" }, `${own.length} row${own.length === 1 ? "" : "s"}${score && finite(score.mean) ? `, first here: ${best.label}, ${number(score.mean)}` : ""}`))));
  };
  const rowNode = (row) => {
    const open = state.open.has(row.id);
    const opener = h("button", { type: "button", class: "opener", "aria-expanded": String(open), "aria-controls": open ? `detail-${row.id}` : null, title: row.label, onclick: () => toggle(row) },
      key(row.look), h("b", null, breakable(row.solver)), row.label === row.solver ? null : h("span", { class: "over" }, row.label.slice(row.solver.length).trim()));
    const node = h("tr", { class: `row${row.place ? "" : " ill"}${open ? " open" : ""}`, id: `row-${row.id}` });
    node.append(...cells(row, opener));
    return node;
  };
  const cells = (row, opener) => {
    const own = visible(), first = [columns[0].cell(row), h("th", { scope: "row", class: "stick c-solver" }, opener)];
    const empty = !row.place && blank((scoreOf(row, view.split, view.metric) || {}).mean);
    if (empty) return [...first, h("td", { class: "why", colspan: own.length - 2 }, h("span", { class: "badge ill" }, words(row.status)), ` ${row.reason || ""}`)];
    if (row.status !== "ok") opener.append(h("span", { class: "badge ill" }, words(row.status)));
    return [...first, ...own.slice(2).map((column) => column.cell(row))];
  };
  const detailRow = (row) => h("tr", { class: "details", id: `detail-${row.id}` }, h("td", { colspan: visible().length }, detail(row, table, shared)));
  const toggle = (row) => {
    if (!state.open.delete(row.id)) state.open.add(row.id);
    const left = scroller.scrollTop;
    refill();
    scroller.scrollTop = left;
    body.show(body.find(`row-${row.id}`)).querySelector(".opener").focus({ preventScroll: true });
  };
  const reveal = (row) => {
    state.open.add(row.id);
    state.folded.clear();
    state.text = state.uses = "";
    tools.reset();
    refill();
    const node = body.show(body.find(`row-${row.id}`), true);
    node.scrollIntoView({ block: "center" });
    node.querySelector(".opener").focus({ preventScroll: true });
  };
  // Another metric or split: its column takes the headline's place, and the rows are sorted by it.
  const look = () => {
    columns = columnsOf(table, view);
    const chosen = view.metric === table.headline && view.split === table.splits[0] ? columns[0] : columns.find((column) => column.chosen);
    state.sort = chosen.name;
    state.down = Boolean(chosen.high);
    headings();
    refill();
  };

  const tools = toolbar(table, columns, state, () => { headings(); return refill(); });
  headings();
  refill();
  return { node: h("section", { "aria-labelledby": "table-name" }, tools.node, scroller), reveal, look };
};

const toolbar = (table, columns, state, refresh) => {
  const told = () => { const left = refresh(); say(`${left} of ${table.rows.length} rows`); };
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter rows by solver, family or status", oninput: () => { state.text = search.value; told(); } });
  const pick = (name, label, options) => h("select", { "aria-label": label, onchange: (event) => { state[name] = event.target.value; told(); } }, options.map(([value, text]) => h("option", { value }, text)));
  const uses = pick("uses", "Filter rows by what the solver may see", [["", "all solvers"], ["labels", "uses labels"], ["label-free", "label-free"], ["equation", "uses the equation"], ["classical", "classical ladder"]]);
  const group = pick("group", "Group rows", [["", "not grouped"], ...Object.keys(GROUPS).map((name) => [name, `by ${name}`])]);
  const groups = [...new Set(columns.map((column) => column.group).filter(Boolean))];
  const boxes = groups.map((name) => h("label", { class: "opt" }, h("input", { type: "checkbox", checked: true, onchange: (event) => {
    if (event.target.checked) state.hidden.delete(name); else state.hidden.add(name);
    refresh();
  } }), name));
  const node = h("div", { class: "tools" }, h("h2", { id: "table-name" }, "Ranking"), h("span", { class: "groups" }, boxes), group, uses, h("label", null, search));
  return { node, reset: () => { search.value = ""; uses.value = ""; } };
};
