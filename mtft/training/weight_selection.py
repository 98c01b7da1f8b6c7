"""Choose the encoder weights that train: by their scores on the training data, or by a mask file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mtft.config.schema import SelectConfig, TrainConfig
from mtft.data.sampling import epoch_batches
from mtft.errors import CheckpointError, ConfigError, MtftError, setting
from mtft.model.flat import FlatParameters
from mtft.plugin.context import Context, Progress
from mtft.selection.budget import top_groups, top_k, top_k_per_tensor
from mtft.selection.mask import Mask, load_mask
from mtft.selection.scorers import Rows, Scorer, Scoring, checked
from mtft.training.count import count_selected
from mtft.training.diagnosis import first_entry, not_finite_outputs
from mtft.training.preparation import Prepared
from mtft.training.session import Session

Selecting = SelectConfig | TrainConfig
Selection = Session[SelectConfig] | Session[TrainConfig]
STAGE = "select"


def given_mask(path: Path, prepared: Prepared, context: Context) -> Mask:
    """Read a mask file; it must have been made for these base weights."""
    mask = load_mask(path, total=len(prepared.encoder))
    if mask.base_digest != prepared.digest:
        raise CheckpointError(
            f"{path} was made for base weights with digest {mask.base_digest[:12]}..., "
            f"not for these with {prepared.digest[:12]}...",
            setting="mask",
        )
    context.notify(
        "info",
        f"mask: {len(mask.indices):,} of {mask.total:,} encoder weights, selected by {mask.method.get('score')} "
        f"with keep {mask.method.get('keep')}; this run's own selection settings are not used",
    )
    return mask


def method_of(config: Selecting) -> dict[str, str]:
    """Return the settings of the selection that a mask records."""
    return {
        "score": config.score,
        "keep": str(config.keep),
        "scope": config.scope,
        "granularity": config.granularity,
        "combine": config.combine,
        "batches": str(config.batches or "all"),
        "tasks": ",".join(config.tasks),
        "seed": str(config.seed),
    }


def select_weights(session: Selection) -> Mask:
    """Select the encoder weights that will train, all of them when `keep` is 1; continue from the run's state."""
    config, prepared, context = session.config, session.prepared, session.context
    flat = prepared.encoder
    if config.scope == "tensor" and config.granularity != "element":
        raise ConfigError(
            f"{setting('scope', 'tensor')} ranks single weights, not a {config.granularity}; leave one of the two out"
        )
    count = count_selected(config.keep, len(flat))
    if config.score == "bitfit":
        context.notify("info", f"selecting the encoder's biases; {setting('keep')} is not used")
        indices = score_weights(session).nonzero().squeeze(-1).cpu()
    elif count == len(flat):
        indices = torch.arange(count)
    else:
        context.notify("info", f"selecting {config.keep:%} of {len(flat):,} encoder weights by {config.score}")
        scores = score_weights(session)
        if not bool(scores.isfinite().all()):
            culprit = _culprit(prepared, config, scores)
            raise MtftError(f"the score {config.score!r} is not finite for every weight: {culprit}")
        indices = _top(scores, flat, config, count)
    method = {**method_of(config), "sources": ",".join(source.name for source in prepared.sources)}
    return Mask(indices=indices, total=len(flat), base_digest=prepared.digest, method=method)


def score_weights(session: Selection) -> Tensor:
    """Return the scores [P] of the encoder's weights."""
    config, prepared, context = session.config, session.prepared, session.context
    batches = _batches(config, prepared)
    checkpoints = ScoreCheckpoints(session, batches)
    scoring = Scoring(
        prepared.model,
        prepared.encoder,
        prepared.sources,
        batches,
        combination=config.combine,
        budget=config.micro_batch_tokens,
        seed=config.seed,
        dropout=config.selection_dropout,
        progress=checkpoints.progress,
        group=session.group,
        checkpoints=checkpoints,
    )
    return checked(config.score, context.registry.load("score", config.score), scoring)


class ScoreCheckpoints:
    """Shows the progress of the scoring, and saves its state when that is due."""

    def __init__(self, session: Selection, batches: Sequence[Rows]) -> None:
        self.session = session
        rows = sum(len(rows) for batch in batches for rows in batch.values())
        self.total = -(-rows // session.group.size)
        self.examples = self.tokens = self.steps = 0

    def restore(self, scorer: Scorer) -> None:
        """Restore the scorer from the run's state, if it has one."""
        if found := self.session.load_state(STAGE):
            tensors, position = found
            self.examples, self.tokens = position["examples"], position["tokens"]
            scorer.load_state_dict(tensors, position["position"])

    def progress(self, examples: int, tokens: int) -> None:
        """Show progress; several processes, which can only save together, stop at once if requested."""
        self.session.autosaver.end_if_asked()
        self.examples, self.tokens = self.examples + examples, self.tokens + tokens
        at = Progress(self.examples, self.total, 0, {}, self.tokens, unit="example", phase="select")
        self.session.context.progress(at)

    def after_step(self, scorer: Scorer) -> None:
        """Save the state of the scorer if that is due."""
        self.steps += 1
        self.session.autosaver.after_step(self.steps, lambda: self._save(scorer))

    def _save(self, scorer: Scorer) -> None:
        position = {"position": list(scorer.position), "examples": self.examples, "tokens": self.tokens}
        self.session.save_state(STAGE, scorer.state_dict(), position)
        self.session.run.log_time(scored=self.examples)


def _batches(config: Selecting, prepared: Prepared) -> Sequence[Rows]:
    """Return the rows that the score reads, in batches."""
    return epoch_batches(prepared.sizes, config.batch_size, config.seed, epoch=0)[: config.batches]


def _culprit(prepared: Prepared, config: Selecting, scores: Tensor) -> str:
    """Name the first task with a loss that is not finite, with examples and layer; else the first such weights."""
    batches = _batches(config, prepared)
    for task in prepared.tasks:
        mine = [source for source in prepared.sources if source.task == task.name]
        for rows in batches:
            present = [source for source in mine if source.name in rows]
            found = not_finite_outputs(prepared.model, present, rows, config.micro_batch_tokens)
            if found[0].startswith("examples"):
                return f"task {task.name!r}: {'; '.join(found)}"
    return "; ".join(first_entry(prepared.encoder, None, scores, ~scores.isfinite(), "score"))


def _top(scores: Tensor, flat: FlatParameters, config: Selecting, count: int) -> Tensor:
    """Return the indices of the highest scores: of weights (over the encoder or per tensor), rows, or tensors."""
    try:
        if config.granularity != "element":
            return top_groups(scores, group_sizes(flat, config.granularity), count)
        if config.scope == "global":
            return top_k(scores, count)
        return top_k_per_tensor(scores, flat.sizes, config.keep)
    except ValueError as error:
        raise ConfigError(str(error), setting="keep") from None


def group_sizes(flat: FlatParameters, granularity: str) -> list[int]:
    """Return the sizes of the groups in the flat vector: tensors, or rows of matrices and entries of vectors."""
    if granularity == "tensor":
        return flat.sizes
    return [shape[1:].numel() for shape in flat.shapes for _ in range(shape[0] if shape else 1)]
