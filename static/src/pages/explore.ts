/** The explorer: makes the stores and puts each view in the place that `begin.ts` laid out for it. */
import { element, setText } from "../dom/element";
import { forgetColours } from "../dom/ink";
import { mountTooltip } from "../dom/tooltip";
import { divergingRampOf, type Ramp, rampOf } from "../gl/ramp";
import { shorten } from "../language/letters";
import { say } from "../language/say";
import { Comparison } from "../state/compare";
import { Explorer } from "../state/explorer";
import type { MapState } from "../state/shown";
import { nextTitle } from "../state/next";
import { hasMapsToAskFor } from "../state/run";
import { readPairOfShare } from "../state/shared";
import { classesOf, copyOf } from "../state/sharing";
import { Store, watch } from "../state/store";
import { Tuning } from "../state/tuning";
import { Floors } from "../tiles/floors";
import { Lenses } from "../tiles/lenses";
import { Pairs } from "../tiles/pairs";
import { Rectangles } from "../tiles/rectangles";
import { Totals } from "../tiles/totals";
import { mountChart } from "../views/chart";
import { mountCompareChoice } from "../views/compare/choose";
import { mountComparison } from "../views/compare/compare";
import { mountFigures } from "../views/figures/figures";
import type { FirstPicture } from "../views/grid/first";
import { mountGrid } from "../views/grid/grid";
import { mountHelp } from "../views/help";
import { mountInside } from "../views/inside/inside";
import { mountLens } from "../views/lens/lens";
import { mountLinks } from "../views/links/links";
import { mountMapFrame } from "../views/map/frame";
import { mountMap } from "../views/map/map";
import { mountRowTable } from "../views/map/row_table";
import { mountMeasures } from "../views/measures";
import { mountModels } from "../views/models";
import { mountPicture } from "../views/picture/picture";
import { mountNotice } from "../views/notice";
import { mountProbabilities } from "../views/probabilities";
import { mountPrompt } from "../views/prompt";
import { mountShare } from "../views/share/share";
import { mountSheets } from "../views/sheets";
import { mountStatus } from "../views/status";
import { mountStrip } from "../views/strip/strip";
import { mountTour } from "../views/tour";
import { mountSampling } from "../views/writing/sampling";
import { mountWriting } from "../views/writing/writing";
import { beginning, type Beginning } from "./begin";
import { findHeadsFromAnywhere, switchDrawingFromAnywhere, walkHeadsFromAnywhere } from "./keys";
import { accountLink, languageMenu, linkButton, pageLinks, themeButton } from "./tools";
import { tellPageErrors } from "../state/page_errors";

const LONGEST_TITLE = 48;
const NOT_TAKEN_APART = say("This share keeps how the weights that were in view came about, and not this one. Open a copy to take it apart.");

function openPage({ app, theme, shared, places, first, copyBy }: Beginning): void {
  copyBy(copyOf);
  const ramp = new Store<Ramp>(rampOf(theme.value));
  const diverging = new Store<Ramp>(divergingRampOf(theme.value));
  theme.subscribe((name) => {
    forgetColours();
    ramp.set(rampOf(name));
    diverging.set(divergingRampOf(name));
  });
  // A share has no worker to ask.
  const hasNoLens = shared !== null && shared.lens === null;
  const explorer = new Explorer(window, app.dataset.run || null, shared);
  tellPageErrors(() => explorer.run.value.id ?? "");
  const rectangles = new Rectangles(undefined, undefined, (map, area) => explorer.weightsOf(map, area));
  const floors = new Floors(rectangles);
  for (const readings of [rectangles, floors])
    explorer.run.subscribe((run) => readings.follow(run.id, !hasMapsToAskFor(run)));
  const totals = new Totals();
  const mapState = new Store<MapState | null>(null);

  mountTooltip(document.body);
  if (!shared) mountModels(places.tools, explorer);
  const account = accountLink(app);
  const languages = languageMenu(app.dataset.languages ?? "");
  places.tools.append(
    ...(shared ? [] : [mountTour(document.body, explorer), pageLinks(app, "/"), mountShare(document.body, explorer, () => lens.inSight(), Boolean(app.dataset.person), classesOf(app.dataset.classes))]),
    linkButton(),
    ...(languages ? [languages] : []),
    mountHelp(document.body),
    ...(account ? [account] : []),
    themeButton(theme),
  );
  const comparison = new Comparison(explorer, window);
  if (!shared) {
    const choice = element("div");
    mountPrompt(places.prompt, explorer, mountCompareChoice(choice, explorer, comparison));
    places.prompt.append(choice);
    mountSampling(places.prompt, explorer);
  }
  mountWriting(places.writing, explorer);
  const { search } = mountGrid(places.heads, places.headsTools, explorer, ramp);
  mountMapFrame(places.mapHead, places.mapFoot, explorer, ramp, diverging, rectangles, floors, mapState);
  mountMap(places.map, explorer, rectangles, floors, totals, ramp, diverging, mapState);
  const picture = mountPicture(places.picture, explorer, rectangles, ramp, diverging);
  mountRowTable(places.mapPanel, explorer, rectangles, totals);
  mountLinks(places.links, explorer, rectangles, floors, ramp, mapState);
  mountNotice(places.mapLine, places.mapPanel, explorer);
  mountProbabilities(places.next, places.nextTools, explorer);
  const lens = mountLens(places.lensPanel, places.lens, places.lensTools, explorer, new Lenses(), new Tuning(), ramp);
  places.lensPanel.hidden = hasNoLens;
  mountMeasures(places.measures, explorer);
  const shownInside = mountInside(places.inside, explorer, new Pairs(shared ? readPairOfShare(shared, NOT_TAKEN_APART) : undefined));
  const chart = mountChart(places.chartPanel, places.chart, places.chartTools, explorer, theme, app.dataset.plotlyUrl ?? "");
  mountStrip(places.tokens, places.tokensCaption, places.tokensTools, explorer, rectangles);
  const compared = mountComparison(places.comparison, explorer, comparison, { rectangles, floors }, ramp, diverging);
  mountFigures(
    {
      map: places.mapHead,
      next: places.nextTools,
      measures: places.measuresTools,
      tokens: places.tokensTools,
      heads: places.headsTools,
      lens,
      picture,
      chart,
      inside: { tools: places.insideTools, shown: shownInside },
      comparison: compared,
    },
    explorer,
    mapState,
    comparison,
  );
  const showComparison = () => app.classList.toggle("comparing", comparison.isOn.value);
  comparison.isOn.subscribe(showComparison);
  showComparison();
  mountStatus(places.status, explorer);
  const sheets = mountSheets(places.tabs, [
    { label: say("Heads"), panel: places.headsPanel },
    { label: say("Next tokens"), panel: places.nextPanel },
    ...(hasNoLens ? [] : [{ label: say("Lens"), panel: places.lensPanel }]),
    { label: say("This head"), panel: places.measuresPanel },
    { label: say("Inside"), panel: places.insidePanel },
  ]);

  const nameNextPanel = () => {
    const name = nextTitle(explorer.modelOfRun ?? explorer.model.value);
    setText(places.nextTitle, name.panel);
    sheets.rename(places.nextPanel, name.tab);
  };
  watch([explorer.run, explorer.models, explorer.model], nameNextPanel);

  explorer.run.subscribe(({ text, picture }) => {
    if (picture) document.title = `${say("A picture")} · Headlight`;
    else document.title = text ? `${shorten(text, LONGEST_TITLE)} · Headlight` : "Headlight";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") explorer.lock(null);
  });
  switchDrawingFromAnywhere(explorer);
  walkHeadsFromAnywhere(places.heads.querySelector(".grid-scroller"));
  findHeadsFromAnywhere(search, () => sheets.open(places.headsPanel));
  if (first) leaveWhenDrawn(first, explorer);
  void explorer.start();
  // Letters drawn on a canvas do not change by themselves when their font arrives.
  void document.fonts.ready.then(() => {
    ramp.set({ ...ramp.value });
    diverging.set({ ...diverging.value });
  });
}

/** The first picture goes when every layer is drawn, and when nothing is to come or the panel has another size. */
function leaveWhenDrawn(first: FirstPicture, { run, connection }: Explorer): void {
  const stop = run.subscribe(({ sites }) => {
    if (sites.size < first.sites) return;
    stop();
    requestAnimationFrame(() => requestAnimationFrame(() => first.leave()));
  });
  connection.subscribe((state) => state?.state === "refused" && first.leave());
  window.addEventListener("resize", () => first.leave(), { once: true });
}

if (beginning) void beginning.shown.then(() => openPage(beginning as Beginning));
