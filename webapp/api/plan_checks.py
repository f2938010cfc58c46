"""What a plan must not ask for, told by its field before a worker sees it; `modelcore.training.plan` says why."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings

from webapp.accounts.models import Person
from webapp.api.errors import ApiError
from webapp.checkpoints.access import find_usable
from webapp.checkpoints.models import Checkpoint
from workers.protocol import archives

OF_A_TEXT = ("text", "masked", "spans", "pairs")
CUT_BY_CHOICE = (*OF_A_TEXT, "catalogs", "words")
PAIRED = ("dates", "numbers", "spans", "pairs", "catalogs", "words")
OF_PICTURES = ("digits", "images")
PLAIN_ARCHITECTURE = {"key_width": None, "positions": None, "norm_order": None, "score": "scaled_dot"}
LEANING = ("copy", "reverse", "sort", "induction", "brackets", "repeats", "text")
STARTED = {
    **dict.fromkeys(PAIRED, ("encoder-decoder", "turn a source into a target")),
    **dict.fromkeys(OF_PICTURES, ("vision", "read pictures")),
    "masked": ("encoder", "guess hidden words"),
    "text": ("decoder", "go on with a text"),
}
"""Which models can be fine-tuned on a task: their architecture, and what they do."""


def checked_plan(plan: dict[str, Any], person: Person | None, *, asks_for_material: bool = True) -> dict[str, Any]:
    """The plan, with the sizes of the model that it starts from, if any. Raises: ApiError.

    Models are those that this person may see. Text and pictures may be missing where they are not asked for.
    """
    assignment = plan["assignment"]
    learns_text, text = assignment in OF_A_TEXT, plan["text"]
    if (text is not None and not learns_text) or (asks_for_material and learns_text and not (text or "").strip()):
        _refuse("text", "text, masked, spans and pairs learn a text of yours: give one. The others learn without.")
    learns_pictures, pictures = assignment == "images", plan["pictures"]
    if (pictures is not None and not learns_pictures) or (asks_for_material and learns_pictures and pictures is None):
        _refuse("pictures", "images learns a zip of yours: give one. The others learn without.")
    if plan["pictures"] is not None and not _is_stored(plan["pictures"]):
        _refuse("pictures", "No zip with this id is stored. Send it to /api/v1/archives first.")
    if assignment not in CUT_BY_CHOICE:
        for field in ("tokenizer", "tokenizer_from"):
            if plan[field] not in ("bpe", None):
                _refuse(field, f"This task has a tokenizer of its own; {', '.join(CUT_BY_CHOICE)} let you choose.")
    if plan["leaning"] and (assignment not in LEANING or plan["start"] is not None):
        _refuse("leaning", "Heads can lean at first where a decoder learns lines or a text anew; set it to false.")
    if plan["batch_tokens"] and assignment not in PAIRED:
        _refuse("batch_tokens", "Batches are counted in tokens where pairs are learned; set it to 0.")
    if plan["tokenizer_from"] is not None:
        if plan["start"] is not None:
            _refuse("tokenizer_from", "A model that is fine-tuned keeps its own tokenizer; choose none.")
        if not _model(plan["tokenizer_from"], "tokenizer_from", person).manifest.get("has_tokenizer"):
            _refuse("tokenizer_from", "This model came without a tokenizer; choose another.")
    if plan["start"] is not None:
        for field, plain in PLAIN_ARCHITECTURE.items():
            if plan[field] != plain:
                _refuse(field, f"A model that is fine-tuned keeps its own {field}; leave it out.")
        return plan | _sizes_of_start(plan, person)
    if plan["width"] % plan["heads"]:
        _refuse("heads", f"{plan['heads']} heads do not divide a width of {plan['width']}.")
    return plan


def _sizes_of_start(plan: dict[str, Any], person: Person | None) -> dict[str, Any]:
    assignment = plan["assignment"]
    if assignment not in STARTED:
        _refuse("start", f"{assignment} is learned from nothing. Fine-tune on {', '.join(STARTED)}.")
    manifest = _model(plan["start"], "start", person).manifest
    architecture, does = STARTED[assignment]
    if manifest["architecture"] != architecture:
        _refuse("start", f"{assignment} is learned by models that {does}. Choose another model, or another task.")
    if assignment not in OF_PICTURES and (manifest["output"] != "vocabulary" or not manifest.get("has_tokenizer")):
        _refuse("start", "This model says no words, or came without a tokenizer; choose another.")
    if assignment not in (*OF_PICTURES, "dates", "numbers") and plan["length"] > manifest["longest"]:
        _refuse("length", f"This model reads at most {manifest['longest']:,} tokens; set length to fewer.")
    return {name: manifest[name] for name in ("layers", "heads", "width", "vocabulary")}


def _model(id_: str, field: str, person: Person | None) -> Checkpoint:
    checkpoint = find_usable(id_, person)
    if checkpoint is None:
        _refuse(field, f"There is no model {id_!r}. GET /api/v1/models lists those that there are.")
    if checkpoint.is_missing:
        _refuse(field, f"The files of {checkpoint.name} are gone; choose another model.")
    return checkpoint


def _is_stored(archive: str) -> bool:
    try:
        return archives.place(settings.DATA, archive).is_file()
    except ValueError:
        return False


def _refuse(field: str, message: str) -> NoReturn:
    raise ApiError(422, "plan_refused", message, field=field)
