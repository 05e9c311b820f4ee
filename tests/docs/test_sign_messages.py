"""The page on signing: its commands make keys, and its settings sign with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from celeriac_auth.commands import CommandRights

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sign-messages.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed on this machine")
def test_the_commands_make_keys_with_which_the_app_of_the_page_signs_and_seals(tmp_path, monkeypatch):
    # Given the files that the commands make
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    for command in commands:
        if not command.startswith("pip "):
            subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)

    # When the app of the page is made, on a broker in memory
    monkeypatch.chdir(tmp_path)
    first, rights, then = blocks("python")
    names = {}
    exec(first.replace('"redis://"', '"memory://sign-messages"'), names)
    app = names["app"]
    data = app.serializers.get("auth").dumps("signed")
    assert app.serializers.decode(data, "application/data") == "signed"

    # Then it also seals as the page says
    exec(rights, names)
    exec(then, names)
    app.setup_security()
    sealed = app.serializers.get("auth").dumps("sealed")
    assert app.serializers.decode(sealed, "application/data") == "sealed"
    assert app.serializers.decode(data, "application/data") == "signed"

    # And its workers obey whom the page names
    content = app.serializers.get("auth").content
    named = CommandRights(content, app.conf.security_command_signers)
    subject = content.identity.certificate.x509.subject.rfc4514_string()
    assert (subject, named.check({}, "application/data", content.dumps("x"))) == ("CN=worker", None)
    app.close()
