"""`docs/how-to/deploy.md` against what it speaks of: nothing in it may be a name that is not there.

What can be run without a cloud is run: our own modules as far as their arguments, the shell's own
parser over every block, and every JSON message through the codec.
"""

import functools
import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.registry import specs
from infra.topology import topology
from schemas.codec import decode, decode_command
from schemas.messages import Targets
from schemas.values import Mode

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/how-to/deploy.md", "docs/security.md", "docs/how-to/gke.md")
PAGE = (ROOT / PAGES[0]).read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FENCES = [text for kind, text in BLOCKS if not kind]
GCLOUD_TREE = "data/cli/gcloud_completions.py"
PROMPTS = (
    "terraform apply",
    "terraform destroy",
    "gcloud auth login",
    "-default login",
    " delete ",
    "read -rs",
)
"""What asks a person something: whatever is pasted after it would be the answer."""

NEW_IN_GCLOUD = {
    "run worker-pools update": {"--region", "--instances"},
    "run worker-pools delete": {"--region"},
}
"""From its reference: generally available since 2026, so that an older gcloud has it as `beta`."""


def commands() -> Iterator[list[str]]:
    """Every command of the page, in words, with its variables as they stand."""
    for fence in FENCES:
        text = re.sub(r"<<END\n.*?^END$", "", fence, flags=re.DOTALL | re.MULTILINE)
        for line in text.splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&")
            lexer.whitespace_split, lexer.commenters = True, ""
            yield from _parts(list(lexer))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, without the variables that are set before them."""
    while words:
        end = next((n for n, word in enumerate(words) if word in ("&&", "|", ";")), len(words))
        one, words = words[:end], words[end + 1 :]
        yield one[next((n for n, w in enumerate(one) if not re.match("[A-Z_]+=", w)), len(one)) :]


def calls(program: str) -> list[list[str]]:
    found = [words for words in commands() if words and words[0] == program]
    assert found, f"the page never calls {program}"
    return found


def paper(text: str) -> str:
    return text.replace("$MODE", "paper")


def messages() -> list[tuple[str, str]]:
    """Topic and message of everything that is published."""
    return [
        (paper(words[4]), next(w for w in words if w.startswith("--message="))[10:])
        for words in calls("gcloud")
        if words[1:4] == ["pubsub", "topics", "publish"]
    ]


# ---------------------------------------------------------------------- the shell


@pytest.mark.parametrize("fence", FENCES, ids=lambda fence: fence.splitlines()[0][:40])
def test_the_shell_can_parse_every_block(fence: str) -> None:
    parsed = subprocess.run(
        ["bash", "-n"], input=fence, text=True, capture_output=True, check=False
    )
    assert not parsed.stderr


def test_every_variable_is_set_before_it_is_used() -> None:
    known = {"HOME"}
    for fence in FENCES:
        for line in fence.splitlines():
            used = set(re.findall(r"\$\{?([A-Z_]+)", line))
            assert used <= known | set(re.findall(r"read -rs (\w+)", line)), line
            known |= set(re.findall(r"\b([A-Z_]+)=", line))


def test_what_asks_a_person_is_the_last_of_its_block() -> None:
    """Blocks are pasted whole: what stands after a question would be taken for its answer."""
    for fence in FENCES:
        *before, _ = fence.splitlines()
        plain = [re.sub(r" -chdir=\S+", "", line) for line in before]
        assert not [line for line in plain if any(asks in line for asks in PROMPTS)]


def test_no_secret_is_an_argument_of_a_program() -> None:
    for words in calls("gcloud"):
        if words[1:4] == ["secrets", "versions", "add"]:
            assert "--data-file=-" in words
    assert "printf %s '" not in PAGE, "a value in a command stands in the shell's history"


# ---------------------------------------------------------------------- what it names


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(
        r"(?<![\w./])(?:infra|docs|tests|bin|gateway|functions|schemas|requirements)/[\w./-]*\w",
        text,
    )
    links = [Path(page).parent / link for link in re.findall(r"\]\(([\w./-]+\.md)", text)]
    absent = [name for name in named if not (ROOT / name).exists()]
    absent += [str(link) for link in links if not (ROOT / link).exists()]
    made_by_the_reader = {"infra/terraform/terraform.tfvars"}
    assert not set(absent) - made_by_the_reader


def test_every_script_that_is_called_is_there() -> None:
    for words in calls("sh"):
        assert (ROOT / words[1]).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_every_module_and_make_target_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for module in set(re.findall(r"python -m ([\w.]+)", text)):
        assert importlib.util.find_spec(module), module
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", made, re.MULTILINE), target


def test_our_modules_take_these_arguments() -> None:
    """`--help` of the module, and of the action where it has several."""
    for words in calls(".venv/bin/python"):
        assert words[1] == "-m"
        module, *rest = words[2:]
        told = help_of(module)
        if rest and not rest[0].startswith("-") and f"{rest[0]} " in told.replace(",", " "):
            told += help_of(module, rest[0])
        missing = [word for word in rest if word.startswith("--") and word not in told]
        assert not missing, f"{module}: {missing}"


@functools.cache
def help_of(module: str, *action: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", module, *action, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


# ---------------------------------------------------------------------- terraform


def terraform_names(kind: str, folder: str) -> set[str]:
    texts = [path.read_text("utf-8") for path in sorted((ROOT / folder).glob("*.tf"))]
    return {name for text in texts for name in re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE)}


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_every_terraform_variable_is_one_of_the_root(mode: str) -> None:
    known = terraform_names("variable", f"infra/terraform/{mode}")
    heredocs = re.findall(r"<<END\n(.*?)^END$", PAGE, re.DOTALL | re.MULTILINE)
    blocks = heredocs + re.findall(r"```hcl\n(.*?)```", PAGE, re.DOTALL)
    used = {name for text in blocks for name in re.findall(r"^(\w+)\s*=", text, re.MULTILINE)}
    used |= set(re.findall(r"-var (\w+)=", PAGE)) | set(re.findall(r'echo "(\w+) = ', PAGE))
    used |= set(re.findall(r"`(\w+) = ", PAGE))
    assert {"project_id", "account", "schedules_paused", "gateway_image"} <= used
    assert used <= known


def test_every_variable_without_a_default_is_set_by_the_guide() -> None:
    text = (ROOT / "infra/terraform/paper/variables.tf").read_text(encoding="utf-8")
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
    needed = {name for name, body in blocks if "default" not in re.sub(r'".*?"', "", body)}
    assert needed
    assert all(re.search(rf"^{name}\s*=", PAGE, re.MULTILINE) for name in needed)


def test_a_person_and_the_pipeline_have_one_state() -> None:
    """Under another prefix Terraform would find nothing, and make everything a second time."""
    files = ("bin/plan", "infra/cloudbuild/plan.sh", PAGES[0])
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    found = [re.findall(r'-backend-config="prefix=([^"]*)"', text) for text in texts]
    assert [[prefix.upper() for prefix in one] for one in found] == [["$MODE"]] * 3


def test_what_terraform_is_asked_to_import_is_declared() -> None:
    (address,) = re.findall(r"import module\.trading\.(\w+)\.(\w+)", PAGE)
    texts = (ROOT / "infra/terraform/modules/trading").glob("*.tf")
    assert any('resource "{}" "{}"'.format(*address) in path.read_text("utf-8") for path in texts)


def test_secrets_and_pool_and_repositories_are_named_as_terraform_names_them() -> None:
    folder = ROOT / "infra/terraform/modules/trading"
    text = "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.tf")))
    for name in re.findall(r"secrets versions add (\S+)", PAGE):
        assert re.search(rf"^\s*{name}\s*=", text, re.MULTILINE), name
    assert '"ib-trading-${var.mode}"' in text
    for name in set(re.findall(r"pkg\.dev/\$PROJECT/([\w-]+)", PAGE)):
        assert f'repository_id = "{name}"' in text


# ---------------------------------------------------------------------- pipelines


def test_every_substitution_is_one_of_the_pipeline() -> None:
    submits = [words for words in calls("gcloud") if words[1:3] == ["builds", "submit"]]
    assert len(submits) == 2
    for words in submits:
        flags = dict(word[2:].split("=", 1) for word in words[3:])
        said = [pair.split("=", 1)[0] for pair in flags["substitutions"].split(",")]
        pipeline = (ROOT / flags["config"]).read_text(encoding="utf-8")
        known = re.findall(r"^  (_[A-Z_]+):", pipeline, re.MULTILINE)
        empty = re.findall(r'^  (_[A-Z_]+): ""', pipeline, re.MULTILINE)
        assert set(empty) <= set(said) <= set(known)


# ---------------------------------------------------------------------- gcloud


@pytest.fixture(scope="module")
def tree(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Every command of gcloud with its flags, as its own completion knows them."""
    installed: Callable[..., Any] = request.getfixturevalue("installed")
    root = installed("gcloud", "info", "--format=value(installation.sdk_root)").stdout.strip()
    found: Mapping[str, Any] = runpy.run_path(f"{root}/{GCLOUD_TREE}")["STATIC_COMPLETION_CLI_TREE"]
    return found


def test_every_gcloud_command_has_these_flags(tree: Mapping[str, Any]) -> None:
    for words in calls("gcloud"):
        flags = {word.split("=")[0].replace("--no-", "--") for word in words if word[:2] == "--"}
        known = NEW_IN_GCLOUD.get(" ".join(words[1:4])) or _flags(tree, words[1:])
        everywhere = {"--project", "--quiet", "--format", "--filter", "--limit", "--sort-by"}
        assert flags <= known | everywhere, words


def _flags(tree: Mapping[str, Any], words: list[str]) -> set[str]:
    """Of the command that the words begin with."""
    while words and words[0] in tree["commands"]:
        tree, words = tree["commands"][words[0]], words[1:]
    assert not tree["commands"], f"{words}: not a whole command"
    return {flag.replace("--no-", "--") for flag in tree["flags"]}


# ---------------------------------------------------------------------- messages


def test_every_topic_and_subscription_is_one_of_the_topology() -> None:
    wanted = topology(Mode.PAPER, specs())
    assert {topic for topic, _ in messages()} <= {*wanted.topics}
    pulled = [paper(w[4]) for w in calls("gcloud") if w[1:4] == ["pubsub", "subscriptions", "pull"]]
    assert set(pulled) <= {one.name for one in wanted.subscriptions if one.entry_point is None}


@pytest.mark.parametrize(("topic", "message"), messages())
def test_every_message_is_one_that_the_gateway_understands(topic: str, message: str) -> None:
    kinds: Mapping[str, Callable[[bytes], object]] = {
        "commands-paper": decode_command,
        "targets-paper": lambda data: decode(Targets, data),
    }
    kinds[topic](message.encode())


def test_the_first_order_is_undone_by_saying_nothing_is_wanted() -> None:
    said = [decode(Targets, m.encode()) for topic, m in messages() if topic == "targets-paper"]
    assert [[target.quantity for target in one.targets] for one in said] == [[1], [0]]


def test_nothing_says_resume_before_the_dry_run() -> None:
    said = [m for topic, m in messages() if topic == "commands-paper"]
    dry, resume = (next(n for n, m in enumerate(said) if w in m) for w in ("dry_run", '"resume"'))
    assert dry < resume
