/** Wheel, drag, pinch, double click and keys on the map, told as zooms, pans and presses. */
export interface Gestures {
  /** At a point of the host, in CSS pixels. */
  zoom(factor: number, x: number, y: number): void;
  pan(dx: number, dy: number): void;
  fit(): void;
  hover(event: PointerEvent | null): void;
  press(event: PointerEvent): void;
}

const WHEEL_STEP = 0.0016;
const LINE_PX = 16;
const DRAG_PX = 4;

export function listenToGestures(host: HTMLElement, gestures: Gestures): void {
  const fingers = new Map<number, { x: number; y: number }>();
  let travelled = 0;

  host.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const delta = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
      // A pinch on a touch pad arrives as a wheel with ctrl, in smaller steps.
      gestures.zoom(Math.exp(-delta * WHEEL_STEP * (event.ctrlKey ? 6 : 1)), ...pointOf(event));
    },
    { passive: false },
  );
  host.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    host.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 1) travelled = 0;
  });
  host.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return gestures.hover(event);
    const now = { x: event.clientX, y: event.clientY };
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    travelled += Math.hypot(dx, dy);
    if (fingers.size === 2) pinch(event.pointerId, before, now);
    else if (travelled > DRAG_PX) {
      host.classList.add("dragging");
      gestures.pan(dx, dy);
    }
    fingers.set(event.pointerId, now);
  });
  for (const type of ["pointerup", "pointercancel"] as const) {
    host.addEventListener(type, (event) => {
      if (!fingers.delete(event.pointerId)) return;
      host.classList.remove("dragging");
      if (type === "pointerup" && travelled <= DRAG_PX && fingers.size === 0) gestures.press(event);
    });
  }
  host.addEventListener("pointerleave", () => gestures.hover(null));
  host.addEventListener("dblclick", () => gestures.fit());

  function pinch(id: number, before: { x: number; y: number }, now: { x: number; y: number }): void {
    const other = [...fingers].find(([finger]) => finger !== id)?.[1];
    if (!other) return;
    const factor =
      Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    const box = host.getBoundingClientRect();
    gestures.zoom(factor, (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top);
    gestures.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  function pointOf(event: MouseEvent): [number, number] {
    const box = host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}
