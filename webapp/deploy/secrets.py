"""`python -m webapp.deploy.secrets FOLDER`: the passwords and keys of docker-compose.yml, each in a file of its own."""

from __future__ import annotations

import argparse
import json
import os
import secrets
from pathlib import Path


def make_secrets(folder: Path, broker: str = "broker:6379", database: str = "database:5432") -> list[str]:
    """Makes those that are missing and leaves the others: the names of the new ones. Raises: OSError.

    Only the owner may list the folder. Its files can be read by any user, as those of the containers are others.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []

    def secret(name: str, value: str) -> str:
        path = folder / name
        if not path.exists():
            part = folder / f".{name}.part"
            part.write_text(value)
            part.chmod(0o444)
            os.replace(part, path)
            made.append(name)
        return path.read_text()

    broker_password = secret("broker_password", secrets.token_hex(24))
    database_password = secret("database_password", secrets.token_hex(24))
    secret("broker_url", f"redis://:{broker_password}@{broker}/0")
    secret("database_url", f"postgres://headlight:{database_password}@{database}/headlight")
    secret("secret_key", secrets.token_urlsafe(50))
    access_key = secret("storage_access_key", secrets.token_hex(10))
    secret_key = secret("storage_secret_key", secrets.token_hex(24))
    secret("storage_identities", _identities(access_key, secret_key))
    return made


def _identities(access_key: str, secret_key: str) -> str:
    """Who may use the storage. Source: SeaweedFS's wiki, Amazon S3 API, "Static configuration"."""
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    return json.dumps({"identities": [{"name": "site", "credentials": credentials, "actions": ["Admin"]}]})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m webapp.deploy.secrets", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("secrets"))
    folder = parser.parse_args().folder
    made = make_secrets(folder)
    print(f"{folder}: made {', '.join(made)}." if made else f"{folder}: all are there already, nothing was changed.")


if __name__ == "__main__":
    main()
