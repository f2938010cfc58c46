/** Where a picture is chosen, dropped or pasted, for a model that reads pictures. It runs as soon as it is chosen. */
import { button, element, setText } from "../../dom/element";
import { isTyping } from "../../dom/typing";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";

const TYPES = "image/png,image/jpeg,image/webp,image/gif,image/bmp";

export function mountPictureChoice(explorer: Explorer): HTMLElement {
  const input = element("input", {
    id: "prompt-picture",
    type: "file",
    accept: TYPES,
    class: "visually-hidden",
    tabindex: -1,
    "aria-label": say("Picture"),
  });
  const choose = button(say("Choose a picture"), { class: "primary" }, () => input.click());
  const words = element("span", { class: "drop-words" }, say("or drop one here, or paste it"));
  const state = element("span", { class: "drop-state", role: "status" });
  const root = element("div", { class: "drop", hidden: true }, choose, input, words, state);
  let isSending = false;

  async function send(file: File | undefined): Promise<void> {
    if (!file || isSending || root.hidden) return;
    isSending = true;
    setText(state, say("Sending {name}", { name: file.name }));
    const isSent = await explorer.submitPicture(file);
    setText(state, isSent ? file.name : "");
    // The same file can be chosen again.
    input.value = "";
    isSending = false;
  }

  input.addEventListener("change", () => void send(input.files?.[0]));
  // A picture that misses the place by a hand would otherwise open in the page's stead.
  document.addEventListener("dragover", (event) => {
    if (root.hidden || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("drop-ready");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) root.classList.remove("drop-ready");
  });
  document.addEventListener("drop", (event) => {
    root.classList.remove("drop-ready");
    if (root.hidden || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    void send(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (!isTyping(event.target)) void send(event.clipboardData?.files[0]);
  });
  explorer.run.subscribe(({ picture }) => {
    if (!picture) setText(state, "");
  });
  return root;
}
