/** What a training takes of its machine: how exactly it multiplies, what it keeps, whether it compiles first. */
import { element } from "../../dom/element";
import { say } from "../../language/say";
import type { TrainingForm } from "../../state/training_form";
import { checkField, choiceField } from "./fields";

export function machineFields(form: TrainingForm): HTMLElement {
  return element(
    "fieldset",
    {},
    element("legend", {}, say("Memory and speed")),
    choiceField(
      form,
      "precision",
      say("Products in"),
      () => [
        { value: "float32", label: say("float32: exact") },
        { value: "bf16", label: say("bf16: half the memory, where the device has it") },
        { value: "fp16", label: say("fp16: with a scale that holds small gradients up") },
      ],
      () => form.plan.value.precision,
      (precision) => form.change({ precision: precision as "float32" | "bf16" | "fp16" }),
    ),
    checkField(form, "recompute", say("Compute activations again instead of keeping them: much less memory, a third more time.")),
    checkField(form, "compile", say("Compile feed-forward layers first: a minute more at the start, faster steps on a GPU.")),
  );
}
