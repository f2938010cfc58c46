/**
 * The text itself. Hovering a token shades what it looks at in blue and who looks at it in amber; a press keeps it,
 * Esc lets go. In a pair of texts both strips stand, one above the other.
 */
import { element } from "../../dom/element";
import { oncePerFrame } from "../../dom/schedule";
import { say } from "../../language/say";
import { awaited } from "../../state/awaited";
import type { Explorer } from "../../state/explorer";
import { watch } from "../../state/store";
import { borderOf, namesOf, type Run, type SequenceName, textOf } from "../../state/run";
import { readingOf, shownMap } from "../../state/reading";
import { headName, type HeadRef } from "../../state/sites";
import { type DrawnHead, headsTogether } from "../../state/together";
import type { TokenRef } from "../../state/view";
import type { Rectangles } from "../../tiles/rectangles";
import { type Caption, type CaptionSide, captionParts, headsParts } from "./caption";
import { averageLinks, type Links, type LinkSide, readLinks } from "./reading";
import { LEAST_TOP, shades } from "./shading";
import { type Stripe, stripesBackground } from "./stripes";
import { mountStripTools } from "./tools";
import { buildWords, tokenAt, type Unit, type Words } from "./words";

interface Shown {
  sequence: SequenceName;
  unit: Unit;
  heads: DrawnHead[];
  /** Of each head; of all together where they are averaged. */
  links: Links[];
}

/** A finger has no way to point without pressing. */
const ONLY_PRESSES = matchMedia("(hover: none)").matches;
const TITLES: Record<SequenceName, string> = { encoder: say("Source"), decoder: say("Target") };

export function mountStrip(
  host: HTMLElement,
  caption: HTMLElement,
  tools: HTMLElement,
  explorer: Explorer,
  rectangles: Rectangles,
): void {
  const mode = mountStripTools(tools, explorer);
  const strips = new Map<SequenceName, Words>();
  let built: (Pick<Run, "sequences" | "text" | "target" | "text_pair"> & { areWhole: boolean }) | null = null;
  let shaded: HTMLElement[] = [];
  let shown: Shown | null = null;

  const draw = oncePerFrame(() => {
    build();
    const active = explorer.active.value;
    const node = active && unitAt(active)?.element;
    // Before anything is written: the browser then measures nothing anew.
    if (node && !node.classList.contains("token-active") && !host.matches(":hover"))
      bringInSight(node, host);
    for (const before of shaded) before.removeAttribute("style");
    shaded = [];
    for (const before of host.querySelectorAll(".token-active")) before.classList.remove("token-active");
    shown = read();
    caption.replaceChildren(...describe());
    node?.classList.add("token-active");
    host.classList.toggle("locked", explorer.view.value.token !== null);
    const isOverlay = mode.value === "overlay";
    host.classList.toggle("overlay", isOverlay);
    host.style.setProperty("--heads", String(isOverlay ? drawnHeads().length : 0));
    if (!shown) return;
    if (isOverlay) return overlay(shown);
    const [links] = shown.links;
    if (links?.looksAt) shade(links.looksAt, "--at");
    if (links?.lookedBy) shade(links.lookedBy, "--by");
  });

  function build(): void {
    const { sequences, text, target, text_pair } = explorer.run.value;
    const areWhole = explorer.view.value.words && explorer.run.value.picture === null;
    const isSameText = built?.text === text && built.target === target && built.text_pair === text_pair;
    if (isSameText && built?.sequences === sequences && built.areWhole === areWhole) return;
    built = { sequences, text, target, text_pair, areWhole };
    strips.clear();
    host.classList.toggle("of-picture", explorer.run.value.picture !== null);
    const isPair = sequences.encoder !== undefined && sequences.decoder !== undefined;
    for (const name of ["encoder", "decoder"] as const) {
      const tokens = sequences[name];
      const { value: run } = explorer.run;
      if (!tokens) continue;
      const border = borderOf(run, name);
      const words = buildWords(tokens, textOf(run, name), namesOf(run, name), areWhole, border);
      if (name === "decoder" && run.writing) markWritten(words, run.writing.prompt.texts.length);
      strips.set(name, words);
    }
    host.replaceChildren(...[...strips].map(([name, words]) => section(name, words, isPair)));
  }

  function section(name: SequenceName, words: Words, isPair: boolean): HTMLElement {
    const origin = explorer.run.value.sequences[name]?.origin;
    const title = TITLES[name] + (origin === "generated" ? say(", written by the model") : "");
    return element(
      "section",
      { class: "strip", "aria-label": isPair ? title : null },
      isPair && element("h3", {}, title),
      words.root,
    );
  }

  function unitAt({ sequence, index }: TokenRef): Unit | null {
    const words = strips.get(sequence);
    return words?.units[words.unitOf[index] ?? -1] ?? null;
  }

  const unitsOf = (sequence: SequenceName) => strips.get(sequence)?.units ?? [];

  function drawnHeads(): DrawnHead[] {
    const picked = mode.value === "one" ? [] : explorer.view.value.picked;
    return headsTogether(explorer.run.value, picked, explorer.selection.value);
  }

  function read(): Shown | null {
    const active = explorer.active.value;
    const unit = active && unitAt(active);
    const { id } = explorer.run.value;
    const heads = drawnHeads();
    if (!active || !unit || !id || heads.length === 0) return null;
    const mapOf = (ref: HeadRef) => shownMap(explorer.run.value, explorer.view.value, ref);
    const links = readLinks(mapOf, heads, active.sequence, unit, unitsOf, rectangles);
    return { sequence: active.sequence, unit, heads, links: mode.value === "average" ? [averageLinks(links)] : links };
  }

  /** How strongly each unit is linked; where heads rest does not count for the strongest. */
  function strengths({ line, sequence }: LinkSide): Float32Array {
    const units = unitsOf(sequence);
    const { special } = explorer.run.value.sequences[sequence] ?? {};
    const skip = (index: number) => index === 0 || special?.[units[index]?.tokens[0] ?? -1] === true;
    return shades(line.values, skip, readingOf(explorer.view.value).isShare ? LEAST_TOP : 0);
  }

  function shade(side: LinkSide, property: "--at" | "--by"): void {
    const units = unitsOf(side.sequence);
    strengths(side).forEach((strength, index) => {
      const node = strength > 0 ? units[index]?.element : undefined;
      if (!node || strength * 100 <= Number.parseFloat(node.style.getPropertyValue(property) || "0")) return;
      node.style.setProperty(property, `${Math.round(strength * 100)}%`);
      shaded.push(node);
    });
  }

  function overlay({ heads, links }: Shown): void {
    const stripes = new Map<HTMLElement, Stripe[]>();
    links.forEach(({ looksAt, lookedBy }, lane) => {
      const { colour } = heads[lane] ?? { colour: "--accent" as const };
      for (const [role, side] of [["at", looksAt] as const, ["by", lookedBy] as const]) {
        if (!side) continue;
        const units = unitsOf(side.sequence);
        strengths(side).forEach((length, index) => {
          const node = length > 0 ? units[index]?.element : undefined;
          if (node) stripes.set(node, [...(stripes.get(node) ?? []), { colour, lane, role, length }]);
        });
      }
    });
    for (const [node, own] of stripes) {
      node.style.background = stripesBackground(own);
      shaded.push(node);
    }
  }

  function describe(): (Node | string)[] {
    const selected = explorer.selection.value;
    const head = selected ? headName(selected.site, selected.head) : say("a head");
    if (!shown)
      return [
        strips.size
          ? ONLY_PRESSES
            ? say("Press a token to see its links in {heads}.", { heads: headsInWords(head) })
            : say("Point at a token, or press to keep it, to see its links in {heads}.", { heads: headsInWords(head) })
          : awaited(
              explorer.run.value,
              explorer.connection.value,
              say("Comes when the text has been read."),
              say("This run has no tokens."),
            ),
      ];
    const { unit, heads, links } = shown;
    const locked = explorer.view.value.token !== null;
    const reading = readingOf(explorer.view.value);
    const areShares = reading.isShare;
    const token = { token: unit.name, position: positionOf(unit), locked, notes: notes(unit), areShares };
    const side = (part: LinkSide | null | undefined): CaptionSide | null => {
      if (!part) return null;
      const units = unitsOf(part.sequence);
      return {
        line: part.line,
        names: units.map(({ name }) => name),
        positions: units.map(({ tokens }) => tokens[0] ?? 0),
      };
    };
    if (mode.value === "overlay") {
      const own = heads.map(({ name, colour }, lane) => ({
        name,
        colour,
        looksAt: side(links[lane]?.looksAt),
        lookedBy: side(links[lane]?.lookedBy),
      }));
      return headsParts({ ...token, heads: own });
    }
    const [only] = links;
    return captionParts({
      ...token,
      head,
      areAwaited: reading.name !== "attention",
      looksAt: side(only?.looksAt),
      lookedBy: side(only?.lookedBy),
      pointed: locked && only ? readPointed(only, unit) : null,
    });
  }

  function headsInWords(one: string): string {
    const many = drawnHeads().length;
    return mode.value === "one" || many === 1 ? one : say("{n} picked heads", { n: many });
  }

  function notes(unit: Unit): string[] {
    const many = drawnHeads().length;
    const { name, title, isSigned } = readingOf(explorer.view.value);
    return [
      name === "attention" ? "" : isSigned ? say("{reading}, only what speaks for it", { reading: title }) : title,
      mode.value === "average" && many > 1 ? say("average of {n} heads", { n: many }) : "",
      unit.tokens.length > 1 || explorer.view.value.words ? say("summed over a word's tokens") : "",
    ].filter(Boolean);
  }

  function readPointed({ looksAt, lookedBy }: Links, active: Unit): Caption["pointed"] {
    const token = explorer.hover.value;
    const unit = token && unitAt(token);
    if (!token || !unit || unit === active) return null;
    const index = strips.get(token.sequence)?.unitOf[token.index] ?? -1;
    const valueOf = (part: LinkSide | null) =>
      part?.sequence === token.sequence ? (part.line.values[index] ?? null) : null;
    return { token: unit.name, at: valueOf(looksAt), by: valueOf(lookedBy) };
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
    const isKept = kept && token && unitAt(kept) === unitAt(token);
    explorer.lock(isKept ? null : token);
  });
  host.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const kept = explorer.view.value.token;
    const sequence = kept?.sequence ?? [...strips.keys()].at(-1) ?? "decoder";
    const words = strips.get(sequence);
    if (!step || !words?.units.length) return;
    event.preventDefault();
    const from = kept ? (words.unitOf[kept.index] ?? -1) : -1;
    const next = words.units[Math.min(words.units.length - 1, Math.max(0, from + step))];
    explorer.lock({ sequence, index: next?.tokens.at(-1) ?? 0 });
  });

  const { run, connection, choices, selection, active, hover } = explorer;
  watch([run, connection, choices, selection, active, hover, mode], draw);
  rectangles.onArrival(draw);
}

/** Within the strip alone: in a narrow window the whole page would move, away from under the pointer. */
function bringInSight(node: HTMLElement, host: HTMLElement): void {
  const [inner, outer] = [node.getBoundingClientRect(), host.getBoundingClientRect()];
  host.scrollTop += Math.min(0, inner.top - outer.top) || Math.max(0, inner.bottom - outer.bottom);
}

/** What the model wrote, from this token on. */
function markWritten({ units }: Words, from: number): void {
  units.forEach(({ tokens: [token = 0], element: node }) => {
    node.classList.toggle("token-written", token >= from);
    node.classList.toggle("token-written-first", token === from && from > 1);
  });
}

/** "12", or "12 to 14" of a word. */
function positionOf({ tokens }: Unit): string {
  const [first = 0, last = first] = [tokens[0], tokens.at(-1)];
  return first === last ? String(first) : say("{first} to {last}", { first, last });
}
