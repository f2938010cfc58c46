/** "Share": this view as a link, with whom it is for and until when; and the links that there are, to be withdrawn. */
import { button, element, setText } from "../../dom/element";
import { announce } from "../../dom/tooltip";
import { sizeOf } from "../../language/amounts";
import { day } from "../../language/dates";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { audienceOf, choiceOf, type OpenLens, type OwnClass, type ShareRecord, Sharing } from "../../state/sharing";

const DAY_HOURS = 24;
const COPIED_MS = 1_600;

/** `isSignedIn`: whether whoever looks has an account here; with `classes`. Gives the button that opens the dialog. */
export function mountShare(
  host: HTMLElement,
  explorer: Explorer,
  openLens: OpenLens,
  isSignedIn: boolean,
  classes: OwnClass[],
): HTMLElement {
  const sharing = new Sharing(explorer, openLens);
  const title = element("input", { type: "text", maxlength: 120, autocomplete: "off", name: "title" });
  const note = element("textarea", { rows: 2, maxlength: 2000, name: "note" });
  const audience = select("audience", [
    ["unlisted", say("Everybody who has the link")],
    ["signed_in", say("People who sign in here")],
    ...classes.map((each): [string, string] => [choiceOf(each), say("My class {name}", { name: each.name })]),
  ]);
  const expiry = select("expiry", [
    ["", say("Until it is withdrawn")],
    [String(DAY_HOURS), say("One day")],
    [String(7 * DAY_HOURS), say("One week")],
    [String(30 * DAY_HOURS), say("30 days")],
  ]);
  const password = element("input", { type: "password", maxlength: 200, autocomplete: "new-password", name: "password" });
  const make = element("button", { type: "submit", class: "primary" }, say("Make a link"));
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const made = element("div", { class: "share-made", role: "status", hidden: true });
  const own = element("ul", { class: "share-list" });
  const ownTitle = element("h3", {}, say("Your links"));
  const form = element(
    "form",
    { class: "share-form" },
    field(say("Title"), title),
    field(say("Note"), note),
    isSignedIn ? field(say("Who may open it"), audience) : null,
    field(say("How long"), expiry),
    field(say("Password, optional"), password),
    make,
  );
  const page = element("a", { class: "quiet", download: true }, say("a page that works offline"));
  const notebook = element("a", { class: "quiet", download: true }, say("a notebook that makes it again"));
  const saved = element("p", { class: "share-about" }, say("Or save the run as"), " ", page, notebook);
  const dialog = element(
    "dialog",
    { class: "keys share", "aria-label": say("Share") },
    element("header", {}, element("h2", {}, say("Share this view")), button(say("Close"), { class: "quiet" }, () => dialog.close())),
    element(
      "p",
      { class: "share-about" },
      say("The link shows this run as you see it now. It keeps its own copy, and opens when the run and the model are gone."),
    ),
    form,
    problem,
    made,
    saved,
    ownTitle,
    own,
  );
  host.append(dialog);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void share();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  async function share(): Promise<void> {
    make.disabled = true;
    setText(make, say("Storing …"));
    const share = await sharing.share({
      title: title.value,
      note: note.value,
      ...audienceOf(audience.value),
      password: password.value,
      hours: expiry.value ? Number(expiry.value) : null,
    });
    setText(make, say("Make a link"));
    make.disabled = false;
    if (!share) return;
    form.reset();
    made.hidden = false;
    made.replaceChildren(...linkRow(share), embedCode(share));
    announce(say("The link is ready"));
  }

  function draw(): void {
    const shares = sharing.own.value ?? [];
    ownTitle.hidden = shares.length === 0;
    own.replaceChildren(...shares.map((share) => element("li", {}, ...rowOf(share))));
  }

  function rowOf(share: ShareRecord): HTMLElement[] {
    const name = element("a", { href: share.page, target: "_blank", rel: "noreferrer" }, share.title || say("Untitled"));
    const facts = [
      say("opened {n} times", { n: share.openings }),
      sizeOf(share.size_bytes),
      share.has_password ? say("with a password") : "",
      share.audience === "class" ? (nameOf(share.class_id) ?? say("for a class that is gone")) : "",
      share.expires_at ? say("until {date}", { date: day(share.expires_at) }) : "",
    ];
    const withdraw = button(say("Withdraw"), { class: "quiet danger", title: say("The link stops working at once") }, () =>
      void sharing.revoke(share.slug),
    );
    return [
      element("span", { class: "share-name" }, name, element("span", { class: "share-facts" }, facts.filter(Boolean).join(" · "))),
      copyButton(share),
      withdraw,
    ];
  }

  function nameOf(id: string | null): string | null {
    const found = classes.find((each) => each.id === id);
    if (found) return say("for {name}", { name: found.name });
    return id ? say("for a class that you left") : null;
  }

  sharing.own.subscribe(draw);
  sharing.problem.subscribe((error) => {
    problem.hidden = error === null;
    setText(problem, error?.message ?? "");
  });
  draw();

  const open = button(say("Share"), { class: "quiet share-open", title: say("A link to this view, for others") }, () => {
    made.hidden = true;
    const files = sharing.files();
    page.href = files.page;
    notebook.href = files.notebook;
    sharing.problem.set(null);
    dialog.showModal();
    title.focus();
    void sharing.list();
  });
  const enable = () => (open.disabled = !sharing.isReady);
  explorer.run.subscribe(enable);
  enable();
  return open;
}

function linkRow(share: ShareRecord): HTMLElement[] {
  const link = element("input", { type: "text", readonly: true, "aria-label": say("Link"), class: "share-link" });
  link.value = addressOf(share.page);
  link.addEventListener("focus", () => link.select());
  return [element("div", { class: "share-row" }, link, copyButton(share))];
}

function embedCode(share: ShareRecord): HTMLElement {
  const code = `<iframe src="${addressOf(share.embed)}?panels=map,text" width="720" height="560" style="border:0"></iframe>`;
  return element(
    "details",
    {},
    element("summary", {}, say("Embed it in a page")),
    element("code", {}, code),
    element("p", { class: "share-facts" }, say("Panels: map, text, heads, next.")),
  );
}

function copyButton(share: ShareRecord): HTMLElement {
  const copy = button(say("Copy link"), { class: "quiet" }, () => void write());
  async function write(): Promise<void> {
    try {
      await navigator.clipboard.writeText(addressOf(share.page));
      setText(copy, say("Copied"));
      announce(say("Link copied"));
    } catch {
      setText(copy, say("Copy it from the field"));
    }
    setTimeout(() => setText(copy, say("Copy link")), COPIED_MS);
  }
  return copy;
}

function addressOf(path: string): string {
  return new URL(path, window.location.href).href;
}

function field(label: string, input: HTMLElement): HTMLElement {
  return element("label", {}, element("span", {}, label), input);
}

function select(name: string, choices: [string, string][]): HTMLSelectElement {
  return element("select", { name }, ...choices.map(([value, label]) => element("option", { value }, label)));
}
