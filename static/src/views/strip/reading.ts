/** The links of one unit of the strip, a token or a word, in one head or several. */
import type { SequenceName, Site } from "../../state/run";
import { sequencesOf } from "../../state/run";
import type { HeadRef } from "../../state/sites";
import type { DrawnHead } from "../../state/together";
import { columnArea, columnOf, type Line, rowArea, rowOf } from "../../tiles/links";
import { meanLine, perGroup, sumLine } from "../../tiles/merge";
import type { Area, HeadMap, Rectangles } from "../../tiles/rectangles";
import type { Unit } from "./words";

/** One value for each unit of the sequence that the line runs along. */
export interface LinkSide {
  line: Line;
  sequence: SequenceName;
}

/** What a unit looks at, and who looks at it. */
export interface Links {
  looksAt: LinkSide | null;
  lookedBy: LinkSide | null;
}

export type UnitsOf = (sequence: SequenceName) => readonly Unit[];

export function readLinks(
  mapOf: (ref: HeadRef) => HeadMap,
  heads: readonly DrawnHead[],
  sequence: SequenceName,
  unit: Unit,
  unitsOf: UnitsOf,
  rectangles: Rectangles,
): Links[] {
  const wanted: { map: HeadMap; area: Area }[] = [];
  const links = heads.map(({ ref, site }): Links => {
    const map = mapOf(ref);
    const { rows, columns } = sequencesOf(site);
    const isRow = sequence === rows && isWithin(unit, site.queries);
    const isColumn = sequence === columns && isWithin(unit, site.keys);
    for (const token of unit.tokens) {
      if (isRow) wanted.push({ map, area: rowArea(site, token) });
      if (isColumn) wanted.push({ map, area: columnArea(site, token) });
    }
    return {
      looksAt: isRow ? side(rowsOf(site, map), columns, "sum") : null,
      lookedBy: isColumn ? side(columnsOf(site, map), rows, "mean") : null,
    };
  });
  rectangles.wantOfAll("strip", wanted);
  return links;

  function rowsOf(site: Site, map: HeadMap): Line | null {
    return meanLine(unit.tokens.map((token) => rowOf(site, map, token, rectangles)));
  }

  function columnsOf(site: Site, map: HeadMap): Line | null {
    return sumLine(unit.tokens.map((token) => columnOf(site, map, token, rectangles)));
  }

  function side(line: Line | null, along: SequenceName, how: "sum" | "mean"): LinkSide | null {
    const groups = unitsOf(along).map(({ tokens }) => tokens);
    return line && { line: perGroup(line, groups, how), sequence: along };
  }
}

/** Of heads between the same texts. */
export function averageLinks(links: readonly Links[]): Links {
  const average = (sides: (LinkSide | null)[]): LinkSide | null => {
    const known = sides.filter((side) => side !== null);
    const line = meanLine(known.map(({ line: own }) => own));
    const sequence = known[0]?.sequence;
    return line && sequence ? { line, sequence } : null;
  };
  return {
    looksAt: average(links.map(({ looksAt }) => looksAt)),
    lookedBy: average(links.map(({ lookedBy }) => lookedBy)),
  };
}

function isWithin({ tokens }: Unit, length: number): boolean {
  return tokens.every((token) => token < length);
}
