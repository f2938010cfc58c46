"""`python -m webapp.deploy.pretended_storage PORT BUCKET`: S3 in memory, where a machine has no store.

It stands in for the service `storage` of docker-compose.yml on a machine that tries the services out. What it holds is
gone when it ends; the files of models are on the disk besides. It is moto's server, of requirements-dev.in.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from typing import Any


def is_installed() -> bool:
    return importlib.util.find_spec("moto") is not None and importlib.util.find_spec("flask") is not None


def main(port: int, bucket: str) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    # Made anew with each start: whoever was up before it has made it already, and will not again.
    client: Any = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    client.create_bucket(Bucket=bucket)
    print(f"S3 is pretended on port {port}, in memory; set HEADLIGHT_S3_ENDPOINT for a store that keeps.", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
