// Forms and buttons: one thing at a time, and what is refused is said at the top of the page.
import { byId, say } from "./elements.js";

/** `act(values)` gets the fields by their names. */
export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    once(form, () => act(Object.fromEntries(new FormData(form))));
  });
}

export function onClick(button, act) {
  button.addEventListener("click", () => once(button, act));
}

async function once(target, act) {
  if (target.ariaBusy) return;
  target.ariaBusy = "true";
  say(byId("notice"), "");
  try {
    await act();
  } catch (error) {
    say(byId("notice"), error.message);
  } finally {
    target.ariaBusy = null;
  }
}
