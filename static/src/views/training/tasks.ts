/** What is learned: the tasks in their groups, and a sentence about the one that is chosen. */
import { element, setText } from "../../dom/element";
import { say } from "../../language/say";
import type { TrainingForm } from "../../state/training_form";
import type { AssignmentName } from "../../state/training_plan";
import { TASK_GROUPS, TASKS } from "../../state/training_tasks";

export function mountTasks(form: TrainingForm): HTMLElement {
  const meaning = element("p", { class: "plan-meaning", id: "task-meaning" });
  const groups = TASK_GROUPS.map(({ title, meaning: whose, tasks }, place) => {
    const id = `task-group-${place}`;
    const choices = tasks.map((task) => {
      const input = element("input", { type: "radio", name: "assignment", value: task.name, "aria-describedby": "task-meaning" });
      return element("label", { class: "plan-task", title: task.meaning }, input, element("span", {}, task.title));
    });
    return element(
      "div",
      { class: "plan-group", role: "group", "aria-labelledby": id },
      element("p", { class: "plan-group-head" }, element("span", { id }, title), element("span", { class: "aside" }, whose)),
      element("div", { class: "plan-tasks" }, ...choices),
    );
  });
  const root = element("fieldset", {}, element("legend", {}, say("What is learned")), ...groups, meaning);
  root.addEventListener("change", (event) => form.choose((event.target as HTMLInputElement).value as AssignmentName));
  const show = () => {
    const { assignment } = form.plan.value;
    for (const input of root.querySelectorAll<HTMLInputElement>('[name="assignment"]')) input.checked = input.value === assignment;
    setText(meaning, TASKS.find(({ name }) => name === assignment)?.meaning ?? "");
  };
  form.plan.subscribe(show);
  show();
  return root;
}
