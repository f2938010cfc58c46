/** The library: bring a model, see it become ready, read a text with it. */
import "../css/index.css";
import "../css/library.css";
import { element } from "../dom/element";
import { forgetColours } from "../dom/ink";
import { mountTooltip } from "../dom/tooltip";
import { say } from "../language/say";
import { LibraryPage } from "../state/library_page";
import { openTheme } from "../state/theme";
import { mountArrivals } from "../views/library/arrivals";
import { mountBring } from "../views/library/bring";
import { mountCards } from "../views/library/cards";
import { accountLink } from "./people";
import { languageMenu, pageLinks, themeButton } from "./tools";

function openPage(app: HTMLElement): void {
  const theme = openTheme(window);
  theme.subscribe(forgetColours);
  const page = new LibraryPage(window);
  const bring = element("section", { class: "library-bring", "aria-label": say("Bring a model") });
  const arrivals = element("section", { class: "library-arrivals", hidden: true });
  const cards = element("section", { class: "library-models", "aria-label": say("Models") });
  const brand = element("a", { class: "brand", href: "/" }, element("span", { class: "lamp", "aria-hidden": "true" }), "Headlight");
  app.classList.add("library-app");
  app.replaceChildren(
    element(
      "header",
      { class: "top" },
      brand,
      pageLinks("/library"),
      element("span", { class: "spring" }),
      element("div", { class: "tools" }, languageMenu(app.dataset.languages ?? "") ?? false, accountLink(app) ?? false, themeButton(theme)),
    ),
    element("main", { class: "library" }, element("h1", {}, say("The library")), bring, arrivals, cards),
  );
  document.title = `${say("Library")} · Headlight`;
  mountTooltip(document.body);
  mountBring(bring, page);
  mountArrivals(arrivals, page);
  mountCards(cards, page);
  page.start();
}

const app = document.getElementById("app");
if (app) openPage(app);
