// Draws the run that stands in this page. Text goes into text nodes alone.
"use strict";
const run = JSON.parse(document.getElementById("run").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const make = (tag, named = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), named);
  node.append(...children);
  return node;
};
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
for (const site of run.sites) site.bytes = bytesOf(site.overview);

let shown = { site: run.sites[0], head: 0 };
let at = null;
const buttons = [];

function weight(site, head, row, col) {
  const root = site.bytes[(head * site.rows + row) * site.cols + col] / 255;
  return site.scale[head] * root * root;
}

function paint(canvas, site, head) {
  canvas.width = site.cols;
  canvas.height = site.rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(site.cols, site.rows);
  const [r, g, b] = dark.matches ? [255, 214, 130] : [38, 32, 110];
  for (let place = 0; place < site.rows * site.cols; place++) {
    image.data.set([r, g, b, site.bytes[head * site.rows * site.cols + place]], 4 * place);
  }
  context.putImageData(image, 0, 0);
}

const name = ({ site, head }) => `layer ${site.layer}, head ${head}` + (run.sites.some(({ kind }) => kind === "cross") ? ` (${site.stack} ${site.kind})` : "");
const rowsOf = (site) => run.sequences[site.stack] ?? [];
const colsOf = (site) => run.sequences[site.kind === "cross" ? "encoder" : site.stack] ?? [];
const show = (text) => text.replaceAll(" ", "·").replaceAll("\n", "⏎");
const share = (value) => value.toFixed(3).replace(/^0/, "");

const title = make("h2");
const said = make("p");
said.setAttribute("role", "status");
const map = make("canvas", { tabIndex: 0 });
const tokens = make("div", { className: "tokens" });
const grid = make("div", { className: "grid" });

function spanOf(site, index) {
  return site.cell === 1 ? "" : `, the largest of ${site.cell} × ${site.cell} tokens`;
}

function draw() {
  const { site, head } = shown;
  title.textContent = name(shown) + (site.labels[head] ? `: ${site.labels[head].replaceAll("_", " ")}` : "");
  paint(map, site, head);
  map.setAttribute("aria-label", `Attention map of ${name(shown)}; arrow keys read its weights`);
  map.setAttribute("role", "application");
  for (const button of buttons) button.node.setAttribute("aria-pressed", String(button.site === site && button.head === head));
  tokens.replaceChildren();
  const texts = colsOf(site);
  texts.forEach((text, index) => {
    const token = make("span", {}, show(text));
    const cell = Math.floor(index / site.cell);
    const strength = at ? weight(site, head, at.row, cell) / Math.max(site.scale[head], 1e-9) : 0;
    token.style.background = `color-mix(in srgb, #2563d8 ${Math.round(70 * Math.sqrt(strength))}%, transparent)`;
    if (at && Math.floor(index / site.cell) === at.row && site.kind === "self") token.className = "at";
    token.onclick = () => point({ row: Math.min(cell, site.rows - 1), col: at ? at.col : 0 });
    tokens.append(token);
  });
  read();
}

function read() {
  const { site, head } = shown;
  if (!at) return void (said.textContent = "Point at the map to read a weight; press a head or a token.");
  const row = rowsOf(site)[at.row * site.cell] ?? at.row;
  const col = colsOf(site)[at.col * site.cell] ?? at.col;
  said.textContent = `${show(String(row))} looks at ${show(String(col))}: ${share(weight(site, head, at.row, at.col))}${spanOf(site)}`;
}

function point(place) {
  at = place;
  draw();
}

map.addEventListener("pointermove", (event) => {
  const box = map.getBoundingClientRect();
  const col = Math.floor(((event.clientX - box.left) / box.width) * shown.site.cols);
  const row = Math.floor(((event.clientY - box.top) / box.height) * shown.site.rows);
  if (row >= 0 && col >= 0 && row < shown.site.rows && col < shown.site.cols) point({ row, col });
});
map.addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const { rows, cols } = shown.site;
  const from = at ?? { row: 0, col: 0 };
  point({ row: Math.min(rows - 1, Math.max(0, from.row + step[0])), col: Math.min(cols - 1, Math.max(0, from.col + step[1])) });
});

for (const site of run.sites) {
  const row = make("div", { className: "row" }, make("span", {}, `L${site.layer}`));
  for (let head = 0; head < site.heads; head++) {
    const canvas = make("canvas");
    const node = make("button", { title: name({ site, head }), onclick: () => ((shown = { site, head }), (at = null), draw()) }, canvas);
    node.setAttribute("aria-label", name({ site, head }));
    buttons.push({ node, canvas, site, head });
    row.append(node);
  }
  grid.append(row);
}
const paintAll = () => {
  for (const { canvas, site, head } of buttons) paint(canvas, site, head);
  if (shown.site) draw();
};
dark.addEventListener("change", paintAll);
document.getElementById("viewer").append(
  make("header", {}, make("h1", {}, run.title), make("p", {}, `Read by ${run.model}, saved from Headlight. This file needs no site. `)),
  grid,
  make("section", { className: "focus" }, title, said, map, tokens),
);
paintAll();
