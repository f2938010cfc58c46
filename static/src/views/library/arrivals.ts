/** What is on its way, from its first byte to the verdict: progress, pause, going on, and why something was refused. */
import { button, element, setText } from "../../dom/element";
import { sizeOf } from "../../language/amounts";
import { say } from "../../language/say";
import type { Arrival, LibraryPage, Sending } from "../../state/library_page";

const STATES: Record<Arrival["state"], string> = {
  uploading: say("On its way"),
  importing: say("Coming from the hub"),
  uploaded: say("Waits to be looked through"),
  inspecting: say("Is being looked through"),
  ready: say("Ready"),
  refused: say("Refused"),
};

export function mountArrivals(host: HTMLElement, page: LibraryPage): void {
  const list = element("ul", { class: "arrivals" });
  const title = element("h2", {}, say("On its way"));
  host.append(title, list);
  const cards = new Map<string, ArrivalCard>();
  const show = () => {
    // What is ready stands among the models, unless there is something to be said of it.
    const arrivals = page.arrivals.value.filter(({ state, notes }) => state !== "ready" || notes.length > 0);
    host.hidden = arrivals.length === 0;
    for (const id of [...cards.keys()]) if (!arrivals.some((arrival) => arrival.id === id)) forget(id);
    arrivals.forEach((arrival, place) => {
      const card = cards.get(arrival.id) ?? new ArrivalCard(arrival.id, page);
      cards.set(arrival.id, card);
      card.show(arrival, page.sendings.value.get(arrival.id) ?? null);
      if (list.children[place] !== card.root) list.insertBefore(card.root, list.children[place] ?? null);
    });
  };
  const forget = (id: string) => {
    cards.get(id)?.root.remove();
    cards.delete(id);
  };
  page.arrivals.subscribe(show);
  page.sendings.subscribe(show);
  show();
}

class ArrivalCard {
  readonly #name = element("span", { class: "arrival-name" });
  readonly #state = element("span", { class: "arrival-state", role: "status" });
  readonly #bar = element("progress", { max: 1, value: 0 });
  readonly #words = element("p", { class: "aside" });
  readonly #notes = element("ul", { class: "arrival-notes" });
  readonly #hold: HTMLButtonElement;
  readonly #end: HTMLButtonElement;
  readonly root: HTMLElement;
  #isSending = false;

  constructor(id: string, page: LibraryPage) {
    this.#hold = button("", { class: "quiet" }, () => void (this.#isSending ? page.pause(id) : page.goOn(id)));
    this.#end = button("", { class: "quiet" }, () => void page.cancel(id));
    this.root = element(
      "li",
      { class: "arrival" },
      element("div", { class: "arrival-head" }, this.#name, this.#state, element("span", { class: "spring" }), this.#hold, this.#end),
      this.#bar,
      this.#words,
      this.#notes,
    );
  }

  show(arrival: Arrival, sending: Sending | null): void {
    const { state, name, error, size_bytes } = arrival;
    const isComing = state === "uploading" || state === "importing";
    const isOver = state === "ready" || state === "refused";
    this.#isSending = sending?.state === "sending";
    this.root.dataset.state = state;
    setText(this.#name, name);
    setText(this.#state, sending?.state === "paused" ? say("Paused") : STATES[state]);
    const arrived = Math.max(arrival.arrived_bytes, isComing ? (sending?.sentBytes ?? 0) : 0);
    this.#bar.hidden = isOver;
    this.#bar.setAttribute("aria-label", say("{name}: how much has arrived", { name }));
    if (isComing && size_bytes > 0) this.#bar.value = arrived / size_bytes;
    else this.#bar.removeAttribute("value");
    setText(this.#words, error?.message ?? sending?.message ?? (isComing ? progress(arrival, arrived, sending) : ""));
    this.#words.classList.toggle("problem", error !== null || sending?.state === "broken");
    this.#words.hidden = this.#words.textContent === "";
    this.#hold.hidden = state !== "uploading" || sending === null;
    setText(this.#hold, this.#isSending ? say("Pause") : say("Go on"));
    setText(this.#end, isOver ? say("Dismiss") : say("Cancel"));
    this.#end.setAttribute("aria-label", `${this.#end.textContent}: ${name}`);
    if (this.#notes.childElementCount !== arrival.notes.length) this.#notes.replaceChildren(...arrival.notes.map((note) => element("li", {}, note)));
  }
}

function progress(arrival: Arrival, arrived: number, sending: Sending | null): string {
  const amounts = { arrived: sizeOf(arrived), all: sizeOf(arrival.size_bytes) };
  if (arrival.state === "importing") return arrival.size_bytes ? say("{arrived} of {all}", amounts) : arrival.source;
  if (!sending) return say("{arrived} of {all} are here. Drop the same files again to go on.", amounts);
  const speed = sending.bytesPerSecond;
  if (!speed || speed < 1) return say("{arrived} of {all}", amounts);
  const left = shortTime((arrival.size_bytes - arrived) / speed);
  return say("{arrived} of {all}, {speed} a second, {left} left", { ...amounts, speed: sizeOf(speed), left });
}

function shortTime(seconds: number): string {
  if (seconds < 90) return say("{n} s", { n: Math.max(1, Math.round(seconds)) });
  return seconds < 5_400 ? say("{n} min", { n: Math.round(seconds / 60) }) : say("{n} h", { n: (seconds / 3600).toFixed(1) });
}
