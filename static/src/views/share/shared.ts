/** What stands above a share in place of the prompt: its title, its note, and the way to a copy of one's own. */
import { button, element, setText } from "../../dom/element";
import { say } from "../../language/say";
import type { SharedPage } from "../../state/sharing";

/** Makes a copy, to be seen as a query says, and gives its address. */
export type Copy = (slug: string, query: string) => Promise<string>;

/** `copy` comes with the rest of the page's code, and a press waits for it. */
export function mountShared(host: HTMLElement, shared: SharedPage, copy: Promise<Copy>): void {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const opener = button(
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
      opener,
    ),
    problem,
  );

  async function open(): Promise<void> {
    opener.disabled = true;
    try {
      const copyOf = await copy;
      window.location.assign(await copyOf(shared.slug, window.location.search || shared.view));
    } catch (error) {
      problem.hidden = false;
      setText(problem, error instanceof Error ? error.message : String(error));
      opener.disabled = false;
    }
  }
}
