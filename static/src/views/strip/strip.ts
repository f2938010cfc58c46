/**
 * The text itself. Hovering a token shades what it looks at in blue and who looks at it in amber; a press keeps it,
 * Esc lets go. In a pair of texts both strips stand, one above the other.
 */
import { element } from "../../dom/element";
import { oncePerFrame } from "../../dom/schedule";
import type { Explorer } from "../../state/explorer";
import { watch } from "../../state/store";
import { namesOf, type Run, type SequenceName, sequencesOf, textOf } from "../../state/run";
import { headName } from "../../state/sites";
import type { TokenRef } from "../../state/view";
import { columnArea, columnOf, type Line, rowArea, rowOf } from "../../tiles/links";
import type { HeadMap, Rectangles } from "../../tiles/rectangles";
import { type Caption, captionParts } from "./caption";
import { shades } from "./shading";
import { buildWords, tokenAt, type Words } from "./words";

interface LinkSide {
  line: Line;
  sequence: SequenceName;
}

interface Links {
  active: TokenRef;
  looksAt: LinkSide | null;
  lookedBy: LinkSide | null;
}

const CHOOSE = matchMedia("(hover: none)").matches ? "Press a token" : "Point at a token, or press to keep it,";
const TITLES: Record<SequenceName, string> = { encoder: "Source", decoder: "Target" };

export function mountStrip(host: HTMLElement, caption: HTMLElement, explorer: Explorer, rectangles: Rectangles): void {
  const strips = new Map<SequenceName, Words>();
  let built: { sequences: Run["sequences"]; text: string | null; target: string | null } | null = null;
  let shaded: HTMLElement[] = [];
  let links: Links | null = null;

  const draw = oncePerFrame(() => {
    build();
    for (const word of shaded) word.removeAttribute("style");
    shaded = [];
    for (const word of host.querySelectorAll(".token-active")) word.classList.remove("token-active");
    links = readLinks();
    caption.replaceChildren(...describe());
    const active = explorer.active.value;
    const word = active && strips.get(active.sequence)?.tokens[active.index];
    word?.classList.add("token-active");
    if (word && !host.matches(":hover")) word.scrollIntoView({ block: "nearest" });
    host.classList.toggle("locked", explorer.view.value.token !== null);
    if (!links) return;
    if (links.looksAt) shade(links.looksAt.sequence, links.looksAt.line, "--at");
    if (links.lookedBy) shade(links.lookedBy.sequence, links.lookedBy.line, "--by");
  });

  function build(): void {
    const { sequences, text, target } = explorer.run.value;
    if (built && built.sequences === sequences && built.text === text && built.target === target) return;
    built = { sequences, text, target };
    strips.clear();
    const isPair = sequences.encoder !== undefined && sequences.decoder !== undefined;
    for (const name of ["encoder", "decoder"] as const) {
      const tokens = sequences[name];
      if (tokens) strips.set(name, buildWords(tokens, textOf(explorer.run.value, name)));
    }
    host.replaceChildren(...[...strips].map(([name, words]) => section(name, words, isPair)));
  }

  function section(name: SequenceName, words: Words, isPair: boolean): HTMLElement {
    const origin = explorer.run.value.sequences[name]?.origin;
    const title = `${TITLES[name]}${origin === "generated" ? ", written by the model" : ""}`;
    return element(
      "section",
      { class: "strip", "aria-label": isPair ? title : null },
      isPair && element("h3", {}, title),
      words.root,
    );
  }

  function readLinks(): Links | null {
    const active = explorer.active.value;
    const selected = explorer.selection.value;
    const { id, sites } = explorer.run.value;
    const site = selected && sites.get(selected.site);
    if (!active || !site || !id) return null;
    const map: HeadMap = { run: id, ...selected };
    const { rows, columns } = sequencesOf(site);
    const isRow = active.sequence === rows && active.index < site.queries;
    const isColumn = active.sequence === columns && active.index < site.keys;
    rectangles.want("strip", map, [
      ...(isRow ? [rowArea(site, active.index)] : []),
      ...(isColumn ? [columnArea(site, active.index)] : []),
    ]);
    return {
      active,
      looksAt: isRow ? { line: rowOf(site, map, active.index, rectangles), sequence: columns } : null,
      lookedBy: isColumn ? { line: columnOf(site, map, active.index, rectangles), sequence: rows } : null,
    };
  }

  function shade(sequence: SequenceName, line: Line, property: "--at" | "--by"): void {
    const words = strips.get(sequence)?.tokens ?? [];
    const isSink = (index: number) => index === 0 || explorer.run.value.sequences[sequence]?.special[index] === true;
    shades(line.values, isSink).forEach((strength, index) => {
      const word = strength > 0 ? words[index] : undefined;
      if (!word || strength * 100 <= Number.parseFloat(word.style.getPropertyValue(property) || "0")) return;
      word.style.setProperty(property, `${Math.round(strength * 100)}%`);
      shaded.push(word);
    });
  }

  function describe(): (Node | string)[] {
    const selected = explorer.selection.value;
    const head = selected ? headName(selected.site, selected.head) : "a head";
    if (!links)
      return [
        strips.size
          ? `${CHOOSE} to see its links in ${head}.`
          : "The text stands here, token by token, when it has been read.",
      ];
    const { active, looksAt, lookedBy } = links;
    const locked = explorer.view.value.token !== null;
    const side = (part: LinkSide | null) =>
      part && { line: part.line, names: namesOf(explorer.run.value, part.sequence) };
    const token = namesOf(explorer.run.value, active.sequence)[active.index] ?? "";
    return captionParts({
      token,
      position: active.index,
      head,
      looksAt: side(looksAt),
      lookedBy: side(lookedBy),
      locked,
      pointed: locked ? readPointed(links) : null,
    });
  }

  function readPointed({ active, looksAt, lookedBy }: Links): Caption["pointed"] {
    const token = explorer.hover.value;
    if (!token || (token.sequence === active.sequence && token.index === active.index)) return null;
    const valueOf = (part: LinkSide | null) =>
      part?.sequence === token.sequence ? (part.line.values[token.index] ?? null) : null;
    return {
      token: namesOf(explorer.run.value, token.sequence)[token.index] ?? "",
      at: valueOf(looksAt),
      by: valueOf(lookedBy),
    };
  }

  function tokenUnder({ target, clientX }: MouseEvent): TokenRef | null {
    const word = (target as Element | null)?.closest?.<HTMLElement>("[data-token]");
    const sequence = word?.closest<HTMLElement>("[data-sequence]")?.dataset.sequence as SequenceName | undefined;
    return word && sequence ? { sequence, index: tokenAt(word, clientX) } : null;
  }

  host.addEventListener("pointermove", (event) => {
    const token = tokenUnder(event);
    if (token?.index !== explorer.hover.value?.index || token?.sequence !== explorer.hover.value?.sequence)
      explorer.hover.set(token);
  });
  host.addEventListener("pointerleave", () => explorer.hover.set(null));
  host.addEventListener("click", (event) => {
    const token = tokenUnder(event);
    const kept = explorer.view.value.token;
    explorer.lock(token && !(kept?.index === token.index && kept.sequence === token.sequence) ? token : null);
  });
  host.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const from = explorer.view.value.token ?? { sequence: [...strips.keys()].at(-1) ?? "decoder", index: -1 };
    const length = strips.get(from.sequence)?.tokens.length ?? 0;
    if (!step || length === 0) return;
    event.preventDefault();
    explorer.lock({ sequence: from.sequence, index: Math.min(length - 1, Math.max(0, from.index + step)) });
  });

  watch([explorer.run, explorer.selection, explorer.active, explorer.hover], draw);
  rectangles.onArrival(draw);
}
