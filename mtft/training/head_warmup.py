"""Head epochs: heads learn on the frozen encoder before its weights are scored and trained.

A fresh head's gradient says little of the task, and pulls the pretrained weights about (Kumar et al. 2022, "Fine-Tuning
can Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

from torch import Tensor

from mtft.config.schema import TrainConfig
from mtft.errors import MtftError, setting
from mtft.io.directories import remove_directory
from mtft.plugin.context import Context, Progress
from mtft.runs.artifact import RunArtifact
from mtft.runs.directory import RunDirectory
from mtft.runs.fingerprints import settings_digest
from mtft.runs.resume import check_position
from mtft.runs.state import load_state, save_state, stage
from mtft.training.autosave import Autosaver
from mtft.training.loop import EpochDone, StepSkipped
from mtft.training.loop import train as loop
from mtft.training.preparation import Prepared, build_stepper
from mtft.training.resources import heads_alone, make_plan
from mtft.training.tally import Tally

FILE, STAGE = "heads.safetensors", "heads"


def start_heads(
    prepared: Prepared, config: TrainConfig, context: Context, run: RunDirectory, autosaver: Autosaver
) -> None:
    """Train the heads alone for `head_epochs`, without the encoder's dropout, or take them from the run's file."""
    kept = RunArtifact(run, context.group, FILE)
    found = kept.read()
    if not found:
        found = _trained(prepared, config, context, run, autosaver)
    kept.write(found)
    for task, head in prepared.model.heads.items():
        head.load_state_dict({key: found[f"{task}.{key}"] for key in head.state_dict()})
    if run.writes and stage(run.state) == STAGE:
        remove_directory(run.state)


def _trained(
    prepared: Prepared, config: TrainConfig, context: Context, run: RunDirectory, autosaver: Autosaver
) -> dict[str, Tensor]:
    """Train all heads together, going on from the run's state; return their tensors."""
    training = build_stepper(prepared, config, context, None)
    plan = make_plan(heads_alone(config))
    total = plan.steps({source.name: len(source) for source in prepared.sources})
    epochs, steps, bad, tally = 0, 0, 0, Tally()
    former = load_state(run.state) if run.writes else None
    if context.group.any(former is not None):
        tensors, position = context.group.of_first(*(former or ({}, None)))
        check_position(run.path, position, config)
        training.restore(tensors)
        epochs, steps, bad = position["epochs"], position["steps"], position["bad"]

    def save() -> None:
        position = {"stage": STAGE, "epochs": epochs, "steps": steps, "bad": bad}
        if run.writes:
            save_state(run.state, training.state(), {**position, "settings": settings_digest(config)})

    context.notify("info", f"heads alone, on the frozen encoder: {total - steps:,} steps")
    for event in loop(training, plan, epochs, steps):
        if isinstance(event, EpochDone):
            epochs = event.epoch
            continue
        steps = event.number
        if isinstance(event, StepSkipped):
            bad += 1
            if bad > config.max_bad_steps:
                raise MtftError(
                    f"{event.error}; {setting('max_bad_steps')} allows {config.max_bad_steps}; {autosaver.hint}"
                )
            context.notify("warning", str(event.error))
        else:
            tally.add(event.result)
            context.progress(Progress(steps, total, event.epoch, tally.losses(), tally.tokens))
        autosaver.after_step(steps, save)
    prepared.encoder.thaw()
    heads = prepared.model.heads
    return {f"{task}.{key}": tensor for task in heads for key, tensor in heads[task].state_dict().items()}
