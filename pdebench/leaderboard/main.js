// Routes, the chooser and the colour theme.
const content = JSON.parse(document.getElementById("content").textContent);
content.tables.forEach(styleRows);
const link = (table) => `#/${encodeURIComponent(table.slug)}`;
const main = document.getElementById("main");

const current = () => {
  const slug = decodeURIComponent(location.hash.slice(2));
  return content.tables.find((table) => table.slug === slug);
};

const chooser = (table) => {
  const choose = (name, options, chosen, find) => {
    const select = h("select", { "aria-label": name, onchange: () => { location.hash = find(select.value); } }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
    return h("label", null, select);
  };
  const tasks = [...new Set(content.tables.map((own) => own.key.task))];
  const first = (task) => content.tables.find((own) => own.key.task === task);
  const options = [["", "All boards"], ...tasks.map((task) => [task, task])];
  const parts = [choose("Task", options, table ? table.key.task : "", (task) => (task ? link(first(task)) : "#/"))];
  if (table) {
    const tracks = [...new Set(content.tables.filter((own) => own.key.task === table.key.task).map((own) => own.key.track))];
    const same = content.tables.filter((own) => own.key.task === table.key.task && own.key.track === table.key.track);
    // what tells the tables apart, beside device and model
    const apart = ["precision", "version", "dataset"].filter((field) => new Set(same.map((own) => own.key[field])).size > 1);
    const name = (own) => [own.key.device, own.key.hardware, ...apart.map((field) => own.key[field].slice(0, 12))].join(" · ");
    const of = (track) => content.tables.find((own) => own.key.task === table.key.task && own.key.track === track);
    if (tracks.length > 1) parts.push(choose("Track", tracks.map((track) => [track, track || "no track"]), table.key.track, (track) => link(of(track))));
    if (same.length > 1) parts.push(choose("Device", same.map((own) => [own.slug, name(own)]), table.slug, (slug) => `#/${encodeURIComponent(slug)}`));
  }
  document.getElementById("chooser").replaceChildren(...parts);
};

const show = () => {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const table = content.tables.length === 1 ? content.tables[0] : current();
  document.title = table ? `${[table.key.task, table.key.track].filter(Boolean).join(" · ")} – pdebench leaderboard` : "pdebench leaderboard";
  chooser(table);
  main.replaceChildren(...(table ? board(table, content) : overview(content)).filter(Boolean));
  scrollTo(0, 0);
};

const THEMES = [["", "automatic", "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18"], ["light", "light", "M12 7a5 5 0 1 0 0 10a5 5 0 0 0 0-10zM12 1v3M12 20v3M1 12h3M20 12h3M4 4l2 2M18 18l2 2M20 4l-2 2M6 18l-2 2"], ["dark", "dark", "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z"]];
const remember = (value) => { try { localStorage.setItem("pdebench-theme", value); } catch { /* no storage: the choice lasts for this page */ } };
const recalled = () => { try { return localStorage.getItem("pdebench-theme") || ""; } catch { return ""; } };
const paint = (value) => {
  const [name, text, shape] = THEMES.find(([own]) => own === value) || THEMES[0];
  if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  button.setAttribute("aria-label", `Colour theme: ${text}`);
  button.title = `Colour theme: ${text}`;
  button.replaceChildren(s("svg", { width: 20, height: 20, viewBox: "0 0 24 24", "aria-hidden": "true", style: { fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round" } }, s("path", { d: shape })));
  button.onclick = () => { const next = THEMES[(THEMES.findIndex(([own]) => own === name) + 1) % THEMES.length][0]; remember(next); paint(next); };
};

paint(recalled());
document.getElementById("foot").append(`${content.records.toLocaleString("en")} records, the newest of ${plainDate(content.newest)}. Made by pdebench board; this page fetches nothing.`);
addEventListener("hashchange", show);
show();
if (content.tables.length === 0) main.replaceChildren(h("p", { class: "empty" }, "No records yet."));
