from __future__ import annotations

import stat
import subprocess
from pathlib import Path

from featuremill.services.airflow_shell import shell_settings, write_shell_settings
from featuremill.services.launch import Launch


def test_a_shell_is_told_what_airflow_is_told(tmp_path: Path) -> None:
    home = tmp_path / "a project's home"
    home.mkdir()
    connection = '{"conn_type": "aws", "login": "it\'s $HOME"}'
    told = {"AIRFLOW_HOME": str(home), "AIRFLOW_CONN_AWS": connection, "EDITOR": "somebody's own"}
    write_shell_settings(Launch("airflow_api", (), told, home, lambda: None))
    file = shell_settings(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asked = '. "$0"; printf "%s\\n" "$AIRFLOW_HOME" "$AIRFLOW_CONN_AWS" "${EDITOR:-}"; command -v python'
    ended = subprocess.run(
        ["sh", "-c", asked, str(file)], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    *said, python = ended.stdout.splitlines()
    assert said == [str(home), connection, ""]
    assert subprocess.run([python, "-c", "import featuremill"], check=False).returncode == 0
