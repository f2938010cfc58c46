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
import { siteHeader } from "./header";

function openPage(app: HTMLElement): void {
  const theme = openTheme(window);
  theme.subscribe(forgetColours);
  const page = new LibraryPage(window);
  const bring = element("section", { class: "library-bring", "aria-label": say("Bring a model") });
  const arrivals = element("section", { class: "library-arrivals", hidden: true });
  const cards = element("section", { class: "library-models", "aria-label": say("Models") });
  app.classList.add("library-app");
  app.replaceChildren(
    siteHeader(app, theme, "/library"),
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
