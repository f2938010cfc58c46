/**
 * The lens as a table: layers from the foot up, positions side by side. A grid to the keyboard: arrows walk its cells,
 * Enter keeps a position.
 */
import { element, setText } from "../../dom/element";
import { share } from "../../dom/numbers";
import { luminance, type Ramp, rampColour } from "../../gl/ramp";
import { say } from "../../language/say";
import { depthName, type LensCell, type LensRow, standing } from "../../state/lens";
import { tokenName } from "../../state/text";

/** From here on black letters are easier to read than white ones: both then have a contrast of 4.58. */
const MIDDLE_LUMINANCE = 0.179;

export interface LensTable {
  root: HTMLElement;
  show(rows: readonly LensRow[], names: readonly string[], ramp: Ramp): void;
  /** Marks the column of a position, and brings it into sight where nobody points into the table. */
  mark(position: number | null): void;
}

export interface Pointed {
  position: number;
  depth: number;
  cell: LensCell | null;
  place: DOMRect;
}

export interface LensTableEvents {
  /** What is under the pointer or the focus: a cell, or the name of a position alone; null where it has left. */
  onPoint(pointed: Pointed | null): void;
  onKeep(position: number): void;
  /** The keys walk out of the window. False at the end of the text. */
  onLeave(direction: -1 | 1): boolean;
}

export function depthInWords(depth: number): string {
  return depth === 0 ? say("before the first layer") : say("after layer {n}", { n: depth - 1 });
}

export function createLensTable({ onPoint, onKeep, onLeave }: LensTableEvents): LensTable {
  const caption = element("caption", { class: "visually-hidden" }, say("What each layer would say, the last one on top"));
  const head = element("thead");
  const body = element("tbody");
  const table = element("table", { class: "lens-table", role: "grid" }, caption, head, body);
  const root = element("div", { class: "lens-scroller" }, table);
  let rows: readonly LensRow[] = [];
  let marked: number | null = null;
  /** Where the focus goes when the next window is shown. */
  let ahead: { depth: number; position: number } | null = null;
  let isQuiet = false;

  function show(next: readonly LensRow[], names: readonly string[], ramp: Ramp): void {
    const isWalking = ahead !== null;
    const focused = body.contains(document.activeElement) ? (ahead ?? placeOf(document.activeElement)) : null;
    ahead = null;
    // Taking the focused cell away is no sign that anybody has left it.
    isQuiet = true;
    rows = next;
    const positions = rows[0]?.cells.map(({ position }) => position) ?? [];
    head.replaceChildren(
      element(
        "tr",
        {},
        element("td", { class: "lens-corner" }),
        ...positions.map((position) =>
          element(
            "th",
            { scope: "col", class: "lens-name token-name", "data-position": position, dir: "auto", title: position },
            names[position] ?? String(position),
          ),
        ),
      ),
    );
    body.replaceChildren(...rows.map((row) => rowOf(row, names, ramp)));
    const [first = 0, last = 0] = [positions[0], positions.at(-1)];
    const at = focused ?? { depth: rows[0]?.depth ?? 0, position: marked ?? last };
    const cell = cellAt(at.depth, Math.min(last, Math.max(first, at.position)));
    if (cell) cell.tabIndex = 0;
    // Whoever walks by keys points at the cell; a pointer that left the focus behind points elsewhere by now.
    isQuiet = !isWalking;
    if (focused) cell?.focus({ preventScroll: !isWalking });
    isQuiet = false;
    const before = marked;
    marked = null;
    mark(before);
    if (!isWalking && (before === null || !positions.includes(before))) root.scrollLeft = root.scrollWidth;
  }

  function rowOf({ depth, cells }: LensRow, names: readonly string[], ramp: Ramp): HTMLElement {
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: depthInWords(depth) }, depthName(depth)),
      ...cells.map((cell) => {
        const [best] = cell.guesses;
        const colour = rampColour(ramp, best?.probability ?? 0);
        const ink = luminance(colour) > MIDDLE_LUMINANCE ? "#000" : "#fff";
        const name = tokenName(best?.text ?? "");
        return element(
          "td",
          {
            role: "gridcell",
            tabindex: -1,
            class: `lens-cell token-name lens-${standing(cell)}`,
            style: `background: rgb(${colour.join(" ")}); color: ${ink}`,
            "data-depth": depth,
            "data-position": cell.position,
            "aria-label": cellInWords(cell, depth, names[cell.position] ?? String(cell.position)),
          },
          element("span", { dir: "auto" }, name),
        );
      }),
    );
  }

  function mark(position: number | null): void {
    if (position === marked) return;
    marked = position;
    for (const cell of table.querySelectorAll(".lens-marked")) cell.classList.remove("lens-marked");
    if (position === null) return;
    const column = table.querySelectorAll<HTMLElement>(`[data-position="${position}"]`);
    for (const cell of column) cell.classList.add("lens-marked");
    if (column[0] && !root.matches(":hover") && !body.contains(document.activeElement)) bringIntoSight(column[0]);
  }

  /** Sideways, and within the table alone. */
  function bringIntoSight(cell: HTMLElement): void {
    const names = head.querySelector<HTMLElement>(".lens-corner")?.offsetWidth ?? 0;
    const [left, right] = [cell.offsetLeft - names, cell.offsetLeft + cell.offsetWidth];
    if (left < root.scrollLeft) root.scrollLeft = left;
    else if (right > root.scrollLeft + root.clientWidth) root.scrollLeft = right - root.clientWidth;
  }

  function cellAt(depth: number, position: number): HTMLElement | null {
    return body.querySelector(`[data-depth="${depth}"][data-position="${position}"]`);
  }

  function point(node: Element | null): void {
    const { position: named, depth: layer } = (node as HTMLElement | null)?.dataset ?? {};
    if (!node || named === undefined) return onPoint(null);
    const [position, depth] = [Number(named), layer === undefined ? (rows[0]?.depth ?? 0) : Number(layer)];
    const row = layer === undefined ? undefined : rows.find((known) => known.depth === depth);
    const cell = row?.cells.find((known) => known.position === position) ?? null;
    onPoint({ position, depth, cell, place: node.getBoundingClientRect() });
  }

  table.addEventListener("pointerover", (event) => {
    point((event.target as Element).closest("[data-position]"));
  });
  table.addEventListener("pointerleave", () => point(null));
  body.addEventListener("focusin", (event) => {
    if (!isQuiet) point((event.target as Element).closest(".lens-cell"));
  });
  body.addEventListener("focusout", () => {
    if (isQuiet) return;
    ahead = null;
    point(null);
  });
  table.addEventListener("click", (event) => {
    const position = (event.target as Element).closest<HTMLElement>("[data-position]")?.dataset.position;
    if (position !== undefined) onKeep(Number(position));
  });
  body.addEventListener("keydown", (event) => {
    const from = placeOf(event.target as Element);
    if (!from) return;
    if (event.key === "Enter" || event.key === " ") onKeep(from.position);
    else {
      const [deeper, further] = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
      if (deeper === undefined || further === undefined) return;
      const next = cellAt(from.depth + deeper, from.position + further);
      // Keys that are pressed while the next window is on its way wait for nothing.
      if (!next && further && !ahead && onLeave(further > 0 ? 1 : -1))
        ahead = { depth: from.depth, position: from.position + further };
      if (next) {
        for (const cell of body.querySelectorAll<HTMLElement>('[tabindex="0"]')) cell.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
    }
    event.preventDefault();
    event.stopPropagation();
  });
  return { root, show, mark };
}

function placeOf(node: Element | null): { depth: number; position: number } | null {
  const { depth, position } = (node as HTMLElement | null)?.dataset ?? {};
  return depth === undefined || position === undefined ? null : { depth: Number(depth), position: Number(position) };
}

function cellInWords(cell: LensCell, depth: number, name: string): string {
  const [best] = cell.guesses;
  const words = say("{where}, at {token}: {guess} {share}", {
    where: depthInWords(depth),
    token: name,
    guess: tokenName(best?.text ?? ""),
    share: share(best?.probability ?? 0),
  });
  return cell.truth ? `${words}; ${truthInWords(cell.truth)}` : words;
}

export function truthInWords(truth: NonNullable<LensCell["truth"]>): string {
  return say("true: {token} {share}, rank {rank}", {
    token: tokenName(truth.text),
    share: share(truth.probability),
    rank: truth.rank + 1,
  });
}

/** The legend of what is underlined. */
export function lensLegend(): HTMLElement {
  const legend = element("p", { class: "aside lens-legend" });
  const [first, among] = [element("span", { class: "lens-first" }), element("span", { class: "lens-among" })];
  setText(first, say("the true token"));
  setText(among, say("it is among the first 5"));
  legend.append(first, " · ", among);
  return legend;
}
