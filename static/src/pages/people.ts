/** What stands at the top right for people: sharing a view, one's own runs, one's account. */
import { element } from "../dom/element";
import { say } from "../language/say";
import type { Explorer } from "../state/explorer";
import { mountShare } from "../views/share/share";

export function shareButton(explorer: Explorer, app: HTMLElement): HTMLElement {
  return mountShare(document.body, explorer, Boolean(app.dataset.person));
}

export function runsLink(): HTMLElement {
  return element("a", { class: "quiet", href: "/runs", title: say("Runs that were made here, to find again") }, say("Runs"));
}

/** null where nobody can sign in. */
export function accountLink(app: HTMLElement): HTMLElement | null {
  const { person, signIn } = app.dataset;
  if (person) return element("a", { class: "quiet account-link", href: "/account", title: person }, say("Account"));
  if (signIn === "off" || !signIn) return null;
  const back = encodeURIComponent(window.location.pathname + window.location.search);
  return element("a", { class: "quiet account-link", href: `/accounts/login/?next=${back}` }, say("Sign in"));
}
