// What a row opens to: all scores, all costs, and every record with its command, environment and configuration.
const detail = (row, table, shared) => h("div", { class: "detail" },
  h("div", null, h("section", null, h("h3", null, "Scores"), scoreTable(row, table), row.reason ? h("p", { class: "muted" }, `${words(row.status)}: ${row.reason}`) : null,
    ((row.protocol || {}).violations || []).map((one) => h("p", { class: "muted" }, `violates ${one.guard}: ${one.reason}`))), past(row, table)),
  h("div", null, h("section", null, h("h3", null, "Costs"), costTable(row), facts(row)),
  h("section", null, h("h3", null, row.runs.length === 1 ? "Record" : `Records (${row.runs.length})`), row.runs.map((run) => runNode(run, shared, row.runs.length === 1)))));

const simple = (head, rows) => h("div", { class: "table" }, h("table", { class: "plain" },
  h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell, k) => h(k ? "td" : "th", k ? null : { scope: "row" }, cell)))))));

const scoreTable = (row, table) => {
  const rows = table.splits.flatMap((split) => Object.keys(table.metrics).map((metric) => [split, metric, scoreOf(row, split, metric)])).filter(([, , score]) => score);
  if (!rows.length) return h("p", { class: "muted" }, "No scores.");
  return simple(["metric", "mean", "95 % interval", "median", "worst"], rows.map(([split, metric, score]) => [
    `${metric} on ${split}`,
    ...(score.not_applicable ? [`not applicable: ${score.not_applicable}`, "", "", ""] : [number(score.mean), spanOf(score.low, score.high) || "—", number(score.median), number(score.worst)])]));
};

const COSTS = { data: "making the data set", pretrain: "training of the weights it starts from", fit: "fit, per data set", prepare: "prepare, per discretisation", solve: "solve, per sample" };
const costTable = (row) => {
  const rows = Object.keys(COSTS).filter((phase) => row.costs[phase]);
  if (!rows.length) return h("p", { class: "muted" }, "Nothing was timed.");
  const lines = rows.map((phase) => [COSTS[phase], timed(row.costs[phase]), memory(row.costs[phase].peak_bytes)]);
  if (finite((row.costs.solve || {}).first)) lines.push(["first solve, compilation included, per call", seconds(row.costs.solve.first), ""]);
  return simple(["phase", "time", "peak memory"], lines);
};

const facts = (row) => h("p", { class: "muted" }, [
  `${row.plugin || "unknown plugin"} ${row.version}`, `family ${row.family}`, `setting ${row.setting}`, `${row.parameters ? `${row.parameters.toLocaleString("en")} parameters` : "no parameters"}`,
  `uses ${row.uses.join(" and ") || "neither labels nor equation"}`, row.versus ? row.versus.verdict : null].filter(Boolean).join(" · "));

const runNode = (run, shared, open) => h("details", { class: "run", open },
  h("summary", null, `seed ${run.seed} · ${words(run.status)} · `, h("code", null, run.id.slice(0, 12)), ` · ${plainDate(run.created)}`),
  run.reason ? h("p", null, run.reason) : null, copyable(run.command), h("p", { class: "muted" }, "id ", h("code", null, run.id)),
  folded("Environment", () => ({ ...shared[run.environment], ...(run.load === null ? {} : { load: run.load }) })),
  folded("Versions", () => shared[run.versions]),
  folded("Configuration", () => ({ ...Object.fromEntries(Object.entries(run.config).map(([name, at]) => [name, shared[at]])), seed: run.seed })));

const folded = (name, content) => {
  const pre = h("pre", { tabindex: 0, "aria-label": name });
  return h("details", { ontoggle: () => { if (!pre.textContent) pre.textContent = JSON.stringify(content(), null, 2); } }, h("summary", null, name), pre);
};

const copyable = (command) => {
  const code = h("code", null, command);
  const button = h("button", { type: "button", "aria-label": "Copy the command", onclick: async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch { // no clipboard (a file opened from disk in some browsers): select it instead
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    say("Command copied or selected");
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  return h("div", { class: "command" }, code, button);
};
