/** When heads became what they are, as a list: a press shows that step and that head. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import { isUnderWay } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";
import { jumpInWords, type JumpMarks, showJump } from "./marks";

export function mountFormed(host: HTMLElement, page: TrainingPage, jumps: JumpMarks): void {
  const list = element("ul", { class: "formed" });
  const words = element("p", { class: "aside" });
  host.append(element("h3", { class: "formed-title" }, say("When heads formed")), words, list);
  const show = () => {
    words.hidden = jumps.value.length > 0;
    setText(
      words,
      isUnderWay(page.training.value)
        ? say("Nothing yet: a head is named here once it does one thing and keeps doing it.")
        : say("No head took up one thing and kept doing it on this text."),
    );
    list.replaceChildren(
      ...jumps.value.map((jump) => element("li", {}, button(jumpInWords(jump), { class: "quiet" }, () => showJump(page, jump)))),
    );
  };
  jumps.subscribe(show);
  page.training.subscribe(({ phase }) => {
    if (phase !== "running") show();
  });
  show();
}
