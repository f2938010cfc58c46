/** What stands where heads will be, while there are none. */
import { say } from "../../language/say";
import { isUnderWay } from "../../state/training";
import type { TrainingPage } from "../../state/training_page";

export function waitingWords({ training }: TrainingPage): string {
  return isUnderWay(training.value)
    ? say("Heads appear here with the first step.")
    : say("This training ended before its heads were looked at.");
}
