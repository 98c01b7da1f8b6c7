"""``mtft train``: select, then train all tasks together, keeping the best epoch on dev."""

from __future__ import annotations

from pathlib import Path

from mtft.commands.select import choose
from mtft.config.load import load
from mtft.config.schema import TrainConfig
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half
from mtft.errors import CheckpointError, ConfigError, command, unknown
from mtft.io.directories import clear_lock
from mtft.io.disk import check_room
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.directory import RunDirectory, free_path, is_finished, keep_apart, read_summary, refuse_foreign
from mtft.runs.fingerprints import PRETRAINED, fingerprints
from mtft.runs.resume import check_material, check_settings, settings_file
from mtft.runs.state import scores_of
from mtft.runs.tracking import start_trackers
from mtft.runtime import processes
from mtft.runtime.distributed import Group
from mtft.runtime.memory import release
from mtft.selection.mask import Mask, load_mask, save_mask
from mtft.training.agreement import check_same_across_ranks
from mtft.training.autosave import Autosaver
from mtft.training.count import count_run
from mtft.training.early_stopping import Best
from mtft.training.head_warmup import start_heads
from mtft.training.loading import Loader, data_directory
from mtft.training.preparation import Prepared, chosen_parts, prepare
from mtft.training.resources import ModelSize, check_machine, count, disk_needed, fit
from mtft.training.teachers import add_teachers, check_teachers, teacher_outputs_complete
from mtft.training.trainer import Training, TrainResult

MASK = "mask.safetensors"


def train(config: TrainConfig, context: Context, resume: Path | None = None) -> TrainResult:
    """Train as configured and write the run directory; go on with the run at `resume` as if it had never stopped."""
    group = context.group
    path = resume or group.path(lambda: _new_path(config))
    going_on = resume is not None or (
        processes.restarts() > 0 and group.any(group.first and (path / "config.toml").is_file())
    )
    if going_on and resume is None and config.max_memory:
        config = _fitted(config, path, group)
    if going_on:
        if group.first:
            check_settings(path, "train", config, context)
        if group.any(group.first and _is_finished(path, config)):
            if group.first:
                clear_lock(path)
            context.notify("info", f"{path} has finished: nothing is left to do")
            return finished(path)
    if group.first:
        check_room(path)
    best = checked_best(config, context)
    teachers: tuple[ModelSize, ...] = ()
    if not (going_on and group.any(group.first and teacher_outputs_complete(path))):
        for name in config.teachers:
            keep_apart(path, Path(name), "the run that teaches")
        teachers = check_teachers(config, [context.registry.task(name) for name in config.tasks], context)
    prepared = prepare(config, context)
    dev = dev_sets(config, prepared, context)
    own = group.any(group.first and (path / MASK).is_file()) and going_on
    given = given_mask(config.mask, prepared, context) if config.mask and not own else None
    counts = count(config, prepared, given)  # an impossible share is told before anything is replaced
    check_same_across_ranks(config, prepared, group, dev)
    config, run = _open(path, config, context, prepared, dev, counts, teachers, going_on=going_on)
    if run.writes:
        run.followers.append(start_trackers(config.trackers, context, path, "train", config, resumed=going_on))
    autosaver = Autosaver(
        config.checkpoint_every, config.max_time, f"go on with {command('train', resume=path)}", group
    )
    with run, autosaver.watching():
        if config.head_epochs:
            start_heads(prepared, config, context, run, autosaver)
        if own:
            mask = _own_mask(prepared, context.group, run)
            run.seal(MASK)
        else:
            mask = given or choose(prepared, config, context, run, autosaver)
            if run.writes:
                save_mask(run.path / MASK, mask)
                run.seal(MASK)
                run.log_time(selected=len(mask.indices))
        release()
        prepared.sources = add_teachers(prepared, config, context, run, autosaver)
        trained = TrainedModel(
            prepared.model, prepared.encoder, mask, prepared.tasks, prepared.tokenizer, prepared.max_length,
            config.model,
        )  # fmt: skip
        return Training(config, context, run, trained, prepared, dev, best, autosaver).run_to_end()


def checked_best(config: TrainConfig, context: Context) -> Best:
    """Return what chooses the epoch; ConfigError if that or a weight is of a task or metric that this run lacks."""
    best = Best(config.best, config.patience)
    best.check(tuple(context.registry.task(name) for name in config.tasks))
    for name in config.task_weights:
        if name not in config.tasks:
            raise ConfigError(unknown("task of this run", name, config.tasks), setting="task_weights")
    return best


def _open(
    path: Path,
    config: TrainConfig,
    context: Context,
    prepared: Prepared,
    dev: dict[str, Dataset],
    counts: ParameterCount,
    teachers: tuple[ModelSize, ...],
    *,
    going_on: bool,
) -> tuple[TrainConfig, RunDirectory]:
    """Make the run's directory, or open it again, if disk and memory suffice; return settings that fit them, and it."""
    group = context.group
    needed, made_of = disk_needed(config, counts), fingerprints({PRETRAINED: prepared.digest}, prepared.sources, dev)
    if going_on:
        if group.first:
            check_material(path, made_of)
            check_room(path, needed.files(going_on=True))
        run = RunDirectory.reopen(path, config, writes=group.first)
    else:
        config, memory = fit(config, prepared, dev, counts, teachers)
        smallest = min(map(int, group.texts(str(config.micro_batch_tokens))))
        config = config.model_copy(update={"micro_batch_tokens": smallest})
        if group.first:
            check_machine(path, needed, memory, context.notify)
        needs = context.provenance.requirements([*chosen_parts(config), f"encoder {prepared.model.encoder.family}"])
        facts = {"plugins": needs, "material": made_of}
        run = RunDirectory.create(
            path, config, "train", data_directory(config), facts, overwrite=config.overwrite, writes=group.first
        )
    return config, run


def _new_path(config: TrainConfig) -> Path:
    """Return where a new run goes; the run of a process that ``torchrun`` started anew is there already."""
    if config.out is None and processes.may_restart():
        raise ConfigError(
            "give it with torchrun --max-restarts, so that processes started anew find the run", setting="out"
        )
    if processes.restarts() and config.out and (config.out / "config.toml").is_file():
        return config.out
    path = free_path(config.out, f"runs/{'-'.join(config.tasks)}", overwrite=config.overwrite)
    refuse_foreign(path)
    return path


def _fitted(config: TrainConfig, path: Path, group: Group) -> TrainConfig:
    """Return the settings with the micro-batches that `max_memory` led to before the processes were started anew."""
    found = load(TrainConfig, file=settings_file(path)).config.micro_batch_tokens if group.first else 0
    return config.model_copy(update={"micro_batch_tokens": int(group.texts(str(found))[0])})


def _own_mask(prepared: Prepared, group: Group, run: RunDirectory) -> Mask:
    """Return the mask that the run has, in all processes."""
    found = load_mask(run.path / MASK, total=len(prepared.encoder)) if run.writes else None
    facts = [found.total, found.base_digest, dict(found.method)] if found else None
    tensors, (total, digest, method) = group.of_first({"indices": found.indices} if found else {}, facts)
    return Mask(tensors["indices"], total, digest, method)


def _is_finished(path: Path, config: TrainConfig) -> bool:
    """Tell whether a run has nothing left to do with these settings."""
    before = load(TrainConfig, file=settings_file(path)).config
    same = all(getattr(before, name) == getattr(config, name) for name in ("epochs", "max_steps", "patience"))
    return same and is_finished(path)


def finished(path: Path) -> TrainResult:
    """Return what a finished run came to."""
    summary = read_summary(path)
    return TrainResult(
        path, summary["epochs"], summary["best_epoch"], scores_of(summary["dev"]), count_run(path), summary["conflicts"]
    )


def dev_sets(config: TrainConfig, prepared: Prepared, context: Context) -> dict[str, Dataset]:
    """Tokenize the dev split of every task; each must have rows to choose by."""
    loader = Loader.of(config, data_directory(config), prepared.tokenizer, prepared.max_length, context.notify)
    found = loader.load_tasks(prepared.tasks, "dev")
    for name, data in found.items():
        in_half(data.keys, config.choosing, name)
    return found


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
