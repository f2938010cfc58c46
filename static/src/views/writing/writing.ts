/** The bar of a run that writes: its transport, a token's alternatives, why the text ended, its branches or beams. */
import { element, setText } from "../../dom/element";
import { oncePerFrame } from "../../dom/schedule";
import { say } from "../../language/say";
import { beamTree } from "../../state/beams";
import type { Explorer } from "../../state/explorer";
import { watch } from "../../state/store";
import { endingOf } from "../../state/ending";
import type { Step } from "../../state/run";
import type { Writing } from "../../state/writing";
import { alternativesOf, stepInSight } from "./alternatives";
import { beamList, branchList } from "./tree";
import { buildTransport } from "./transport";

export function mountWriting(host: HTMLElement, explorer: Explorer): void {
  const transport = buildTransport(explorer);
  const alternatives = element("div", { class: "alternatives", role: "group", "aria-label": say("In its place") });
  const ending = element("p", { class: "writing-ending", role: "status" });
  const title = element("summary");
  const list = element("div", { class: "writing-tree" });
  const tree = element("details", { class: "writing-branches", hidden: true }, title, list);
  host.append(transport, alternatives, ending, tree);
  let shownStep: Step | null = null;
  let shownBeams: Writing["beams"] | null = null;

  const draw = oncePerFrame(() => {
    const run = explorer.told.value;
    const { writing } = run;
    host.hidden = run.kind !== "generate" || run.phase === "empty";
    if (host.hidden) return;
    const isSearch = Boolean(writing?.beams.length);
    transport.hidden = isSearch;
    const step = stepInSight(explorer);
    alternatives.hidden = step === null;
    // A button stays the same one, so that a press cannot fall between two.
    if (step && step !== shownStep) alternatives.replaceChildren(...alternativesOf(explorer, step));
    shownStep = step;
    setText(ending, endingOf(run, explorer.sampling.value));
    ending.hidden = ending.textContent === "";
    if (writing && isSearch && writing.beams !== shownBeams) drawBeams(writing);
    shownBeams = writing?.beams ?? null;
  });

  function drawBeams({ beams }: Writing): void {
    const kept = beams.reduce((sum, { texts }) => sum + texts.length, 0);
    tree.hidden = false;
    if (shownBeams === null) tree.open = true;
    setText(title, say("Texts that were followed: {n} tokens kept, log-probabilities in nats", { n: kept }));
    list.replaceChildren(beamList(beamTree(beams)));
  }

  function drawTree(): void {
    if (explorer.told.value.writing?.beams.length) return;
    const runs = explorer.tree.value?.runs ?? [];
    tree.hidden = runs.length < 2;
    setText(title, say("Branches: {n}", { n: runs.length }));
    const found = branchList(explorer, runs, null);
    list.replaceChildren(...(found ? [found] : []));
  }

  const { told, view, player, tree: branches } = explorer;
  watch([told, view, player.shown], draw);
  branches.subscribe(drawTree);
  draw();
}
