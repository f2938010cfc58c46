/** What stands above every page but the explorer, which has tools of its own: the way to all pages, to one's account. */
import { element } from "../dom/element";
import { say } from "../language/say";
import type { Store } from "../state/store";
import type { Theme } from "../state/theme";
import { languageMenu, themeButton } from "./tools";

/** `current` is the address of the page that is open; `tools` stand before those that every page has. */
export function siteHeader(app: HTMLElement, theme: Store<Theme>, current: string, ...tools: HTMLElement[]): HTMLElement {
  return element(
    "header",
    { class: "top" },
    element("a", { class: "brand", href: "/" }, element("span", { class: "lamp", "aria-hidden": "true" }), "Headlight"),
    pageLinks(current),
    element("span", { class: "spring" }),
    element("div", { class: "tools" }, ...tools, languageMenu(app.dataset.languages ?? "") ?? false, accountLink(app) ?? false, themeButton(theme)),
  );
}

/** null where nobody can sign in. */
export function accountLink(app: HTMLElement): HTMLElement | null {
  const { person, signIn } = app.dataset;
  if (person) return element("a", { class: "quiet account-link", href: "/account", title: person }, say("Account"));
  if (signIn === "off" || !signIn) return null;
  const back = encodeURIComponent(window.location.pathname + window.location.search);
  return element("a", { class: "quiet account-link", href: `/accounts/login/?next=${back}` }, say("Sign in"));
}

function pageLinks(current: string): HTMLElement {
  const pages = [
    ["/", say("Explore")],
    ["/train", say("Train")],
    ["/library", say("Library")],
    ["/runs", say("Runs")],
  ] as const;
  const links = pages.map(([href, name]) => element("a", { class: "quiet", href, "aria-current": href === current ? "page" : null }, name));
  return element("nav", { "aria-label": say("Pages") }, ...links);
}
