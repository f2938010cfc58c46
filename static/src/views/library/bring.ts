/** Where a model is brought: a place to drop a folder or files, two choosers, the hub, and how much room there is. */
import { button, element, setText } from "../../dom/element";
import { sizeOf } from "../../language/amounts";
import { say } from "../../language/say";
import { type Brought, filesOf, filesOfChooser, pick } from "../../state/dropped";
import type { LibraryPage } from "../../state/library_page";

export function mountBring(host: HTMLElement, page: LibraryPage): void {
  const folder = chooser({ webkitdirectory: true }, take);
  const files = chooser({ multiple: true, accept: ".zip,.tar,.tgz,.gz,.json,.safetensors,.bin,.pt,.pth,.txt,.model,.spm" }, take);
  const note = element("p", { class: "aside", role: "status" });
  const place = element(
    "div",
    { class: "library-drop" },
    element("p", { class: "library-drop-words" }, say("Drop a model here: a folder with its config.json, tokenizer and weights, or a zip or tar of one.")),
    element("div", { class: "library-drop-choices" }, button(say("Choose a folder"), { class: "primary" }, () => folder.click()), button(say("Choose files"), { class: "quiet" }, () => files.click())),
    folder,
    files,
    note,
  );
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const room = element("p", { class: "aside library-room" });
  host.append(place, problem);
  mountLike(host, page);
  host.append(room);
  mountHub(host, page);

  // A file that misses its place would replace the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("dragover", () => place.classList.add("drop-ready"));
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => place.classList.remove("drop-ready"));
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer) void filesOf(event.dataTransfer).then(take);
  });

  function take(brought: readonly Brought[]): void {
    if (brought.length === 0) return;
    const picked = pick(brought);
    setText(note, picked.leftOut > 0 && picked.files.length > 0 ? say("{n} files are no part of the model and stay with you.", { n: picked.leftOut }) : "");
    void page.bring(picked);
  }

  const show = () => {
    problem.hidden = page.problem.value === null;
    setText(problem, page.problem.value?.message ?? "");
    const quota = page.quota.value;
    if (!quota) return;
    setText(
      room,
      say("You use {used} of {limit}. The site has room for {free}.", {
        used: sizeOf(quota.person_used_bytes),
        limit: sizeOf(quota.person_limit_bytes),
        free: sizeOf(Math.max(0, Math.min(quota.free_bytes, quota.site_limit_bytes - quota.site_used_bytes))),
      }),
    );
  };
  page.problem.subscribe(show);
  page.quota.subscribe(show);
  show();
}

function chooser(attributes: Record<string, string | boolean>, take: (files: Brought[]) => void): HTMLInputElement {
  const input = element("input", { type: "file", hidden: true, tabindex: -1, "aria-hidden": "true", ...attributes });
  input.addEventListener("change", () => {
    take(filesOfChooser(input.files!));
    input.value = "";
  });
  return input;
}

/** Shown where the site has a hub. */
function mountHub(host: HTMLElement, page: LibraryPage): void {
  const source = element("input", { type: "text", id: "hub-source", placeholder: "owner/name@revision", autocomplete: "off", spellcheck: "false", required: true });
  const token = element("input", { type: "password", id: "hub-token", autocomplete: "off" });
  const form = element(
    "form",
    { class: "library-hub", hidden: true },
    element("div", { class: "library-field" }, element("label", { for: "hub-source" }, say("Or import by name")), source),
    element("div", { class: "library-field" }, element("label", { for: "hub-token" }, say("Token, for a model behind a gate")), token),
    element("button", { type: "submit", class: "quiet" }, say("Import")),
  );
  const from = element("p", { class: "aside", hidden: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void page.import(source.value.trim(), token.value.trim()).then((began) => {
      if (began) source.value = token.value = "";
    });
  });
  host.append(form, from);
  page.hub.subscribe((hub) => {
    form.hidden = from.hidden = hub === null;
    if (hub) setText(from, say("From {hub}: weights as safetensors, config and tokenizer, and nothing else.", { hub }));
  });
}

/** Asks what weights alone are built like; of the models that are here the likeliest is the one that was brought last. */
function mountLike(host: HTMLElement, page: LibraryPage): void {
  const words = element("p", { class: "library-like-words" });
  const models = element("select", { id: "like-model" });
  const form = element(
    "form",
    { class: "library-like", hidden: true },
    words,
    element("div", { class: "library-field" }, element("label", { for: "like-model" }, say("Built like")), models),
    element("button", { type: "submit", class: "primary" }, say("Bring it")),
    button(say("Cancel"), { class: "quiet", type: "button" }, () => page.alone.set(null)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (page.alone.value) void page.bring(page.alone.value, models.value);
  });
  host.append(form);
  page.alone.subscribe((picked) => {
    form.hidden = picked === null;
    if (!picked) return;
    setText(words, say("{name} comes without a config.json, which says what kind of model it is. Add the file, or name the model here that it is built like.", { name: picked.title }));
    const choices = [...(page.models.value ?? [])].reverse();
    models.replaceChildren(...choices.map(({ id, name }) => element("option", { value: id }, name)));
    models.focus();
  });
}
