/** Which model the next run uses, with its size and whether it is ready. */
import { createMenu } from "../dom/menu";
import { count } from "../dom/numbers";
import type { Explorer, Model } from "../state/explorer";

export function mountModels(host: HTMLElement, explorer: Explorer): void {
  const menu = createMenu("Model", (id) => {
    const chosen = explorer.models.value?.find((model) => model.id === id);
    if (chosen) explorer.model.set(chosen);
  });
  menu.root.classList.add("menu-right");
  host.append(menu.root);

  function show(): void {
    const models = explorer.models.value ?? [];
    menu.setChoices(
      models.map((model) => ({ value: model.id, label: model.name, detail: describe(model) })),
      explorer.model.value?.id,
    );
    menu.setLabel(explorer.model.value?.name ?? "Model");
    menu.setDisabled(models.length === 0);
  }

  explorer.models.subscribe(show);
  explorer.model.subscribe(show);
  show();
}

function describe({ sentence, layers, heads, positions, state }: Model): string {
  const shape = `${layers} layers × ${heads} heads, up to ${count(positions)} tokens, ${state}`;
  return sentence ? `${sentence} ${shape}.` : shape;
}
