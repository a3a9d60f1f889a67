"""Where the addresses of `$CONTACT_…` come from."""

from alertgate.settings_load import contact_secrets


def test_the_environment_comes_before_the_env_file_and_that_before_secret_files(tmp_path, monkeypatch):
    """As for settings, in any case of letters; empty ones count as unset, and nothing else is read."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("CONTACT_A", "contact_b", "CONTACT_C"):
        (secrets / name).write_text(f"file-{name}\n")
    (secrets / "API_TOKEN").write_text("hunter2")
    (tmp_path / ".env").write_text("CONTACT_B=env-file\nexport contact_c=env-file-c\nCONTACT_D=\nAPI_TOKEN=hunter2\n")
    monkeypatch.setenv("CONTACT_C", "environment")
    monkeypatch.setenv("CONTACT_E", "")
    assert contact_secrets(tmp_path / ".env", secrets=secrets) == {
        "CONTACT_A": "file-CONTACT_A",
        "CONTACT_B": "env-file",
        "CONTACT_C": "environment",
    }
    assert contact_secrets(None, secrets=secrets)["CONTACT_B"] == "file-contact_b"
