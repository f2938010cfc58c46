/** Names of tokens on a canvas: cut until they fit, each in the direction of its own script. */
import { directionOf, shorten } from "../language/letters";

interface FittedText {
  text: string;
  direction: "ltr" | "rtl";
  width: number;
}

const fitted = new Map<string, FittedText>();
const MOST_FITTED = 10_000;

/** Writes a name into a room of so many pixels, and gives the width that it took. All names share one font. */
export function writeToken(context: CanvasRenderingContext2D, text: string, room: number, x: number, y: number): number {
  const name = fit(context, text, room);
  // Setting a direction makes the canvas look its font up again, even an equal one.
  if (context.direction !== name.direction) context.direction = name.direction;
  context.fillText(name.text, x, y);
  return name.width;
}

/** Cost: measuring a text and finding its direction is slow, so each answer is kept. */
function fit(context: CanvasRenderingContext2D, text: string, room: number): FittedText {
  const key = `${Math.floor(room)} ${text}`;
  const known = fitted.get(key);
  if (known) return known;
  if (fitted.size > MOST_FITTED) fitted.clear();
  let cut = text;
  let width = context.measureText(cut).width;
  for (let length = text.length; length > 1 && width > room; length--) {
    cut = shorten(text, length);
    width = context.measureText(cut).width;
  }
  const answer = { text: cut, direction: directionOf(text), width };
  fitted.set(key, answer);
  return answer;
}
