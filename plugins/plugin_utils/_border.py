# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The border to a master: what a module prints there is read here, strictly, before Ansible or anybody else sees it.

Whoever is root on a master decides what the module prints. So Ansible gets it as one text under a key of ours, and
finds no key in it that it would obey (``ansible_facts``, ``add_host``, ``warnings``, ``_ansible_*``).
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import (
    LARGEST,
    ContractError,
    parse_json,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.hidden import (
    hide_in_words,
    holds_secrets,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError, printable

__all__ = ["MasterAction", "NoAnswer", "unshown"]

display = Display()
T = t.TypeVar("T")

# What a Python that is too old, or not whole, says.
_OF_AN_OLD_PYTHON = ("SyntaxError", "ImportError", "ModuleNotFoundError", "zipimport.ZipImportError")
# The verbosity (-vvv) from which on a connection shows what a command printed, and what it says where it must not.
_SHOWS_ANSWERS = 3
_CENSORED = "censored"
_INTERPRETER = re.compile(r"/[\w./+-]{1,500}")


class NoAnswer(UserError):
    """A master failed, cannot be reached, or says what no master says. unreachable: whether it is the second."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable

    def as_result(self) -> dict[str, t.Any]:
        """Give the result of a task that ends so."""
        return {"unreachable" if self.unreachable else "failed": True, "changed": False, "msg": str(self)}


def _document(stdout: str) -> str:
    """Cut away what a shell's start files or ssh print around the module's JSON."""
    lines = stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith("{")]
    ends = [number for number, line in enumerate(lines) if line.rstrip().endswith("}")]
    return "\n".join(lines[starts[0] : ends[-1] + 1]) if starts and ends else ""


def _explain_silence(stderr: str) -> str:
    """Say why there is no result, in place of what a Python that cannot run the module prints."""
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    why = f" (it said: {printable(said[-1], longest=300)})" if said else ""
    if any(line.startswith("Traceback") for line in said) and not said[-1].startswith(_OF_AN_OLD_PYTHON):
        return (
            f"The module ended unexpectedly on this master{why}; run again, and if that does not help, report it with "
            "what -vvv shows."
        )
    return (
        f"The module gave no result on this master{why}: its Python is missing, older than 3.8, or broken; set "
        "ansible_python_interpreter to one that is 3.8 or newer."
    )


def unshown(seen: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Give what keeps a result from being shown and logged if the manifest in it, or a command line, holds secrets.

    seen: an observation, which the later steps need as it is; where it is registered, it stays whole.
    """
    texts = [seen["manifest"]["text"], *(sibling["text"] or "" for sibling in seen["siblings"])]
    words = " ".join(seen["process"]["argv"]) if seen["process"] else ""
    if hide_in_words(words) != words or any(holds_secrets(text) for text in texts if text):
        return {"_ansible_no_log": True}
    return {}


class MasterAction(ActionBase):
    """An action that asks a master. Its result is built of what `ask` returns, and of nothing else that came back."""

    def ask(
        self,
        module: str,
        arguments: t.Mapping[str, t.Any],
        variables: t.Mapping[str, t.Any] | None,
        reader: t.Callable[[t.Any], T],
        *,
        silence: str = "",
        reads_failures: bool = False,
    ) -> T:
        """Run a module on the master and read its answer.

        reader: of the contract; silence: what to say if the module is cut off, in place of guessing why;
        reads_failures: the reader takes an answer that says ``failed`` if that tells what was changed, too. Raises
        NoAnswer.
        """
        try:
            done = self._run_unheard(module, arguments, variables)
        except AnsibleConnectionFailure as error:
            raise NoAnswer(f"It cannot be reached: {error}", unreachable=True) from None
        except AnsibleError as error:
            raise NoAnswer(f"The module cannot be run on this master: {error}") from None
        document = _document(str(done.get("answer") or ""))
        if not document:
            raise NoAnswer(silence or _explain_silence(str(done.get("complaint") or "")))
        try:
            told = parse_json(document, "its answer")
            if isinstance(told, dict) and told.get("failed") and not (reads_failures and "changed" in told):
                raise NoAnswer(str(told.get("msg") or "It failed without a word."))
            return reader(told)
        except ContractError as error:
            raise NoAnswer(
                f"The answer of this master is not one that this release of the collection gives ({error}), and "
                "nothing of it is used; look who has been on that host, and run again."
            ) from None

    def _run_unheard(
        self, module: str, arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any] | None
    ) -> dict[str, t.Any]:
        """Run a module such that the connection does not show what it printed: from -vvv on, ssh would.

        Raises AnsibleConnectionFailure with the connection's own words.
        """
        contexts = [self._play_context, getattr(self._connection, "_play_context", None)]
        if display.verbosity < _SHOWS_ANSWERS:
            contexts = []
        before = [context.no_log for context in contexts if context is not None]
        try:
            for context in contexts:
                if context is not None:
                    context.no_log = True
            done: dict[str, t.Any] = self._execute_module(
                module_name=module, module_args=dict(arguments), task_vars=variables
            )
            return done
        except AnsibleConnectionFailure as error:
            if not before or _CENSORED not in str(error):
                raise
        finally:
            for context, no_log in zip((context for context in contexts if context is not None), before):
                context.no_log = no_log
        # what it says of itself is hidden then, too: have it say that once more, over nothing
        self._low_level_execute_command(":", sudoable=False)
        raise AnsibleConnectionFailure("the connection was lost while the module ran")

    @property
    def interpreter(self) -> dict[str, t.Any]:
        """The Python that Ansible found on the master, for the result: so that it is not looked for at each task."""
        key, found = self._discovered_interpreter_key, self._discovered_interpreter
        if not key or not isinstance(found, str) or not _INTERPRETER.fullmatch(found):
            return {}
        return {"ansible_facts": {key: found}}

    def _parse_returned_data(self, res: t.Any, *more: t.Any) -> t.Any:
        """Hand Ansible's own reader what was printed as one text, under a key that it does not know."""
        texts = {"answer": res.get("stdout"), "complaint": res.get("stderr")}
        ours = {name: str(text or "")[: LARGEST + 1] for name, text in texts.items()}
        whole = {name: text.encode("utf-8", "replace").decode() for name, text in ours.items()}
        return super()._parse_returned_data({**res, "stdout": json.dumps(whole), "stderr": ""}, *more)
