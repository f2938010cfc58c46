/** The list of keys, called by "?", and the keys that work anywhere outside a field of text. */
import { button, element } from "../dom/element";
import { isTyping } from "../dom/typing";
import { say } from "../language/say";

interface KeyLine {
  keys: string[];
  does: string;
}

function keyLines(): { title: string; lines: KeyLine[] }[] {
  return [
    {
      title: say("Anywhere"),
      lines: [
        { keys: ["/"], does: say("find a head by name, label or layer") },
        { keys: ["←", "→", "↑", "↓"], does: say("walk to the next head or layer") },
        { keys: ["l"], does: say("map or links") },
        { keys: ["Esc"], does: say("let go of the kept token") },
        { keys: ["?"], does: say("this list") },
      ],
    },
    {
      title: say("On the grid of heads"),
      lines: [
        { keys: ["p"], does: say("pick a head, to draw several together") },
        { keys: ["Home", "End"], does: say("first and last head") },
      ],
    },
    {
      title: say("On the map"),
      lines: [
        { keys: ["←", "→", "↑", "↓"], does: say("move the crosshair") },
        { keys: ["+", "−"], does: say("zoom in and out") },
        { keys: ["0"], does: say("the whole map") },
        { keys: ["Enter"], does: say("keep this pair of tokens") },
      ],
    },
    {
      title: say("On the links"),
      lines: [
        { keys: ["↑", "↓"], does: say("walk the tokens of one side") },
        { keys: ["←", "→"], does: say("change the side") },
        { keys: ["Enter"], does: say("keep this token") },
      ],
    },
    {
      title: say("On the tokens"),
      lines: [{ keys: ["←", "→"], does: say("keep the next token") }],
    },
    {
      title: say("In the text"),
      lines: [
        { keys: ["Enter"], does: say("run it") },
        { keys: ["Shift", "Enter"], does: say("break the line") },
      ],
    },
  ];
}

/** Gives the button that opens the list. */
export function mountHelp(host: HTMLElement): HTMLElement {
  const close = button(say("Close"), { class: "quiet" }, () => list.close());
  const list = element(
    "dialog",
    { class: "keys", "aria-label": say("Keys") },
    element("header", {}, element("h2", {}, say("Keys")), close),
    ...keyLines().map(({ title, lines }) =>
      element(
        "section",
        {},
        element("h3", {}, title),
        element("dl", {}, ...lines.flatMap(({ keys, does }) => [keyCaps(keys), element("dd", {}, does)])),
      ),
    ),
  );
  host.append(list);
  list.addEventListener("click", (event) => {
    if (event.target === list) list.close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || isTyping(event.target)) return;
    event.preventDefault();
    if (!list.open) list.showModal();
  });
  return button("?", { class: "quiet help", title: say("Keys (?)"), "aria-label": say("Keys") }, () =>
    list.showModal(),
  );
}

function keyCaps(keys: string[]): HTMLElement {
  return element("dt", {}, ...keys.map((key) => element("kbd", { class: "key" }, key)));
}
