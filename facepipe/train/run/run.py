"""A training run: a folder with the resolved recipe, the log, checkpoints and finally the model."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from facepipe.datasets.samples.samples import READ_OF_MANY
from facepipe.files import locked
from facepipe.parameters import parameter
from facepipe.tables import counted
from facepipe.train.distributed.ranks import Ranks, join_ranks
from facepipe.train.evaluation.held_out import HeldOutEvaluation
from facepipe.train.heads.centres import set_centres
from facepipe.train.heads.frozen import complete_model
from facepipe.train.loop.checkpoint import TrainingError, load_checkpoint, save_checkpoint
from facepipe.train.loop.collapse import CollapseWatch, last_good
from facepipe.train.loop.interrupt import Interrupt
from facepipe.train.loop.log import Log
from facepipe.train.loop.optimiser import decay_loss
from facepipe.train.loop.progress import RunningLoss, TrainingProgress, notify
from facepipe.train.loop.schedule import rate
from facepipe.train.loop.state import restore_state, room_for_classes, take_state
from facepipe.train.loop.trainer import Evaluation, StepResult
from facepipe.train.recipe.file import save_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.changes import changes_of
from facepipe.train.run.finish import finish
from facepipe.train.run.folder import RECIPE, require_folder
from facepipe.train.run.prepare import Prepared, prepare
from facepipe.train.teacher.first_weights import begin_as_teacher

_AGREE_EVERY = 10
"""Steps between checks whether another rank was asked to stop."""

_REMEDY = "check optimiser.lr, loss.m and whether labels match crops"
_NOTIFY_EVERY = 20.0
"""Minimum seconds between two lines if stderr is not a terminal."""

EvaluationMaker = Callable[[Recipe, torch.device], Evaluation]


class Stopped(TrainingError):  # noqa: N818
    """The run was interrupted and saved; the message says how to resume.

    Attributes:
        exit_code: 128 plus the signal number: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def train(
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    allow: bool = False,
    device: str = "auto",
    evaluation: EvaluationMaker | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train a recipe in the folder ``run``; under torchrun, every process calls this.

    Args:
        recipe: the resolved recipe, which is saved as ``recipe.toml``.
        run: folder for ``log.jsonl``, ``checkpoints/`` and, at the end, ``weights.safetensors``, ``card.toml``,
            ``classes.safetensors`` and ``identities.txt``.
        resume: continue from the last intact checkpoint, if there is one.
        allow: allow a resumed run to change loss, network, batch or data.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        evaluation: creates the function that is called every ``evaluate.every`` steps and at the end with the network
            (its moving average, if there is one), such as ``evaluation.pairs.PairsEvaluation``.
        console: for progress and notes; by default stderr, where notes go through the log ``facepipe`` if the program
            configured one.

    Returns:
        A summary: steps, samples per second, figures of the last evaluation, thresholds, unreadable samples,
        path of the model. Ranks other than the first omit the model.

    Raises:
        Stopped: Ctrl-C, SIGTERM or SIGHUP; the run is saved.
        FacepipeError: a problem with data, recipe, device or disk, or another process trains in the folder.
    """
    recipe = complete_model(recipe)
    with join_ranks(device, recipe.distributed.timeout_minutes) as ranks:
        console = console or Console(stderr=True, quiet=not ranks.first)
        require_folder(recipe, run, resume)
        ranks.barrier()  # before any rank writes to the folder
        with locked(run / RECIPE, partial(_refuse, run)) if ranks.first else nullcontext():
            if ranks.first:
                require_folder(recipe, run, resume)  # another process may have finished meanwhile
            evaluate = evaluation(recipe, ranks.device) if evaluation is not None and ranks.first else None
            return _Run(recipe, run, ranks, evaluate, console).go(resume, allow)


def _comparison_note(contents: str) -> list[str]:
    """A note if only some images were compared with those of the earlier run."""
    if not contents.startswith("some:"):
        return []
    return [f"compared the contents of {READ_OF_MANY} images with those of the earlier run, not of all"]


def _refuse(run: Path, _: str) -> None:
    raise TrainingError(
        f"{run}: another process trains in it; "
        f"wait for it to finish, or choose another {parameter('run', option='out')}"
    )


class _Run:
    """One rank's view of the run."""

    def __init__(
        self, recipe: Recipe, run: Path, ranks: Ranks, evaluation: Evaluation | None, console: Console
    ) -> None:
        self.recipe, self.run, self.ranks = recipe, run, ranks
        self.console = console
        self.ready: Prepared = prepare(recipe, ranks, console)
        self.evaluations = [each for each in (evaluation, self._held_out_evaluation()) if each is not None]
        self.figures: dict[str, float] = {}
        self._last_note = -math.inf
        self.changes: tuple[str, ...] = ()
        self.first_loss = math.nan
        self.watch = CollapseWatch(self.ready.steps_per_epoch)
        self.say(*self.ready.notes)

    def _held_out_evaluation(self) -> Evaluation | None:
        """Evaluation on the held-out identities, if the recipe requests it."""
        held_out, targets = self.ready.held_out, self.ready.targets
        if not self.recipe.evaluate.held_out or held_out is None or not self.ranks.first:
            return None
        held_out_targets = None if targets is None else targets.held_out
        return HeldOutEvaluation(self.recipe, held_out, self.ranks.device, held_out_targets)

    def say(self, *lines: str) -> None:
        """Show lines to the user."""
        for line in lines:
            notify(self.console, line)

    def go(self, resume: bool, allow: bool = False) -> dict[str, Any]:
        """Start or resume the run and finish it."""
        first = self._resume(allow) if resume else self._begin()
        self.ranks.barrier()
        with ExitStack() as stack:
            log = None
            if self.ranks.first:
                log = stack.enter_context(closing(self._log(first)))
            self._say_start(first, log)
            if self.changes and log is not None:
                log.write("resumed", first, changes=list(self.changes))
            speed = self._steps(first, log)
            self._evaluate(self.ready.steps, log)
            summary = self._summary(speed)
            if log is not None:
                log.write("finished", self.ready.steps, **summary)
            return summary

    def _log(self, first: int) -> Log:
        return Log(self.run, self.recipe.loop.tensorboard, first, self.ready.trainer.loss.published)

    def _begin(self) -> int:
        self._save_recipe()
        self._begin_as_teacher()
        set_centres(self.recipe, self.ready, self.say)
        return 0

    def _begin_as_teacher(self) -> None:
        """Not with frozen layers: `on_kept_maps` has already done it."""
        trainer = self.ready.trainer
        if trainer.upper is None:
            begin_as_teacher(self.recipe, trainer.net, self.ready.crops, self.ranks, self.say)
            trainer.restart_average()

    def _resume(self, allow: bool) -> int:
        changed = changes_of(self.recipe, self.run / RECIPE, allow)
        room = room_for_classes(self.ready.trainer)
        found = load_checkpoint(self.run, self.ready.fingerprint, room, self.ranks, self.ready.contents)
        if found is None:
            return self._begin()
        checkpoint, notes = found
        if checkpoint.step > self.ready.steps:
            raise TrainingError(
                f"{self.run}: is already at step {checkpoint.step}, beyond schedule.length = {self.ready.steps} steps"
            )
        self.say(*notes, *_comparison_note(self.ready.contents))
        restore_state(self.ready.trainer, checkpoint)
        self.first_loss = float(checkpoint.values.get("first_loss", math.nan))
        self.changes = (*changed.lines, *changed.rate_line(checkpoint.step, self.ready.steps_per_epoch))
        if changed.lines:
            self.say(f"{self.run}: changed from step {checkpoint.step + 1} on: {'; '.join(self.changes)}")
            history = [*changed.history, *(f"from step {checkpoint.step + 1} on: {line}" for line in changed.lines)]
            self.recipe = self.recipe.model_copy(update={"history": history})
        elif changed.history:
            self.recipe = self.recipe.model_copy(update={"history": list(changed.history)})
        self._save_recipe()
        return checkpoint.step

    def _save_recipe(self) -> None:
        try:
            if self.ranks.first:
                save_recipe(self.recipe, self.run / RECIPE)
        except OSError as error:
            raise TrainingError(
                f"{self.run}: cannot be written ({error.strerror}); choose another {parameter('run', option='out')}"
            ) from error

    def _say_start(self, first: int, log: Log | None) -> None:
        ready = self.ready
        where = f"resumes after step {first}" if first else "starts"
        images, identities = len(ready.samples), len(ready.samples.identities)
        self.say(
            f"{self.run}: {where}; {counted(images, 'image')} of {counted(identities, 'identity')}, "
            f"{counted(ready.steps, 'step')} of {ready.share.samples_per_step}, {self.ranks.count} × "
            f"{self.ranks.device.type}"
        )
        if log is not None:
            about = {"device": str(self.ranks.device), "ranks": self.ranks.count, "torch": torch.__version__}
            log.write(
                "start",
                first,
                threads=torch.get_num_threads(),
                fingerprint=ready.fingerprint,
                samples=images,
                classes=identities,
                **about,
            )

    def _steps(self, first: int, log: Log | None) -> float:
        """Run the remaining steps; returns samples per second of all ranks, including evaluations."""
        ready, loop = self.ready, self.recipe.loop
        whole = RunningLoss(self.ranks.device)
        recent, since_saved = RunningLoss(self.ranks.device), RunningLoss(self.ranks.device)
        progress = TrainingProgress(ready.steps, first, self.console)
        batches = ready.loader.batches(first, ready.steps)
        with Interrupt() as interrupt, progress, closing(batches):
            for number in range(first, ready.steps):
                result = ready.trainer.step(number, batches)
                done = number + 1
                last = done == ready.steps
                recent.add(result.loss)
                whole.add(result.loss)
                since_saved.add(result.loss)
                if number == 0:
                    self.first_loss = float(result.loss)
                progress.advance()
                if done % loop.log_every == 0 or last or number == first:
                    self._report(done, recent, result, progress, log)
                    recent = RunningLoss(self.ranks.device)
                if self.recipe.evaluate.every and done % self.recipe.evaluate.every == 0 and not last:
                    self._evaluate(done, log)
                stop = self._asked_to_stop(interrupt, done)
                if stop or last or done % loop.checkpoint_every == 0:
                    self._save(done, since_saved.mean_loss())
                    since_saved = RunningLoss(self.ranks.device)
                if stop and not last:
                    raise Stopped(
                        f"stopped after step {done} of {ready.steps} and saved; resume with: "
                        f"facepipe train --resume --out {self.run}",
                        interrupt.number,
                    )
        return whole.steps_per_second() * ready.share.samples_per_step

    def _asked_to_stop(self, interrupt: Interrupt, done: int) -> bool:
        if self.ranks.count == 1:
            return interrupt.wanted
        return done % _AGREE_EVERY == 0 and self.ranks.any(interrupt.wanted)

    def _report(
        self, done: int, recent: RunningLoss, result: StepResult, progress: TrainingProgress, log: Log | None
    ) -> None:
        loss = recent.mean_loss()
        if not math.isfinite(loss):
            raise self._diverged(done)
        speed = recent.steps_per_second() * self.ready.share.samples_per_step
        logged = {name: float(value) for name, value in result.logged.items()}
        progress.show(speed, loss, logged.get("lambda"))
        self._say_collapse(done, self.watch.update(done, loss, logged), log)
        if log is None:
            return
        factor = rate(self.recipe.schedule, done - 1, self.ready.steps_per_epoch)
        log.write(
            "train",
            done,
            epoch=round(done / self.ready.steps_per_epoch, 3),
            loss=loss,
            lr=self.recipe.optimiser.lr * factor,
            samples_per_second=round(speed, 1),
            unreadable=len(self.ready.crops.corrupt),
            decay_loss=decay_loss(self.ready.trainer.optimiser),
            **logged,
        )
        if not self.console.is_terminal and time.monotonic() - self._last_note > _NOTIFY_EVERY:
            self.say(f"step {done}/{self.ready.steps}  loss {loss:.4f}  {speed:.0f} samples/s")
            self._last_note = time.monotonic()

    def _say_collapse(self, done: int, signs: list[str], log: Log | None) -> None:
        """Warn about new signs that the run learns nothing."""
        for sign in signs:
            self.say(f"step {done}: the run may not be learning: {sign}; {_REMEDY}")
            if log is not None:
                log.write("collapse", done, sign=sign)

    def _diverged(self, step: int) -> TrainingError:
        return TrainingError(
            f"{self.run}: the loss or a weight is not finite at step {step}{last_good(self.run)}; lower "
            "optimiser.lr, lengthen schedule.warmup or set optimiser.clip"
        )

    def _save(self, done: int, loss: float) -> None:
        """Save a checkpoint, with the mean loss since the previous one."""
        if not (math.isfinite(loss) and self.ready.trainer.finite()):
            raise self._diverged(done)
        data = {"fingerprint": self.ready.fingerprint, "contents": self.ready.contents, "loss": loss}
        if math.isfinite(self.first_loss):
            data["first_loss"] = self.first_loss
        state = take_state(self.ready.trainer, done, data)
        save_checkpoint(self.run, state, self.ranks)

    def _evaluate(self, done: int, log: Log | None) -> None:
        if self.evaluations:
            net = self.ready.trainer.best_net()
            training = net.training
            net.eval()
            self.figures = {name: value for evaluate in self.evaluations for name, value in evaluate(net).items()}
            net.train(training)
            if log is not None:
                log.write("evaluation", done, **self.figures)
            self.say(f"step {done}: " + ", ".join(f"{name} {v:.4f}" for name, v in self.figures.items()))
            self._say_collapse(done, self.watch.evaluated(self.figures), log)
        self.ranks.barrier()

    def _summary(self, speed: float) -> dict[str, Any]:
        result = finish(self.recipe, self.run, self.ready, self.figures)
        self.ranks.barrier()
        signs = list(self.watch.signs().values())
        if signs and "notes" in result:
            result["notes"] = [*result["notes"], *(f"the run learned nothing: {sign}; {_REMEDY}" for sign in signs)]
        return {
            "run": str(self.run),
            "steps": self.ready.steps,
            "images": len(self.ready.samples),
            "identities": len(self.ready.samples.identities),
            "unreadable": len(self.ready.crops.corrupt),
            **({"samples_per_second": round(speed, 1)} if speed else {}),
            **({"collapsed": signs} if signs else {}),
            **result,
        }
