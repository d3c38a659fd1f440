"""The commands ``collect ...``: datasets, of what was done, to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...agent.checkpoints.loading import LoadOptions
from . import options
from .help import Commands
from .options import ARGUMENT, LIMITS, MODEL, OTHER, OUTPUT

app = Commands()
collect = Commands(help="Make a dataset to train on, of what experts, policies and people did.", no_args_is_help=True)
app.add_typer(collect, name="collect", rich_help_panel="Train")

Into = Annotated[Path, ARGUMENT("The dataset's folder; it is made, or added to.", "DATASET")]
Existing = Annotated[Path, ARGUMENT("The dataset's folder.", "DATASET")]
Tasks = Annotated[str, OTHER("MiniWoB++ tasks, separated by commas.", "NAMES")]
Licence = Annotated[str, OUTPUT("Said on the dataset's card, of what is added.", "TEXT")]
_MINIWOB = "MiniWoB++ pages: MIT"


@collect.command("experts")
def _experts(
    dataset: Into,
    tasks: Annotated[str | None, OTHER("MiniWoB++ tasks, separated by commas; by default all.", "NAMES")] = None,
    episodes: Annotated[int, LIMITS("Of each task, those of before included.", "N", min=1)] = 100,
    stray: Annotated[
        float, OTHER("Share of steps with a click elsewhere, from where the expert goes on.", "SHARE", min=0, max=0.9)
    ] = 0.1,
    policy: Annotated[
        Path | None, MODEL("A checkpoint that acts, while the expert says what would have been right.", "DIR")
    ] = None,
    licence: Licence = _MINIWOB,
    json: options.Json = False,
) -> None:
    """Collect from experts: programs that look into MiniWoB++ pages and know the next action.

    Every step is labelled with what is right, and every picture with the page's elements and characters. With
    --policy a checkpoint acts in most episodes and the expert corrects it (DAgger). Seeds are those of training, which
    no evaluation should use. The same command goes on where it was stopped.

    Examples:
      saccade collect experts data/clicks --tasks click-test,click-button --episodes 200
      saccade collect experts data/clicks --policy runs/mine/checkpoint --episodes 400
    """
    from ..commands.collect import collect_experts

    collect_experts(dataset, _names(tasks), episodes, stray, policy, licence, json_output=json)


@collect.command("policy")
@options.loads_model
def _policy(
    load: LoadOptions,
    dataset: Into,
    tasks: Tasks,
    model: options.Model = "embedded",
    dialect: options.Dialect = None,
    temperature: Annotated[float, MODEL("Of sampling; 0 is greedy.", "T", min=0)] = 0.7,
    episodes: Annotated[int, LIMITS("Of each task, those of before included.", "N", min=1)] = 20,
    max_steps: options.MaxSteps = 10,
    licence: Licence = _MINIWOB,
    json: options.Json = False,
) -> None:
    """Collect the successes of a policy on MiniWoB++, by the pages' rewards.

    Seeds are those of training. What failed is counted on the card. For other places, let the policy work with
    `saccade run --expect` or `saccade eval`, and collect the runs.

    Examples:
      saccade collect policy data/own --tasks click-test,click-tab --episodes 50
      saccade collect policy data/own --tasks click-link --model openai:http://gpu:8000/v1#ui-tars
    """
    from ..commands.collect import collect_policy
    from ..models.load import load_policy

    names = _names(tasks) or []
    made = load_policy(model, dialect=dialect, temperature=temperature, load=load)
    collect_policy(dataset, made, names, episodes, max_steps, licence, json_output=json)


@collect.command("runs")
def _runs(
    dataset: Into,
    paths: Annotated[list[Path], ARGUMENT("Runs, recordings, replays, evaluations, or folders of these.", "DIR")],
    task: Annotated[str, OTHER("What was asked for, in recordings that do not say it.", "TEXT")] = "",
    judge: Annotated[
        str | None, MODEL("A served model that judges runs which nothing else judged.", "openai:URL#NAME")
    ] = None,
    licence: Licence = "",
    json: options.Json = False,
) -> None:
    """Collect from what was recorded.

    A person's recording counts as right. A policy's run counts if its page or --expect says that it
    succeeded; of its steps, those are left out that were refused, cut short by your pause, or repeated
    without effect. A replay that a model healed gives one correction for each healed step: what was
    recorded is wrong there, and the heal is better.

    With --judge, a model on a server looks at each step of runs that nothing judged, with the screen before and
    after it. It answers good, wrong or unknown; only good steps are learned. It gets the screenshots.

    Nothing is collected twice, so the same command adds what is new.

    Examples:
      saccade collect runs data/invoices runs/invoice-1 runs/invoice-2
      saccade collect runs data/own runs --judge openai:http://gpu:8000/v1#qwen3-vl-32b
    """
    from ..commands.collect import collect_runs

    collect_runs(dataset, paths, task, judge, licence, json_output=json)


@collect.command("perception")
def _perception(
    dataset: Into,
    tasks: Annotated[
        str | None, OTHER("Show these MiniWoB++ pages, instead of asking about those of the dataset.", "NAMES")
    ] = None,
    pages: Annotated[int, LIMITS("Of each of --tasks, those of before included.", "N", min=1)] = 50,
    questions: Annotated[int, LIMITS("Of each kind about one picture.", "N", min=1)] = 1,
    licence: Licence = _MINIWOB,
    json: options.Json = False,
) -> None:
    """Make questions about screens: where is an element, what is it, what changed?

    The answers come from the labels that experts' pictures have. With --tasks, pages of MiniWoB++ are shown for
    this, also of tasks that have no expert.

    Examples:
      saccade collect perception data/clicks
      saccade collect perception data/looks --tasks book-flight,search-engine --pages 20
    """
    from ..commands.collect import collect_perception

    collect_perception(dataset, _names(tasks), pages, questions, licence, json_output=json)


@collect.command("review")
def _review(
    dataset: Existing,
    keep: Annotated[list[str] | None, OTHER("--keep", "Learn from this episode; may be given again.", "ID")] = None,
    reject: Annotated[list[str] | None, OTHER("--reject", "Do not learn from it; may be given again.", "ID")] = None,
    cut: Annotated[
        list[str] | None, OTHER("--cut", "Keep only some steps of it, counted from 1; may be given again.", "ID:N-N")
    ] = None,
    apply: Annotated[Path | None, OTHER("Carry out what the page saved.", "FILE")] = None,
    show: Annotated[bool, OUTPUT("--list", "List the episodes in the terminal.")] = False,
    source: Annotated[
        str | None, OTHER("Only episodes of this source: expert, policy, person, healed or perception.", "NAME")
    ] = None,
    limit: Annotated[int, LIMITS("Episodes on the page, the newest.", "N", min=1)] = 200,
    open_it: Annotated[bool, OUTPUT("--open/--no-open", "Open the page in the web browser.")] = True,
    json: options.Json = False,
) -> None:
    """Review a dataset: keep, reject, cut or correct its episodes.

    Without --keep, --reject, --cut or --apply, this writes a page and opens it. The page shows each step with its
    picture; you decide there and save the decisions as a file, which --apply carries out. Nothing is deleted: a later
    review can decide otherwise, but steps that were cut off are gone from view.

    Examples:
      saccade collect review data/invoices
      saccade collect review data/invoices --apply ~/Downloads/review.json
      saccade collect review data/invoices --reject 3fa9 --cut 77c0:2-5
    """
    from ..commands.review import ReviewRequest, review_and_print

    request = ReviewRequest(
        dataset, tuple(keep or ()), tuple(reject or ()), tuple(cut or ()), apply, show, source, limit, open_it
    )
    review_and_print(request, json_output=json)


@collect.command("card")
def _card(dataset: Existing, json: options.Json = False) -> None:
    """Show what a dataset holds: episodes by task and source, seeds, licences, and what is held out.

    Example:
      saccade collect card data/invoices
    """
    from ..commands.review import print_card

    print_card(dataset, json_output=json)


@collect.command("export")
def _export(
    dataset: Existing,
    out: Annotated[Path | None, OUTPUT("The Parquet file to write; by default beside DATASET.", "FILE")] = None,
    json: options.Json = False,
) -> None:
    """Write a dataset as a Parquet table, one row for each step, with its picture.

    Needs the extra: pip install 'saccade[parquet]'.

    Example:
      saccade collect export data/invoices --out invoices.parquet
    """
    from ..commands.review import export_and_print

    export_and_print(dataset, out, json_output=json)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name for name in (each.strip() for each in text.split(",")) if name]
