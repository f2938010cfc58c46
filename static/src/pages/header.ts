/** What stands above every page but the explorer, which has tools of its own: the way to all pages, the account. */
import { element } from "../dom/element";
import type { Store } from "../state/store";
import type { Theme } from "../state/theme";
import { accountLink, languageMenu, pageLinks, themeButton } from "./tools";

/** `current` is the address of the page that is open; `tools` stand before those that every page has. */
export function siteHeader(app: HTMLElement, theme: Store<Theme>, current: string, ...tools: HTMLElement[]): HTMLElement {
  return element(
    "header",
    { class: "top" },
    element("a", { class: "brand", href: "/" }, element("span", { class: "lamp", "aria-hidden": "true" }), "Headlight"),
    pageLinks(app, current),
    element("span", { class: "spring" }),
    element("div", { class: "tools" }, ...tools, languageMenu(app.dataset.languages ?? "") ?? false, accountLink(app) ?? false, themeButton(theme)),
  );
}
