/** Sharing a view, where the explorer has its tools. */
import type { Explorer } from "../state/explorer";
import { mountShare } from "../views/share/share";

export function shareButton(explorer: Explorer, app: HTMLElement): HTMLElement {
  return mountShare(document.body, explorer, Boolean(app.dataset.person));
}
