/** What the model writes as it learns, the newest first; at the end of a translation, what beam search came to. */
import { element, setText } from "../../dom/element";
import { count, share } from "../../dom/numbers";
import { say } from "../../language/say";
import { isUnderWay, type Sample } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";

const SHOWN = 6;

export function mountSamples(host: HTMLElement, page: TrainingPage): void {
  const result = element("p", { role: "status", hidden: true });
  const words = element("p", { class: "aside" });
  const list = element("ol", { class: "samples" });
  host.append(result, words, list);
  const show = () => {
    const { samples, results } = page.training.value;
    const { bleu, beam_exact } = results ?? {};
    result.hidden = bleu === undefined;
    setText(result, bleu === undefined ? "" : say("Beam search of 4 on held-out pairs: BLEU {bleu}, wholly right {exact}.", { bleu: bleu.toFixed(1), exact: share(beam_exact ?? 0) }));
    words.hidden = samples.length > 0;
    setText(words, isUnderWay(page.training.value) ? say("None yet. They come with the tests, and when you ask.") : say("This training wrote none."));
    list.replaceChildren(...samples.slice(-SHOWN).reverse().map(entry));
  };
  let shown: readonly Sample[] | null = null;
  let told: object | null = null;
  page.training.subscribe(({ samples, results }) => {
    if (samples === shown && results === told && samples.length > 0) return;
    [shown, told] = [samples, results];
    show();
  });
  show();
}

function entry({ step, source, text, wanted }: Sample): HTMLElement {
  return element(
    "li",
    {},
    element("span", { class: "aside" }, say("step {n}", { n: count(step) })),
    element("span", { class: "sample-text", dir: "auto" }, element("span", { class: "sample-source" }, source), " → ", element("strong", {}, text)),
    wanted && wanted.trim() !== text.trim() ? element("span", { class: "aside" }, say("wanted: {text}", { text: wanted })) : false,
  );
}
