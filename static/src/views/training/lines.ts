/** Which lines each chart has: of this training, and beneath it of those that were chosen to be compared. */
import { say } from "../../language/say";
import { measuresOf } from "../../state/labels";
import { measureOf } from "../../state/run";
import { type HeadRef, parseSite } from "../../state/sites";
import type { TrainingState } from "../../state/training";
import { columnOf, type ColumnName, stepsOf } from "../../state/training_curve";
import type { TrainingPage } from "../../state/training_page";
import { planTitle } from "../../state/training_plan";
import { meanOverHeads, siteOf, sitesOf } from "../../state/training_snapshot";
import { smooth, thin } from "../../state/training_thinning";

export type ChartName = "loss" | "accuracy" | "learning_rate" | "gradient_norm" | "entropy" | "head";

export const CHARTS: { name: ChartName; title: string; unit: string; meaning: string }[] = [
  { name: "loss", title: say("Loss"), unit: say("nats"), meaning: say("How surprised the model is by each right answer: 0 is not at all.") },
  { name: "accuracy", title: say("Held-out tests"), unit: "", meaning: say("Measured on examples that it never learns from.") },
  { name: "entropy", title: say("Attention entropy by layer"), unit: say("nats"), meaning: say("How widely heads spread their weight over the probe text, the mean of each layer.") },
  { name: "head", title: say("This head over the steps"), unit: "", meaning: say("What the chosen head did with the probe text, as shares of its weight.") },
  { name: "learning_rate", title: say("Learning rate"), unit: "", meaning: say("How far each step moves the weights.") },
  { name: "gradient_norm", title: say("Gradient norm"), unit: "", meaning: say("How strongly a step's examples pull at the weights.") },
];

export interface Line {
  name: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** 0 is this training's own colour, others those of picked heads. */
  colour: number;
  dash: "solid" | "dash" | "dot" | "dashdot";
}

/** Those of picked heads that stand apart from this training's own two. */
const OVERLAY_COLOURS = [2, 3, 4, 7, 1];
/** More cannot be told apart on a screen. */
const MOST_POINTS = 2_000;
const DASHES = ["solid", "dash", "dot", "dashdot"] as const;
/** What heads are known for; more lines would hide one another. */
const SHOWN_OF_HEAD = ["induction", "previous_token", "duplicate_token", "diagonal", "first_token", "positional"];
export const METRICS: Record<string, string> = {
  loss: say("held-out"),
  accuracy: say("right answers"),
  exact: say("wholly right"),
  perplexity: say("perplexity"),
  bleu: say("BLEU, beams"),
  beam_exact: say("right after beams"),
};

export function linesOf(chart: ChartName, page: TrainingPage, view: { smoothing: number }): Line[] {
  const seen = { smoothing: view.smoothing, head: page.head.value };
  const own = linesOfTraining(chart, page.training.value, { ...seen, colour: 0, of: "" });
  const others = page.overlays.value.flatMap(({ record, training }, place) => {
    const of = record.row ?? overlayName(record.plan, record.id);
    // One line of each is enough to compare with; of the loss both, as they tell learning from learning by heart.
    return linesOfTraining(chart, training, { ...seen, colour: OVERLAY_COLOURS[place] ?? 1, of }).slice(0, chart === "loss" ? 2 : 1);
  });
  return [...others, ...own];
}

export function overlayName(plan: Parameters<typeof planTitle>[0], id: string): string {
  return `${planTitle(plan)} ${id.slice(0, 4)}`;
}

function linesOfTraining(
  chart: ChartName,
  training: TrainingState,
  { smoothing, head, colour, of }: { smoothing: number; head: HeadRef | null; colour: number; of: string },
): Line[] {
  const named = (name: string) => (of ? `${of}: ${name}` : name);
  switch (chart) {
    case "loss":
      return [
        { name: named(say("training")), ...column(training, "loss", smoothing), colour, dash: "solid" },
        ...metric(training, "loss").map((points) => ({ name: named(METRICS.loss as string), ...points, colour: colour || 6, dash: "dash" as const })),
      ];
    case "accuracy": {
      const names = [...new Set(training.evaluations.flatMap(({ metrics }) => Object.keys(metrics)))].filter((name) => name !== "loss");
      return names.flatMap((name, place) =>
        metric(training, name).map((points) => ({
          name: named(METRICS[name] ?? name),
          ...points,
          colour: colour || (place === 0 ? 0 : 6),
          dash: DASHES[place % DASHES.length] ?? "solid",
        })),
      );
    }
    case "entropy":
      return entropies(training, colour, named);
    case "head":
      // Heads of two models have nothing in common but their number.
      return of ? [] : measuresOfHead(training, head);
    default:
      return [{ name: named(chart === "learning_rate" ? say("learning rate") : say("gradient norm")), ...column(training, chart, chart === "gradient_norm" ? smoothing : 0), colour, dash: "solid" }];
  }
}

function column({ curve }: TrainingState, name: ColumnName, smoothing: number): Pick<Line, "x" | "y"> {
  return thin(stepsOf(curve), smooth(columnOf(curve, name), smoothing), MOST_POINTS);
}

function metric({ evaluations }: TrainingState, name: string): Pick<Line, "x" | "y">[] {
  const told = evaluations.filter(({ metrics }) => metrics[name] !== undefined);
  if (told.length === 0) return [];
  return [thin(told.map(({ step }) => step), told.map(({ metrics }) => metrics[name] ?? 0), MOST_POINTS)];
}

function entropies({ snapshots }: TrainingState, colour: number, named: (name: string) => string): Line[] {
  const first = snapshots[0];
  if (!first) return [];
  const steps = snapshots.map(({ step }) => step);
  return sitesOf(first).map(({ site }, place) => {
    const values = snapshots.map((snapshot) => {
      const told = sitesOf(snapshot)[place];
      return (told && meanOverHeads(told, "entropy")) ?? Number.NaN;
    });
    return {
      name: named(siteTag(site)),
      ...thin(steps, values, MOST_POINTS),
      colour: colour || (place % 8),
      dash: DASHES[Math.floor(place / 8) % DASHES.length] ?? "solid",
    };
  });
}

function measuresOfHead({ snapshots }: TrainingState, ref: HeadRef | null): Line[] {
  const last = snapshots.at(-1);
  const site = last && ref && siteOf(last, ref.site);
  if (!site) return [];
  const told = measuresOf(site).filter(({ name, unit }) => unit === "share" && SHOWN_OF_HEAD.includes(name));
  const steps = snapshots.map(({ step }) => step);
  return told.map(({ name, title }, place) => {
    const values = snapshots.map((snapshot) => {
      const then = siteOf(snapshot, ref.site);
      return (then && measureOf(then, ref.head, name)) ?? Number.NaN;
    });
    return { name: title, ...thin(steps, values, MOST_POINTS), colour: place, dash: DASHES[place % DASHES.length] ?? "solid" };
  });
}

function siteTag(site: string): string {
  const parsed = parseSite(site);
  if (!parsed) return site;
  const kind = parsed.kind === "cross" ? say("cross") : parsed.stack === "encoder" ? say("enc") : "";
  return `L${parsed.layer} ${kind}`.trim();
}
