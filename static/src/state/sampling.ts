/** How the next token is chosen, before anybody says otherwise. */
import type { Choices } from "../wire/http";

/** The likeliest token each time. */
export const GREEDY: Choices = {
  max_tokens: 64,
  temperature: null,
  top_k: null,
  top_p: null,
  min_p: null,
  repetition_penalty: 1,
  seed: null,
  stop_strings: [],
  beams: null,
  length_penalty: null,
};
