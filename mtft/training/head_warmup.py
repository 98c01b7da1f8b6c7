"""Head epochs: heads train on the frozen encoder before its weights are scored and trained.

The gradient of a fresh head says little about the task and distorts the pretrained weights (Kumar et al. 2022,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

from torch import Tensor

from mtft.config.schema import TrainConfig
from mtft.training.preparation import build_stepper
from mtft.training.resources import plan_heads
from mtft.training.session import Session
from mtft.training.trainer import Hooks, Trainer

FILE, STAGE = "heads.safetensors", "head warm-up"


def start_heads(session: Session[TrainConfig]) -> None:
    """Train the heads alone for `head_epochs`, without the encoder's dropout, or take them from the run's file."""
    if not session.config.head_epochs:
        return
    kept = session.artifact(FILE)
    found = kept.read()
    if not found:
        found = HeadWarmup(session).run()
        kept.write(found)
    else:
        session.run.seal(FILE)
    for task, head in session.prepared.model.heads.items():
        head.load_state_dict({key: found[f"{task}.{key}"] for key in head.state_dict()})
    session.run.drop_state(STAGE)


class HeadWarmup(Hooks):
    """The training of all heads on the frozen encoder."""

    def __init__(self, session: Session[TrainConfig]) -> None:
        self.session, plan = session, plan_heads(session.config)
        config = session.config.model_copy(update={"seed": plan.seed})
        stepper = build_stepper(session.prepared, config, session.context, None)
        self.trainer = Trainer(stepper, plan, session, self, STAGE)

    def run(self) -> dict[str, Tensor]:
        """Train, starting from the run's state if there is one; return the tensors of all heads."""
        trainer, prepared = self.trainer, self.session.prepared
        if former := self.session.load_state(STAGE):
            tensors, position = former
            trainer.stepper.restore(tensors)
            trainer.restore(position)
        left = trainer.total - trainer.steps
        self.session.context.notify("info", f"heads alone, on the frozen encoder: {left:,} steps")
        trainer.run()
        prepared.encoder.thaw()
        heads = prepared.model.heads
        return {f"{task}.{key}": tensor for task in heads for key, tensor in heads[task].state_dict().items()}

    def save(self) -> None:
        self.session.save_state(STAGE, self.trainer.stepper.state(), self.trainer.counts())
