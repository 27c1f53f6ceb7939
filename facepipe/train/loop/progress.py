"""What a person at the terminal sees while a run goes on; nothing where there is no terminal."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """A bar on stderr: step, samples per second, loss, λ and time left."""

    def __init__(self, total: int, done: int, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or console.is_dumb_terminal,
            transient=True,
            redirect_stdout=False,
        )
        self._task: TaskID = self._bar.add_task("train", total=total, completed=done, rate="", values="")

    def advance(self) -> None:
        """One step is done."""
        self._bar.advance(self._task)

    def show(self, samples_per_second: float, loss: float, lam: float | None) -> None:
        """New figures."""
        values = f"loss {loss:.3f}" + (f" λ {lam:.1f}" if lam is not None else "")
        self._bar.update(self._task, rate=f"{samples_per_second:,.0f} samples/s", values=values)

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
