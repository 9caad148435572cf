// What pages do beyond being read: arrow keys in a heat map, words beside the pointer, and a note when there is a newer build.
"use strict";

// One cell of a heat map is in the order of the Tab key; arrows, Home, End and Page keys move it.
for (const map of document.querySelectorAll("table.heat")) {
  const rows = [...map.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("a")));
  const links = rows.flat().filter(Boolean);
  const note = document.getElementById(map.dataset.note);
  const place = new Map();
  rows.forEach((row, y) => row.forEach((link, x) => link && place.set(link, [y, x])));
  links.forEach((link) => { link.tabIndex = -1; });
  const scroller = map.parentElement;
  scroller.scrollLeft = scroller.scrollWidth;
  let current = rows.map((row) => row[row.length - 1]).find(Boolean) || links[links.length - 1];
  if (current) current.tabIndex = 0;
  const move = (link) => { current.tabIndex = -1; current = link; link.tabIndex = 0; link.focus(); };
  const next = (y, x, dy, dx) => {
    do { y += dy; x += dx; } while (rows[y] && x >= 0 && x < rows[y].length && !rows[y][x]);
    return rows[y] && rows[y][x];
  };
  const say = (link) => {
    if (note) note.textContent = `${link.closest("tr").cells[0].textContent.trim()}, ${link.getAttribute("aria-label")}`;
  };
  map.addEventListener("keydown", (event) => {
    const at = place.get(event.target);
    if (!at || event.altKey || event.ctrlKey || event.metaKey) return;
    const [y, x] = at;
    const row = rows[y].filter(Boolean);
    const goal = {
      ArrowLeft: () => next(y, x, 0, -1), ArrowRight: () => next(y, x, 0, 1), ArrowUp: () => next(y, x, -1, 0), ArrowDown: () => next(y, x, 1, 0),
      Home: () => row[0], End: () => row[row.length - 1],
      PageUp: () => rows.map((found) => found[x]).find(Boolean), PageDown: () => rows.map((found) => found[x]).filter(Boolean).pop(),
    }[event.key];
    if (!goal) return;
    event.preventDefault();
    const link = goal();
    if (link) move(link);
  });
  map.addEventListener("focusin", (event) => { if (place.has(event.target)) say(event.target); });
  map.addEventListener("mouseover", (event) => { const link = event.target.closest("a"); if (place.has(link)) say(link); });
}

// The figures of the mark under the pointer; the table below each chart has all of them.
let tip = null;
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest && event.target.closest(".plot [aria-roledescription][aria-label]");
  if (!mark) { if (tip) tip.hidden = true; return; }
  if (!tip) { tip = document.createElement("div"); tip.className = "tip"; document.body.append(tip); }
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - 200)}px`;
  tip.style.top = `${event.clientY + 14}px`;
});

// A page that is left open says when the site was built anew.
const root = document.documentElement.dataset.root;
if (location.protocol.startsWith("http")) {
  let built = null;
  const look = async () => {
    try {
      const answer = await fetch(`${root}built.json`, { cache: "no-store" });
      const found = answer.ok ? await answer.text() : null;
      if (built !== null && found !== null && found !== built && !document.querySelector(".newer")) {
        const line = document.createElement("div");
        line.className = "newer";
        line.setAttribute("role", "status");
        const link = document.createElement("a");
        link.href = location.href;
        link.textContent = "There is a newer build of this page: reload";
        link.addEventListener("click", (event) => { event.preventDefault(); location.reload(); });
        line.append(link);
        document.querySelector("main").before(line);
      }
      built = found || built;
    } catch { /* the server is away: the page stays as it is */ }
  };
  look();
  setInterval(look, 60000);
}
