/** What stands at the top right for people: sharing a view, one's own runs, one's account. */
import type { Explorer } from "../state/explorer";
import { mountShare } from "../views/share/share";

export function shareButton(explorer: Explorer, app: HTMLElement): HTMLElement {
  return mountShare(document.body, explorer, Boolean(app.dataset.person));
}
