// The body of a table. A long one has only the rows in sight in the document: gaps as tall as the others stand for them.
const LONG = 120; // items from which the table scrolls on its own
const AROUND = 6; // items drawn above and below those in sight

const scrolledBody = (scroller, body, make, span) => {
  const nodes = new Map(), gaps = [];
  let items = [], heights = [], tops = null, typical = 38, drawn = "";

  const long = () => items.length > LONG;
  const measure = () => {
    if (tops) return tops;
    tops = new Float64Array(items.length + 1);
    for (let k = 0; k < items.length; k += 1) tops[k + 1] = tops[k] + (heights[k] || typical);
    return tops;
  };
  const at = (y) => { // the item at a height: the last that begins above it
    const all = measure();
    let low = 0, high = items.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; if (all[middle] <= y) low = middle; else high = middle - 1; }
    return low;
  };
  const inSight = () => {
    if (!long()) return [[0, items.length]];
    const first = Math.max(at(scroller.scrollTop) - AROUND, 0), last = Math.min(at(scroller.scrollTop + scroller.clientHeight) + 1 + AROUND, items.length);
    const held = body.contains(document.activeElement) ? document.activeElement.closest("tr") : null; // keeps its place in the tab order
    const k = held ? items.findIndex((item) => nodes.get(item.key) === held) : -1;
    if (k < 0 || (k >= first && k < last)) return [[first, last]];
    return k < first ? [[k, k + 1], [first, last]] : [[first, last], [k, k + 1]];
  };
  const gap = (number, height) => {
    gaps[number] = gaps[number] || h("tr", { class: "gap", "aria-hidden": "true" }, h("td"));
    const cell = gaps[number].firstChild;
    cell.setAttribute("colspan", span());
    cell.style.height = `${height}px`;
    return gaps[number];
  };
  const node = (item, k) => {
    if (!nodes.has(item.key)) nodes.set(item.key, make(item));
    const own = nodes.get(item.key);
    if (long()) own.setAttribute("aria-rowindex", k + 2);
    return own;
  };
  const draw = () => {
    const ranges = inSight(), all = measure(), wanted = [];
    let reached = 0;
    ranges.forEach(([from, to], number) => {
      if (from > reached) wanted.push(gap(number, all[from] - all[reached]));
      for (let k = from; k < to; k += 1) wanted.push(node(items[k], k));
      reached = to;
    });
    if (reached < items.length) wanted.push(gap(ranges.length, all[items.length] - all[reached]));
    const keep = new Set(wanted);
    for (const own of [...body.children]) if (!keep.has(own)) own.remove();
    wanted.forEach((own, k) => { if (body.children[k] !== own) body.insertBefore(own, body.children[k] || null); });
    drawn = String(ranges);
    for (const key of nodes.keys()) if (nodes.size > 4 * LONG && !nodes.get(key).isConnected) nodes.delete(key);
    if (long()) learn(ranges);
  };
  // Heights as they turn out; those of rows not drawn yet are taken for the typical one.
  const learn = (ranges) => {
    let changed = false;
    for (const [from, to] of ranges) {
      for (let k = from; k < to; k += 1) {
        const own = nodes.get(items[k].key).getBoundingClientRect().height;
        if (own && Math.abs(own - (heights[k] || typical)) > 0.5) { heights[k] = own; changed = true; }
      }
    }
    if (changed) tops = null;
  };
  const redraw = () => { if (long() && String(inSight()) !== drawn) draw(); };
  let waiting = false;
  scroller.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; redraw(); });
  }, { passive: true });
  new ResizeObserver(redraw).observe(scroller);

  const fill = (found, anew = true) => {
    items = found;
    heights = new Array(items.length);
    tops = null;
    if (anew) nodes.clear();
    scroller.classList.toggle("long", long());
    draw();
  };
  const show = (k, centred) => { // bring an item into sight and return its node
    if (long()) {
      const all = measure(), room = scroller.clientHeight, head = scroller.querySelector("thead").offsetHeight;
      if (centred) scroller.scrollTop = all[k] - room / 3;
      else if (all[k] < scroller.scrollTop) scroller.scrollTop = all[k];
      else if (all[k + 1] + head > scroller.scrollTop + room) scroller.scrollTop = all[k + 1] + head - room;
      draw();
    }
    return nodes.get(items[k].key);
  };
  // Arrows, Home, End and the page keys move from the button of one row to that of another.
  body.addEventListener("keydown", (event) => {
    const here = event.target.closest("tr.row, tr.group");
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -items.length, End: items.length }[event.key];
    if (!step || !here || !event.target.matches(".opener")) return;
    event.preventDefault();
    const stops = items.flatMap((item, k) => (item.detail ? [] : [k])), own = items.findIndex((item) => nodes.get(item.key) === here);
    const next = stops[Math.min(Math.max(stops.indexOf(own) + step, 0), stops.length - 1)];
    const found = show(next).querySelector(".opener");
    found.focus({ preventScroll: true });
    if (!long()) found.scrollIntoView({ block: "nearest" });
    redraw();
  });
  return { fill, show, find: (key) => items.findIndex((item) => item.key === key), node: (key) => nodes.get(key) };
};
