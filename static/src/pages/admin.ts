/** Django's admin in our look; the fleet's page asks again while somebody looks at it. */
import "../css/admin.css";

const ASK_AGAIN_MS = 1_500;

async function keepFresh(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    if (document.hidden) continue;
    const shown = document.getElementById("fleet");
    if (!shown || isBeingFilledIn(shown)) continue;
    try {
      const answer = await fetch(window.location.href, { headers: { accept: "text/html" } });
      // Whoever was signed out meanwhile is shown the way in.
      if (answer.redirected) return window.location.reload();
      if (!answer.ok) continue;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("fleet");
      if (fresh && !isBeingFilledIn(shown)) replace(shown, fresh);
    } catch (error) {
      // The site is restarting: what stands here stays, and the next time tells.
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** A choice that is open, or a password half typed, is not taken away. */
function isBeingFilledIn(shown: HTMLElement): boolean {
  const active = document.activeElement;
  return shown.contains(active) && (active instanceof HTMLInputElement || active instanceof HTMLSelectElement);
}

function replace(shown: HTMLElement, fresh: HTMLElement): void {
  const focused = shown.contains(document.activeElement) ? document.activeElement?.id : "";
  const scrolled = [...shown.querySelectorAll(".fleet-table")].map((table) => table.scrollLeft);
  shown.replaceWith(fresh);
  fresh.querySelectorAll(".fleet-table").forEach((table, place) => {
    table.scrollLeft = scrolled[place] ?? 0;
  });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

if (document.getElementById("fleet")) void keepFresh();
