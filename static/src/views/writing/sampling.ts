/** How the next text that is written chooses its tokens: one line that says it, and the numbers beneath it. */
import { element, setText } from "../../dom/element";
import { say } from "../../language/say";
import type { Choices, Explorer } from "../../state/explorer";
import { writesText } from "../../state/writing";

type NumberName = Exclude<keyof Choices, "stop_strings">;

interface Field {
  name: NumberName;
  label: string;
  title: string;
  /** What stands in the field while it is empty. */
  empty: string;
  step: string;
  beams: "alone" | "too" | "never";
}

const FIELDS: Field[] = [
  { name: "max_tokens", label: say("Tokens"), title: say("The text ends after so many"), empty: "64", step: "1", beams: "too" },
  {
    name: "temperature",
    label: say("Temperature"),
    title: say("Left empty or 0: the likeliest token each time. 1 draws as the model has it, less keeps to the likely."),
    empty: say("greedy"),
    step: "0.1",
    beams: "never",
  },
  { name: "top_k", label: "Top-k", title: say("Draw among the k likeliest"), empty: say("all"), step: "1", beams: "never" },
  {
    name: "top_p",
    label: "Top-p",
    title: say("Draw among the likeliest that together have this probability"),
    empty: say("all"),
    step: "0.05",
    beams: "never",
  },
  {
    name: "min_p",
    label: "Min-p",
    title: say("Draw among those at least this share as likely as the likeliest"),
    empty: say("all"),
    step: "0.05",
    beams: "never",
  },
  {
    name: "repetition_penalty",
    label: say("Repetition penalty"),
    title: say("Above 1: what stands in the text already becomes less likely"),
    empty: "1",
    step: "0.1",
    beams: "never",
  },
  { name: "seed", label: say("Seed"), title: say("The same seed draws the same tokens"), empty: say("any"), step: "1", beams: "never" },
  {
    name: "beams",
    label: say("Beams"),
    title: say("Follow so many texts side by side, and keep the likeliest; nothing is drawn then"),
    empty: say("none"),
    step: "1",
    beams: "too",
  },
  {
    name: "length_penalty",
    label: say("Length penalty"),
    title: say("Of beams: what a text's log-probability is divided by grows with its length, so that long texts may win"),
    empty: "0.6",
    step: "0.1",
    beams: "alone",
  },
];
const DEFAULTS: Partial<Choices> = { max_tokens: 64, repetition_penalty: 1 };

export function mountSampling(host: HTMLElement, explorer: Explorer): void {
  const said = element("span", { class: "sampling-said" });
  const inputs = FIELDS.map(({ name, label, title, empty, step }) => {
    const input = element("input", {
      type: "number",
      id: `sampling-${name}`,
      step: step === "1" ? "1" : "any",
      placeholder: empty,
      inputmode: "decimal",
    });
    input.addEventListener("change", read);
    const field = element("label", { class: "sampling-field", title, for: input.id }, label, input);
    return { name, input, field };
  });
  const stop = element("input", { type: "text", id: "sampling-stop", placeholder: say("none") });
  stop.addEventListener("change", read);
  const stopField = element(
    "label",
    { class: "sampling-field", for: stop.id, title: say("The text ends where this would begin") },
    say("Stop at"),
    stop,
  );
  const root = element(
    "details",
    { class: "sampling" },
    element("summary", {}, say("How it writes"), said),
    element("div", { class: "sampling-fields" }, ...inputs.map(({ field }) => field), stopField),
  );
  host.append(root);

  function read(): void {
    const numbers = Object.fromEntries(
      inputs.map(({ name, input }) => [name, input.value === "" ? (DEFAULTS[name] ?? null) : input.valueAsNumber]),
    ) as unknown as Omit<Choices, "stop_strings">;
    // The page's own field holds one; a line end is written as \n.
    const stop_strings = stop.value ? [stop.value.replaceAll("\\n", "\n")] : [];
    explorer.sampling.set({ ...numbers, stop_strings });
  }

  function show(choices: Choices): void {
    for (const { name, input } of inputs) {
      const value = choices[name];
      if (document.activeElement !== input) input.value = value === null || value === DEFAULTS[name] ? "" : String(value);
    }
    if (document.activeElement !== stop) stop.value = (choices.stop_strings[0] ?? "").replaceAll("\n", "\\n");
    const isSearch = choices.beams !== null;
    for (const { field, input, name } of inputs) {
      const { beams } = FIELDS.find((known) => known.name === name) as Field;
      input.disabled = isSearch ? beams === "never" && input.value === "" : beams === "alone" && input.value === "";
      field.classList.toggle("sampling-off", input.disabled);
    }
    setText(said, choicesInWords(choices));
  }

  explorer.sampling.subscribe(show);
  explorer.model.subscribe((model) => (root.hidden = !writesText(model)));
  // What is wrong with a number shall be seen beside it.
  explorer.problem.subscribe((problem) => {
    const name = /^generate\.(\w+)$/.exec(problem?.field ?? "")?.[1];
    for (const { input, name: own } of inputs) input.setAttribute("aria-invalid", String(own === name));
    stop.setAttribute("aria-invalid", String(name === "stop_strings"));
    if (name) root.open = true;
  });
  root.hidden = true;
  show(explorer.sampling.value);
}

/** "the likeliest token, 64 at most". */
export function choicesInWords(choices: Choices): string {
  const { temperature, top_k, top_p, min_p, beams, max_tokens, seed, repetition_penalty, stop_strings } = choices;
  const draws = Boolean(temperature) || top_k !== null || top_p !== null || min_p !== null;
  const how = beams
    ? say("the likeliest of {n} beams", { n: beams })
    : draws
      ? say("drawn at temperature {t}", { t: temperature ?? 1 })
      : say("the likeliest token each time");
  const parts = [
    how,
    top_k !== null && `top-k ${top_k}`,
    top_p !== null && `top-p ${top_p}`,
    min_p !== null && `min-p ${min_p}`,
    repetition_penalty !== 1 && say("repetition penalty {n}", { n: repetition_penalty }),
    draws && seed !== null && say("seed {n}", { n: seed }),
    stop_strings.length > 0 && say("stops at “{text}”", { text: stop_strings[0] ?? "" }),
    say("{n} tokens at most", { n: max_tokens }),
  ];
  return parts.filter(Boolean).join(", ");
}
