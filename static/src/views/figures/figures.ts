/** A menu in the head of each panel that can be saved as a figure. */
import { say } from "../../language/say";
import type { Comparison } from "../../state/compare";
import type { Explorer } from "../../state/explorer";
import type { MapState } from "../../state/shown";
import type { Store } from "../../state/store";
import type { LensReading } from "../../tiles/lenses";
import { measuresFigure, probabilitiesFigure } from "./bars";
import { chartFigure, type ChartShown } from "./chart";
import { differenceFigure, type DifferenceShown } from "./comparison";
import { everyHeadFigure } from "./every_head";
import { gridFigure } from "./grid";
import { insideFigure, type InsideShown } from "./inside";
import { lensFigure } from "./lens";
import { mapFigure } from "./map";
import { createFigureMenu } from "./menu";
import { pictureFigure } from "./picture";
import { stripFigure } from "./strip";

export interface FigurePlaces {
  map: HTMLElement;
  next: HTMLElement;
  measures: HTMLElement;
  tokens: HTMLElement;
  heads: HTMLElement;
  lens: { tools: HTMLElement; shown(): LensReading | null };
  picture: { tools: HTMLElement; showsEveryHead(): boolean };
  chart: { tools: HTMLElement; shown(): ChartShown };
  inside: { tools: HTMLElement; shown(): InsideShown | null };
  comparison: { tools: HTMLElement; shown(): DifferenceShown | null };
}

export function mountFigures(
  places: FigurePlaces,
  explorer: Explorer,
  state: Store<MapState | null>,
  comparison: Comparison,
): void {
  places.map.append(createFigureMenu(() => mapFigure(explorer, state.value)));
  places.next.append(createFigureMenu(() => probabilitiesFigure(explorer)));
  places.measures.append(createFigureMenu(() => measuresFigure(explorer)));
  const ofTokens = createFigureMenu(() => stripFigure(explorer), say("Keep a token first"));
  ofTokens.classList.add("menu-up");
  places.tokens.append(ofTokens);
  places.heads.append(createFigureMenu(() => gridFigure(explorer)));
  places.chart.tools.append(createFigureMenu(() => chartFigure(explorer, places.chart.shown())));
  const pressFirst = say("Press a weight first");
  places.inside.tools.append(createFigureMenu(() => insideFigure(explorer, places.inside.shown()), pressFirst));
  const { comparison: compared } = places;
  compared.tools.append(createFigureMenu(() => differenceFigure(explorer, comparison, compared.shown())));
  places.lens.tools.append(createFigureMenu(() => lensFigure(explorer, places.lens.shown())));
  const { tools, showsEveryHead } = places.picture;
  tools.append(createFigureMenu(() => (showsEveryHead() ? everyHeadFigure(explorer) : pictureFigure(explorer))));
}
