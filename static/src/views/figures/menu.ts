/** "Save figure" in a panel's head: the panel as it stands, as a picture, as numbers, or as the script that makes them. */
import { createMenu } from "../../dom/menu";
import { announce } from "../../dom/tooltip";
import { type Figure, type Kind, write } from "../../figures/figure";
import { say } from "../../language/say";

const KINDS: { value: Kind; label: string; detail: string }[] = [
  { value: "svg", label: "SVG", detail: say("lines and letters, to be edited") },
  { value: "pdf", label: "PDF", detail: say("lines and letters, for a paper") },
  { value: "png", label: "PNG", detail: say("a picture of 300 dots an inch") },
  { value: "csv", label: "CSV", detail: say("the numbers as a table") },
  { value: "npz", label: "NPZ", detail: say("the numbers for NumPy") },
  { value: "py", label: "Python", detail: say("a script that makes the numbers again") },
];

/** `make` gives null where there is nothing to save yet; `why` then says what to do. */
export function createFigureMenu(make: () => Promise<Figure | null>, why = say("Nothing to save yet")): HTMLElement {
  const menu = createMenu(say("Save figure"), (kind) => void save(kind as Kind));
  menu.root.classList.add("menu-right", "menu-figure");
  menu.setLabel(say("Save"));
  menu.setChoices(KINDS);

  async function save(kind: Kind): Promise<void> {
    menu.setDisabled(true);
    try {
      const figure = await make();
      if (!figure) return sayBriefly(why, why);
      hand(await write(figure, kind), `${figure.file}.${kind}`);
      announce(say("{file} is saved", { file: `${figure.file}.${kind}` }));
    } catch (error) {
      sayBriefly(say("Not saved"), error instanceof Error ? error.message : String(error));
    } finally {
      menu.setDisabled(false);
    }
  }
  function sayBriefly(label: string, sentence: string): void {
    announce(sentence);
    menu.setLabel(label);
    setTimeout(() => menu.setLabel(say("Save")), 2_500);
  }
  return menu.root;
}

function hand(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has begun to read it when the click returns, or soon after.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
