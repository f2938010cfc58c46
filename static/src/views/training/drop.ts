/** A place for one file: chosen by a button, or dropped. */
import { button, element, setText } from "../../dom/element";

export interface FileDrop {
  root: HTMLElement;
  input: HTMLInputElement;
  /** What stands beside the button, as the file's name. */
  say(words: string): void;
}

export function fileDrop(
  { id, accept, label, words }: { id: string; accept: string; label: string; words: string },
  onFile: (file: File) => Promise<void>,
): FileDrop {
  const input = element("input", { id, type: "file", accept, class: "visually-hidden", tabindex: -1, "aria-label": label });
  const state = element("span", { class: "drop-state", role: "status" });
  const root = element(
    "div",
    { class: "plan-drop" },
    button(label, { class: "quiet" }, () => input.click()),
    input,
    element("span", { class: "aside" }, words),
    state,
  );
  const take = async (file: File | undefined) => {
    if (file) await onFile(file);
    // The same file can be chosen again.
    input.value = "";
  };
  input.addEventListener("change", () => void take(input.files?.[0]));
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("drop-ready");
  });
  root.addEventListener("dragleave", () => root.classList.remove("drop-ready"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("drop-ready");
    void take(event.dataTransfer?.files[0]);
  });
  return { root, input, say: (words) => setText(state, words) };
}
