/** Sharing a view, where the explorer has its tools. */
import type { Explorer } from "../state/explorer";
import type { OpenLens } from "../state/sharing";
import { mountShare } from "../views/share/share";

export function shareButton(explorer: Explorer, openLens: OpenLens, app: HTMLElement): HTMLElement {
  return mountShare(document.body, explorer, openLens, Boolean(app.dataset.person));
}
