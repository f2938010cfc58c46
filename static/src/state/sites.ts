/** Attention sites by name ("decoder.self.3"), and the groups in which the page lists them. */
import { say } from "../language/say";
import type { Model } from "../wire/http";

/** One head of one site. */
export interface HeadRef {
  site: string;
  head: number;
}

export function isSameHead(a: HeadRef | null | undefined, b: HeadRef | null | undefined): boolean {
  return a?.site === b?.site && a?.head === b?.head;
}

export interface SiteName {
  stack: "encoder" | "decoder";
  kind: "self" | "cross";
  layer: number;
}

export interface SiteGroup {
  title: string;
  stack: SiteName["stack"];
  kind: SiteName["kind"];
  sites: string[];
}

export function parseSite(name: string): SiteName | null {
  const parts = /^(encoder|decoder)\.(self|cross)\.(\d{1,4})$/.exec(name);
  if (!parts) return null;
  return { stack: parts[1] as SiteName["stack"], kind: parts[2] as SiteName["kind"], layer: Number(parts[3]) };
}

/** "L4 · H7", with the kind of attention where a model has more than one. */
export function headName(site: string, head: number): string {
  const parsed = parseSite(site);
  return parsed ? `L${parsed.layer} · H${head}` : `${site} · H${head}`;
}

/** "L4·H7", as short as it can be. */
export function headTag({ site, head }: HeadRef): string {
  return headName(site, head).replaceAll(" ", "");
}

/** Which kind of attention, as short as it can be, for models that have several. */
export function kindTag(site: string): string {
  const parsed = parseSite(site);
  if (parsed?.kind === "cross") return say("cross");
  return parsed?.stack === "encoder" ? say("enc") : say("dec");
}

export function headNameInWords(site: string, head: number): string {
  const parsed = parseSite(site);
  if (!parsed) return say("{site}, head {head}", { site, head });
  const self = parsed.stack === "encoder" ? say("encoder self-attention") : say("decoder self-attention");
  const kind = parsed.kind === "cross" ? say("cross-attention") : self;
  return say("{kind}, layer {layer}, head {head}", { kind, layer: parsed.layer, head });
}

const GROUPS: { stack: SiteName["stack"]; kind: SiteName["kind"]; title: string }[] = [
  { stack: "encoder", kind: "self", title: say("Encoder") },
  { stack: "decoder", kind: "self", title: say("Decoder") },
  { stack: "decoder", kind: "cross", title: say("Decoder looks at encoder") },
];

/** Sites by group and layer. A model with one group gets it without a title. */
export function groupSites(names: Iterable<string>): SiteGroup[] {
  const known = [...new Set(names)].map((name) => ({ name, site: parseSite(name) }));
  const groups = GROUPS.map(({ stack, kind, title }) => ({
    title,
    stack,
    kind,
    sites: known
      .filter(({ site }) => site?.stack === stack && site.kind === kind)
      .sort((a, b) => (a.site?.layer ?? 0) - (b.site?.layer ?? 0))
      .map(({ name }) => name),
  })).filter((group) => group.sites.length > 0);
  if (groups.length === 1 && groups[0]) groups[0].title = "";
  return groups;
}

/** All sites that a model has, so that their places are kept before any data arrives. */
export function sitesOfModel(model: Pick<Model, "architecture" | "layers" | "encoder_layers">): string[] {
  const layers = range(model.layers);
  if (model.architecture === "decoder") return layers.map((layer) => `decoder.self.${layer}`);
  if (model.architecture !== "encoder-decoder") return layers.map((layer) => `encoder.self.${layer}`);
  return [
    ...range(model.encoder_layers).map((layer) => `encoder.self.${layer}`),
    ...layers.flatMap((layer) => [`decoder.self.${layer}`, `decoder.cross.${layer}`]),
  ];
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
