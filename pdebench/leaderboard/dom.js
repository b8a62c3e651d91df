// Elements are made here and nowhere else: text becomes text nodes, never markup.
const SVG = "http://www.w3.org/2000/svg";

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, own] of Object.entries(value)) node.style.setProperty(key, own);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
};
const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const s = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// A name that breaks after its underscores, not within a word.
const breakable = (name) => name.split(/(?<=_)/).flatMap((part, k) => (k ? [h("wbr"), part] : [part]));

let unique = 0;
const newId = (stem) => `${stem}-${++unique}`;

const said = document.getElementById("said");
const say = (text) => { said.textContent = text; };

// Draws again whenever the width of its place changes, so that text in a plot keeps its size.
const responsive = (draw) => {
  const place = h("div", { class: "plot" });
  let width = 0;
  const fit = () => {
    const now = Math.floor(place.clientWidth);
    if (!now || now === width) return;
    width = now;
    place.replaceChildren(draw(width));
  };
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(place);
  place.redraw = () => { if (width) place.replaceChildren(draw(width)); };
  return place;
};

// A table of values behind a plot, made when first opened.
const values = (head, rows) => {
  const body = h("div", { tabindex: 0, role: "region", "aria-label": "Values of the plot" });
  return h("details", { class: "values", ontoggle: () => {
    if (body.firstChild) return;
    body.append(h("table", { class: "plain" },
      h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, rows().map((row) => h("tr", null, row.map((cell, k) => h(k ? "td" : "th", k ? null : { scope: "row" }, cell)))))));
  } }, h("summary", null, "Values as a table"), body);
};

const segments = (label, options, chosen, onchoose) => {
  const buttons = options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(options[k][0] === value)));
    onchoose(value);
  } }, text));
  return h("div", { class: "segments", role: "group", "aria-label": label }, buttons);
};
