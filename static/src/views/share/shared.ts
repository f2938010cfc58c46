/** What stands above a share in place of the prompt: its title, its note, and the way to a copy of one's own. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import { copyOf, type SharedPage } from "../../state/sharing";

export function mountShared(host: HTMLElement, shared: SharedPage): void {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const copy = button(
    say("Open a copy"),
    { class: "primary", title: say("A run of your own that begins here, to change and go on from") },
    () => void open(),
  );
  host.append(
    element(
      "div",
      { class: "shared" },
      element(
        "div",
        { class: "shared-words" },
        element("h2", { dir: "auto" }, shared.title || say("A shared view")),
        shared.note ? element("p", { dir: "auto" }, shared.note) : null,
      ),
      copy,
    ),
    problem,
  );

  async function open(): Promise<void> {
    copy.disabled = true;
    try {
      window.location.assign(await copyOf(shared.slug, window.location.search || shared.view));
    } catch (error) {
      problem.hidden = false;
      setText(problem, error instanceof Error ? error.message : String(error));
      copy.disabled = false;
    }
  }
}
